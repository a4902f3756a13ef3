// JSON from outside.
import Run
import Testing

struct JSONReadingTests {
  private func read(_ text: String) throws -> JSON { try JSON.read(Array(text.utf8)) }

  @Test(arguments: [
    #"{"a":[1,-2,0,18446744073709551615,1.5,-1e-05,true,false,null],"b":{},"c":[],"a":"twice"}"#,
    #""text with \"quotes\", \\ and \u0001""#, "[[[[]]]]", "0", "\"naïve 日本語 😀\"",
  ])
  func `what is printed is read again`(text: String) throws { #expect(try read(text).line == text) }

  @Test func `escapes and white space are understood`() throws {
    #expect(
      try read(" {\n\t\"a\" : \"\\u00e9\\ud83d\\ude00\\/\\b\\f\\n\\r\\t\" }\r")["a"]?.string == "é😀/\u{8}\u{C}\n\r\t")
    #expect(try read("[1E2, 1e+2]").elements == [.double(100), .double(100)])
    #expect(try read(#"{"a":null}"#)["a"] == nil)
    #expect(try read(#"{"a":1,"b":2,"a":3}"#).repeatedKey == "a")
  }

  @Test(arguments: [
    ("", 0), ("{", 1), ("[1,]", 3), ("{\"a\" 1}", 5), ("{a:1}", 1), ("01", 0), ("-", 0), ("1.", 2), ("1e", 2),
    ("+1", 0),
    (".5", 0), ("NaN", 0), ("tru", 0), ("\"a", 0), ("\"\n\"", 1), ("\"\\x\"", 1), ("\"\\ud800\"", 1),
    ("\"\\ud800\\u0041\"", 1), ("\"\\u00g0\"", 3), ("[] []", 3), ("1e999", 0), ("{\"a\":1 \"b\":2}", 7),
  ])
  func `what is no JSON is refused with the place`(text: String, place: Int) {
    let damage = #expect(throws: JSON.Damage.self) { try read(text) }
    #expect(damage?.place == place, "\(damage?.description ?? "")")
  }

  @Test func `bytes that are no text and values that are too deep are refused`() {
    #expect(throws: JSON.Damage.self) { try JSON.read([0x22, 0xFF, 0x22]) }
    #expect(throws: JSON.Damage.self) { try read(String(repeating: "[", count: 100_000)) }
    #expect(throws: Never.self) {
      try read(String(repeating: "[", count: 64) + String(repeating: "]", count: 64))
    }
  }
}
