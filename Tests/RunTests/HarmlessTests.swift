// What reaches a terminal: nothing that it would obey, and nothing that hides.
import Run
import Testing

@Suite struct HarmlessTests {
  static let harmful: [UInt32] = [
    0, 7, 8, 9, 0x0D, 0x1B, 0x7F, 0x80, 0x85, 0x9B, 0x9F, 0xAD, 0x34F, 0x61C, 0x115F, 0x180E, 0x200B, 0x200D, 0x200E,
    0x200F,
    0x2028, 0x2029, 0x202A, 0x202E, 0x2060, 0x2066, 0x2069, 0x206F, 0x3164, 0xFDD0, 0xFEFF, 0xFFF9, 0xFFFE, 0x1FFFF,
    0xE0001, 0xE0041, 0xE007F, 0xE0100, 0x10FFFF,
  ]

  @Test(arguments: harmful)
  func `what steers or hides becomes a dot, and is escaped in JSON and YAML`(value: UInt32) throws {
    let scalar = try #require(Unicode.Scalar(value))
    let text = "a\(scalar)b"
    #expect(text.harmless == "a·b" && text.harmlessLine == "a·b")
    let json = JSON.text(text).line
    #expect(json.unicodeScalars.allSatisfy { !$0.steersTerminals }, "\(json)")
    #expect(try JSON.read(json.utf8).string == text)
    var recipe = Recipe()
    recipe.sample.prompt = text
    #expect(recipe.yaml.unicodeScalars.allSatisfy { !$0.steersTerminals || $0 == "\n" })
    #expect(try Recipe(yaml: recipe.yaml, source: "test") == recipe)
  }

  @Test(arguments: ["", "a b~", "naïve ½ ﬁ Å — 한국어 ελληνικά עברית العربية", "⠿█│◆✓", "❤️ 👩 🇩🇪", "e\u{301}"])
  func `what is only shown stays as it is`(text: String) throws {
    #expect(text.harmless == text && text.harmlessLine == text)
    #expect(try JSON.read(JSON.text(text).line.utf8).string == text)
  }

  @Test func `a line's end stays where lines are meant`() {
    #expect("a\nb".harmless == "a\nb")
    #expect("a\nb".harmlessLine == "a·b")
  }

  @Test func `bytes that come in pieces are shown as characters when they are whole`() {
    let text = "aé\u{9B}€\u{202E}😀b"
    for size in 1...7 {
      var stream = HarmlessStream()
      var shown = ""
      let bytes = Array(text.utf8)
      for start in stride(from: 0, to: bytes.count, by: size) {
        shown += stream.take(Array(bytes[start..<min(start + size, bytes.count)]))
      }
      #expect(shown + stream.finish() == "aé·€·😀b")
    }
  }

  @Test func `bytes that are no text become a mark, and hold nothing back`() {
    var stream = HarmlessStream()
    #expect(stream.take([0xC3]) == "")
    #expect(stream.take([0x41]) == "\u{FFFD}A")
    #expect(stream.take([0x9B, 0x42]) == "\u{FFFD}B")
    #expect(stream.take([0xED, 0xA0, 0x80, 0x43]).last == "C")
    #expect(stream.take([0xF0, 0x9F]) == "")
    #expect(stream.finish().allSatisfy { $0 == "\u{FFFD}" })
    #expect(stream.finish() == "")
  }
}
