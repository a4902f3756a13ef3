// The tables of keys in docs/ are the program's.
import Support
import Testing

@testable import Dashboard

@Suite struct ReadmeTests {
  @Test func `the page on the screen lists every key`() throws {
    #expect(try Readme.section("keys", of: "docs/screen.md", asWrittenBy: KeyTable.markdown) == KeyTable.markdown)
  }

  @Test func `the pages list every key of the screens over stored runs`() throws {
    for (name, keys) in [
      ("runs keys", RunsScreen.markdown), ("compare keys", CompareScreen.markdown),
      ("tensors keys", TensorsScreen.markdown),
      ("data keys", DataScreen.markdown),
    ] {
      #expect(try Readme.section(name, of: "docs/screen.md", asWrittenBy: keys) == keys)
    }
    let keys = ExperimentScreen.markdown
    #expect(try Readme.section("experiment keys", of: "docs/experiments.md", asWrittenBy: keys) == keys)
  }
}
