// The table of recipe keys in docs/recipes.md is the program's.
import Run
import Support
import Testing

@Suite struct ReadmeTests {
  @Test func `docs recipes lists every key with its default and what it takes`() throws {
    let recipe = Recipe()
    let rows = Recipe.fields.map { field in
      "| `\(field.key)` | \(field.read(recipe).json.line) | \(field.about) | \(field.kind.words) |"
    }
    let table = (["| key | default | decides | takes |", "| --- | --- | --- | --- |"] + rows).joined(separator: "\n")
    #expect(try Readme.section("recipe", of: "docs/recipes.md", asWrittenBy: table) == table)
  }
}
