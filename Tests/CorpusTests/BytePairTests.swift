// Byte-level BPE against the tokenizers library of Hugging Face, whose answers BytePair/make.py wrote down.
import Foundation
import Support
import Testing

@testable import Corpus

struct BytePairTests {
  private struct BytePairCase: Decodable {
    let text: String
    let tokens: [Int32]
  }

  static let names = ["gpt2", "smollm", "llama3", "qwen"]

  private static func file(_ name: String) throws -> Data {
    try Data(contentsOf: URL(filePath: #filePath).deletingLastPathComponent().appending(path: "BytePair/\(name).json"))
  }

  static func model(_ name: String) throws -> [UInt8] { Array(try file(name)) }

  private static func cases(_ name: String) throws -> [BytePairCase] {
    try JSONDecoder().decode([BytePairCase].self, from: file(name + ".cases"))
  }

  @Test(arguments: names)
  func `tokens are those of the tokenizers library`(name: String) throws {
    let tokenizer = try Tokenizer(kind: .bpe, model: try Self.model(name))
    let cases = try Self.cases(name)
    #expect(cases.count > 400)
    for example in cases {
      #expect(tokenizer.tokens(of: example.text) == example.tokens, "\(example.text.debugDescription)")
      #expect(tokenizer.bytes(of: example.tokens) == Array(example.text.utf8))
    }
  }

  @Test(arguments: names)
  func `where text may be cut its parts make the tokens of the whole`(name: String) throws {
    let tokenizer = try Tokenizer(kind: .bpe, model: try Self.model(name))
    let text = Array(try Self.cases(name).map(\.text).joined(separator: "x y\nz").utf8)
    var cuts = 0
    // Words are short, so that a window has all that a pattern looks at.
    for start in stride(from: 0, to: text.count - 400, by: 100) {
      let part = Array(text[start..<start + 400])
      let whole = tokenizer.tokens(of: part)
      for index in 1..<part.count
      where part.withUnsafeBytes({ PatternScanner.mayCut($0, at: index) }) {
        cuts += 1
        #expect(tokenizer.tokens(of: Array(part[..<index])) + tokenizer.tokens(of: Array(part[index...])) == whole)
      }
    }
    #expect(cuts > 500)
  }

  @Test(arguments: names)
  func `blocks of a long text make the tokens of the whole`(name: String) throws {
    let tokenizer = try Tokenizer(kind: .bpe, model: try Self.model(name))
    let text = Array(String(repeating: try Self.cases(name).map(\.text).joined(separator: " or\n"), count: 30).utf8)
    let blocks = tokenizer.blocks(of: text, size: 5000)
    #expect(blocks.count > 20)
    #expect(blocks.flatMap { tokenizer.tokens(of: Array(text[$0])) } == tokenizer.tokens(of: text))
  }

  @Test(arguments: names)
  func `any bytes come back`(name: String) throws {
    let tokenizer = try Tokenizer(kind: .bpe, model: try Self.model(name))
    var numbers = Dice(11)
    for count in [0, 1, 2, 3, 50, 1000, 100_000] {
      let bytes = SampleText.bytes(count, using: &numbers)
      #expect(tokenizer.bytes(of: tokenizer.tokens(of: bytes)) == bytes)
    }
    // A word that no space ends.
    let long = [UInt8](repeating: UInt8(ascii: "a"), count: 2_000_000)
    #expect(tokenizer.bytes(of: tokenizer.tokens(of: long)) == long)
  }

  @Test func `special tokens are no text and are seen by their names`() throws {
    let tokenizer = try Tokenizer(kind: .bpe, model: try Self.model("gpt2"))
    #expect(tokenizer.visible(0) == "⟨|endoftext|⟩")
    #expect(tokenizer.bytes(of: [0]).isEmpty)
    #expect(!tokenizer.tokens(of: "<|endoftext|>").contains(0))
    #expect(tokenizer.vocabulary == 420 && tokenizer.summary == "bpe 420")
  }

  /// What makes a good file one that foretop does not have, and a word of the reason.
  private static let changes: [(old: String, new: String, reason: String)] = [
    ("\"type\":\"BPE\"", "\"type\":\"WordPiece\"", "WordPiece"),
    ("\"dropout\":null", "\"dropout\":0.1", "random"),
    ("\"end_of_word_suffix\":null", "\"end_of_word_suffix\":\"</w>\"", "end_of_word_suffix"),
    ("\"normalizer\":null", "\"normalizer\":{\"type\":\"Lowercase\"}", "Lowercase"),
    (
      "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false",
      "\"pre_tokenizer\":{\"type\":\"Whitespace\"", "byte-level"
    ),
    ("\"add_prefix_space\":false", "\"add_prefix_space\":true", "space before"),
    ("\"use_regex\":true}", "\"use_regex\":false}", "splits text"),
    ("\"!\":1,", "", "id"),
    ("\"!\":1,", "\"!\":2,", "used twice"),
    ("\"!\":1,", "\"日本\":1,", "byte alphabet"),
    ("\"!\":1,", "\"!!!!\":1,", "byte 33"),
    ("\"added_tokens\":[", "\"added_tokens\":[{\"id\":420,\"content\":\"   \"},", "white space"),
    ("\"id\":0,", "\"id\":3,", "id of another token"),
    ("\"merges\":[", "\"merges\":[\"Ġ zzzz\",", "merge 0"),
    ("\"merges\":[", "\"merges\":[\"a b c\",", "merge 0"),
    ("\"merges\":[", "\"merges\":[[[[", "damaged"),
    ("\"vocab\":{", "\"vocab\":{\"x\":-1,", "used twice"),
    ("\"vocab\":{", "\"vocab\":{\"x\":999999999999,", "used twice"),
    ("\"vocab\":{", "\"vocab\":{\"x\":1e99,", "used twice"),
  ]

  @Test(arguments: changes.indices)
  func `what foretop does not have is refused with the reason`(place: Int) throws {
    let change = Self.changes[place]
    let good = String(decoding: try Self.model("gpt2"), as: UTF8.self)
    let bad = good.replacing(change.old, with: change.new, maxReplacements: 1)
    #expect(bad != good)
    let error = #expect(throws: CorpusError.self) { try Tokenizer(kind: .bpe, model: Array(bad.utf8)) }
    #expect(error?.kind == .badTokenizer)
    #expect(error?.description.contains(change.reason) == true, "\(error?.description ?? "")")
  }

  @Test func `damage is refused or does no harm`() throws {
    let good = try Self.model("llama3")
    #expect(throws: CorpusError.self) { try Tokenizer(kind: .bpe, model: []) }
    #expect(throws: CorpusError.self) {
      try Tokenizer(kind: .bpe, model: Array(repeating: UInt8(ascii: "["), count: 100_000))
    }
    var numbers = Dice(11)
    for _ in 0..<300 {
      var bad = good
      for _ in 0..<Int.random(in: 1...3, using: &numbers) {
        bad[Int.random(in: 0..<bad.count, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
      }
      if Bool.random(using: &numbers) { bad.removeLast(Int.random(in: 0..<bad.count, using: &numbers)) }
      guard let tokenizer = try? Tokenizer(kind: .bpe, model: bad) else { continue }
      let text = Array("In the beginning — 日本語 123\n".utf8)
      #expect(tokenizer.bytes(of: tokenizer.tokens(of: text)) == text)
    }
  }
}
