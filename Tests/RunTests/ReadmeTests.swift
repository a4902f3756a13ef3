// The README's table of recipe keys is the program's.
import Run
import Support
import Testing

@Suite struct ReadmeTests {
  @Test func `the README lists every key with its default and what it takes`() throws {
    let recipe = Recipe()
    let rows = Recipe.fields.map { field in
      "| `\(field.key)` | \(field.read(recipe).json.line) | \(field.about) | \(field.kind.words) |"
    }
    let table = (["| key | default | decides | takes |", "| --- | --- | --- | --- |"] + rows).joined(separator: "\n")
    #expect(try Readme.section("recipe", asWrittenBy: table) == table)
  }
}
