// Which right name is offered for a wrong one.
import Run
import Testing

struct NearestTests {
  @Test(arguments: [
    ("tiyn", "tiny"), ("defualt", "default"), ("SMALL", "small"), ("smal", "small"), ("defaults", "default"),
  ])
  func `the name with the fewest edits is offered`(wrong: String, right: String) {
    #expect(["default", "small", "tiny"].nearest(to: wrong) == right)
  }

  @Test func `nothing is offered when nothing is near`() {
    #expect(["default", "small"].nearest(to: "kjv-long-run") == nil)
    #expect([String]().nearest(to: "a") == nil)
  }

  @Test func `no name is looked for in a page of text`() {
    let page = String(repeating: "default", count: 30_000)
    // Each edit of each of so many letters would take hours.
    #expect([page + "s", "default"].nearest(to: page) == nil)
  }
}
