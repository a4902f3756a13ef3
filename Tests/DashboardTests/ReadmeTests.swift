// The README's table of keys is the program's.
import Dashboard
import Support
import Testing

@Suite struct ReadmeTests {
  @Test func `the README lists every key`() throws {
    #expect(try Readme.section("keys", asWrittenBy: KeyTable.markdown) == KeyTable.markdown)
  }
}
