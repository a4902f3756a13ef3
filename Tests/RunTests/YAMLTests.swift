// What of a text in YAML is counted before it is parsed, and what is passed over.
import Run
import Testing

struct YAMLTests {
  private func prompt(_ yaml: String) throws -> String { try Recipe(yaml: yaml, source: "x.yaml").sample.prompt }

  private static let stars = String(repeating: "*word* ", count: 60)
  private static let brackets = String(repeating: "[{", count: 300)

  @Test(arguments: [stars, brackets, String(repeating: "- - ? ", count: 200)])
  func `asterisks, brackets and dashes in a text are text`(text: String) throws {
    #expect(try prompt("sample:\n  prompt: \"a \(text)\"\n") == "a " + text)
    #expect(try prompt("sample:\n  prompt: 'it''s \(text)'\n") == "it's " + text)
    #expect(try prompt("sample: {every: 3, prompt: \"\\\"\(text)\"}") == "\"" + text)
    #expect(try prompt("sample:\n  prompt: |\n    a\n    \(text)\n\n    \(text)\n  every: 3\n").hasPrefix("a\n" + text))
    #expect(try prompt("sample:\n  prompt: >-\n    a \(text)\n  every: 3\n").hasPrefix("a "))
    #expect(try prompt("# \(text)\nsample:\n  prompt: a # \(text)\n") == "a")
    #expect(try prompt("sample:\n  prompt: a\(text)\n").hasPrefix("a"))
    #expect(try prompt("sample:\n  prompt: \"a\n\n    \(text)\"\n").hasPrefix("a\n"))
  }

  @Test(arguments: [
    "a: &a 1\nb: [\(String(repeating: "*a, ", count: 17))]\n",
    "a: &a 1\nb: [\(String(repeating: "*a,", count: 17))]\n",
    "a: &a 1\nb:\n\(String(repeating: "- *a\n", count: 17))",
    "a: &a 1\nb:\n\(String(repeating: "-\t*a\n", count: 17))",
    "a: &a 1\n" + (0..<17).map { "b\($0): *a\n" }.joined(),
    "a: &a 1\n" + (0..<17).map { "? b\($0)\n: *a\n" }.joined(),
    "a: &a 1\nb: {\((0..<17).map { "\"b\($0)\":*a" }.joined(separator: ","))}\n",
    "--- [&a 1, \(String(repeating: "*a, ", count: 17))]\n",
    "a: &a 1\nb: |\n  text\nc: [\(String(repeating: "*a, ", count: 17))]\n",
    "a: &a 1\nb: 'it''s'\nc: [\(String(repeating: "*a, ", count: 17))]\n",
    "- &a 1\n- - |\n    text\n  - [\(String(repeating: "*a, ", count: 17))]\n",
    "a: &a it's\nb: [\(String(repeating: "*a, ", count: 17))]\n",
    "a: &a 1\u{2028}b: \"x\"\u{85}c: [\(String(repeating: "*a, ", count: 17))]\n",
    "a: &a {}\nb: [[\(String(repeating: "*a, ", count: 17))], !!seq [1]]\n",
  ])
  func `aliases are counted wherever they stand`(yaml: String) {
    let error = #expect(throws: UserError.self) { try Recipe(yaml: yaml, source: "x.yaml") }
    #expect(error?.message.contains("more than 16 aliases") == true, "\(error?.message ?? "")")
  }

  @Test(arguments: [
    String(repeating: "[", count: 5000), "a: " + String(repeating: "{a: ", count: 5000),
    String(repeating: "- ", count: 5000), String(repeating: "? ", count: 5000) + "a",
    "a: \"x\"\nb: " + String(repeating: "[ ", count: 5000), "'a': " + String(repeating: "[\n", count: 5000),
  ])
  func `what is nested too deep is refused before it is parsed`(yaml: String) {
    let error = #expect(throws: UserError.self) { try Recipe(yaml: yaml, source: "x.yaml") }
    #expect(error?.message.contains("nested deeper than 200") == true, "\(error?.message ?? "")")
  }

  @Test func `a byte order mark before a text is passed over`() throws {
    #expect(try Recipe(yaml: "\u{FEFF}model:\n  width: 64\nsteps: 7\n", source: "x.yaml").steps == 7)
    #expect(try Recipe(yaml: "\u{FEFF}# a page\nsteps: 7\n", source: "x.yaml").steps == 7)
    #expect(try JSON.read([0xEF, 0xBB, 0xBF] + Array("{\"a\": 1}".utf8)) == .object([JSON.Member("a", .integer(1))]))
    let damage = #expect(throws: JSON.Damage.self) { try JSON.read([0xEF, 0xBB, 0xBF] + Array("{]".utf8)) }
    #expect(damage?.place == 4)
  }
}
