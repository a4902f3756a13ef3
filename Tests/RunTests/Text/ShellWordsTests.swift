// The words of a typed command line.
import Run
import Testing

@Suite struct ShellWordsTests {
  @Test(arguments: [
    ("", []), ("  ", []), ("train tiny", ["train", "tiny"]), ("note a 'b  c'", ["note", "a", "b  c"]),
    (#"note a "it's" ''"#, ["note", "a", "it's", ""]), (#"a\ b "c\"d" 'e\f'"#, ["a b", "c\"d", #"e\f"#]),
    ("a'b'c", ["abc"]),
  ])
  func `quotes and backslashes are read as by a shell`(line: String, words: [String]) throws {
    #expect(try line.shellWords() == words)
  }

  @Test func `what a run's command quotes comes back`() throws {
    for name in ["plain", "two words", "it's", #"back\slash"#] {
      let command = RunAddress(name: name, runs: "a folder").command("resume")
      #expect(try command.shellWords() == ["foretop", "resume", name, "--runs", "a folder"])
    }
  }

  @Test(arguments: ["'open", "\"open", "end\\"])
  func `what has no end is refused`(line: String) {
    #expect(throws: UserError.self) { try line.shellWords() }
  }
}
