// Text goes in and the same text comes out.
import Foundation
import Support
import Testing

@testable import Corpus

struct TokenizerTests {
  private func characters(of text: String) throws -> Tokenizer {
    var census = CharacterCensus()
    Array(text.utf8).withUnsafeBytes { census.add($0) }
    return try Tokenizer(kind: .characters, model: census.model)
  }

  @Test(arguments: SampleText.hard)
  func `pieces give back any bytes`(text: [UInt8]) throws {
    let tokenizer = try SampleText.trained.get()
    #expect(tokenizer.bytes(of: tokenizer.tokens(of: text)) == text)
  }

  @Test(arguments: SampleText.hard)
  func `bytes give back any bytes`(text: [UInt8]) throws {
    let tokenizer = try Tokenizer(kind: .bytes, model: [])
    #expect(tokenizer.tokens(of: text) == text.map { Int32($0) })
    #expect(tokenizer.bytes(of: tokenizer.tokens(of: text)) == text)
    #expect(tokenizer.vocabulary == 256)
  }

  @Test func `pieces give back random bytes`() throws {
    let tokenizer = try SampleText.trained.get()
    var numbers = Dice(7)
    for _ in 0..<300 {
      let text = SampleText.bytes(Int.random(in: 0...400, using: &numbers), using: &numbers)
      #expect(tokenizer.bytes(of: tokenizer.tokens(of: text)) == text)
    }
  }

  @Test func `pieces are shorter than bytes and stay in the vocabulary`() throws {
    let tokenizer = try SampleText.trained.get()
    let text = SampleText.verses(50, seed: 2)
    let tokens = tokenizer.tokens(of: text)
    #expect(tokens.count * 2 < text.utf8.count)
    #expect(tokenizer.vocabulary == 400)
    #expect(tokens.allSatisfy { 0 <= $0 && $0 < 400 })
    #expect(tokenizer.text(of: tokens) == text)
  }

  @Test func `cutting text into words and blocks changes no token`() throws {
    let model = try SentencePieceModel(try SampleText.trained.get().model)
    #expect(model.cut == .words)
    let text = Array((SampleText.verses(4000, seed: 3) + "  a   b\n\n  c \n").utf8)
    text.withUnsafeBytes { bytes in
      var whole: [Int32] = []
      model.encode(bytes[...], isStart: true, into: &whole)
      #expect(bytes.count > 1 << 18)
      #expect(model.tokens(of: bytes, threads: 2) == whole)
    }
  }

  @Test func `a space before a word belongs to its token`() throws {
    let tokenizer = try SampleText.trained.get()
    let shown = tokenizer.tokens(of: "and the LORD\n").map { tokenizer.visible($0) }
    #expect(shown == ["and", " the", " LORD", "␊"])
  }

  @Test func `no special token is ever made of text`() throws {
    let tokenizer = try SampleText.trained.get()
    #expect(tokenizer.tokens(of: "<s></s><unk>").allSatisfy { $0 > 2 })
  }

  @Test func `what is not for a screen is shown by name`() throws {
    let pieces = try SampleText.trained.get()
    #expect((0..<3).map { pieces.visible($0) } == ["⟨unk⟩", "⟨s⟩", "⟨/s⟩"])
    #expect(pieces.tokens(of: [0xE2, 0x80]).map { pieces.visible($0) } == ["⟨E2⟩", "⟨80⟩"])
    #expect(pieces.visible(-1) == "⟨-1⟩")
    #expect(pieces.visible(400) == "⟨400⟩")

    let bytes = try Tokenizer(kind: .bytes, model: [])
    #expect(
      [0, 9, 10, 27, 32, 65, 127, 0xE2].map { bytes.visible($0) } == ["␀", "␉", "␊", "␛", " ", "A", "␡", "⟨E2⟩"])

    let text = "é漢😀\u{200F}\u{202E}\u{200B}\u{FEFF}\u{85}\u{301}\u{A0}\u{E000}\u{2028}\u{3164}"
    let characters = try characters(of: text)
    let shown = text.unicodeScalars.map { characters.visible(characters.tokens(of: String($0))[0]) }
    #expect(
      shown == [
        "é", "漢", "😀", "⟨U+200F⟩", "⟨U+202E⟩", "⟨U+200B⟩", "⟨U+FEFF⟩", "⟨U+0085⟩", "⟨U+0301⟩", "⟨U+00A0⟩", "⟨U+E000⟩",
        "⟨U+2028⟩", "⟨U+3164⟩",
      ])
  }

  @Test func `nothing visible moves the cursor`() {
    var numbers = Dice(3)
    for _ in 0..<500 {
      let visible = Visible.text(SampleText.bytes(40, using: &numbers))
      #expect(visible.unicodeScalars.allSatisfy { ![.control, .format].contains($0.properties.generalCategory) })
    }
  }

  @Test func `characters have ids in order of their code points`() throws {
    let tokenizer = try characters(of: "banana\n漢a")
    #expect(tokenizer.vocabulary == 6)
    #expect(tokenizer.tokens(of: "\nabn漢") == [0, 1, 2, 3, 4])
    #expect(tokenizer.text(of: [0, 1, 2, 3, 4]) == "\nabn漢")
  }

  @Test func `a character that the corpus does not have is unknown`() throws {
    let tokenizer = try characters(of: "abc")
    #expect(tokenizer.tokens(of: "axb😀") == [0, 3, 1, 3])
    #expect(tokenizer.tokens(of: [0x61, 0xFF]) == [0, 3])
    #expect(tokenizer.visible(3) == "⟨unk⟩")
    #expect(tokenizer.text(of: [0, 3]) == "a\u{FFFD}")
  }

  @Test func `characters that look alike are not joined`() throws {
    let text = "e\u{301}é\r\n🏳️‍🌈"
    let tokenizer = try characters(of: text)
    #expect(tokenizer.tokens(of: text).count == text.unicodeScalars.count)
    #expect(Array(tokenizer.bytes(of: tokenizer.tokens(of: text))) == Array(text.utf8))
  }

  @Test func `a restored tokenizer makes the same tokens`() throws {
    let text = SampleText.verses(30, seed: 5) + "\u{0} 漢 é"
    for tokenizer in [
      try SampleText.trained.get(), try characters(of: text), try Tokenizer(kind: .bytes, model: []),
    ] {
      let restored = try Tokenizer(kind: tokenizer.kind.rawValue, model: tokenizer.model)
      #expect(restored.vocabulary == tokenizer.vocabulary)
      #expect(restored.tokens(of: text) == tokenizer.tokens(of: text))
    }
  }

  /// The trained model with fields of its normalizer and trainer set otherwise: what comes last in the file holds.
  private func variant(_ fields: [UInt8]) throws -> Tokenizer {
    try Tokenizer(kind: .sentencepiece, model: try SampleText.trained.get().model + fields)
  }

  private let addsSpaceBefore: [UInt8] = [0x1A, 2, 0x18, 1]
  private let removesSpaces: [UInt8] = [0x1A, 2, 0x20, 1]
  private let isUnigram: [UInt8] = [0x12, 2, 0x18, 1]

  @Test(arguments: SampleText.hard)
  func `a model that puts a space before text gives back any bytes`(text: [UInt8]) throws {
    let tokenizer = try variant(addsSpaceBefore)
    #expect(tokenizer.bytes(of: tokenizer.tokens(of: text)) == text)
  }

  @Test func `a space is put before a text once`() throws {
    let (plain, spaced) = (try SampleText.trained.get(), try variant(addsSpaceBefore))
    let text = "and the LORD\nand all\n" + SampleText.verses(2000)
    #expect(spaced.tokens(of: text) == plain.tokens(of: " " + text))
    #expect(spaced.text(of: spaced.tokens(of: text)) == text)
    #expect(spaced.text(of: spaced.tokens(of: "the"), continuing: true) == " the")
  }

  @Test(arguments: [1, 50, 3000])
  func `a long text in stretches makes the tokens of the whole`(size: Int) throws {
    let text = Array(("the LORD\n\n  and\u{2581}é\n" + SampleText.verses(300) + "no end").utf8) + [0xFF, 0x0A, 0xE2]
    let tokenizers = [
      try SampleText.trained.get(), try variant(addsSpaceBefore), try variant(isUnigram), try variant(removesSpaces),
      try Tokenizer(kind: .bytes, model: []), try characters(of: "the LORD\n"),
    ]
    for tokenizer in tokenizers {
      let blocks = tokenizer.blocks(of: text, size: size)
      #expect(blocks.flatMap { text[$0] } == text)
      let parts = blocks.flatMap { block in
        text.withUnsafeBytes {
          tokenizer.tokens(of: UnsafeRawBufferPointer(rebasing: $0[block]), continuing: block.lowerBound > 0)
        }
      }
      #expect(parts == tokenizer.tokens(of: text))
    }
    #expect(tokenizers[0].blocks(of: text, size: size).count > 3)
    #expect(tokenizers[3].blocks(of: text, size: size).count == 1)
  }

  @Test func `text is cut only where the model allows it`() throws {
    func cut(_ fields: [UInt8]) throws -> SentencePieceModel.Cut {
      try SentencePieceModel(try SampleText.trained.get().model + fields).cut
    }
    #expect(try cut(addsSpaceBefore) == .words)
    #expect(try cut(isUnigram) == .lines)
    #expect(try cut(removesSpaces) == .nowhere)
    #expect(try variant(removesSpaces).tokens(of: "the  LORD") == SampleText.trained.get().tokens(of: "the LORD"))
  }

  @Test func `a model that is none is refused`() throws {
    let model = try SampleText.trained.get().model
    var numbers = Dice(1)
    let damaged: [[UInt8]] = [
      [], [0x0A], Array("{\"model\": {}}".utf8), Array(model.dropLast(model.count / 3)), Array(model.dropFirst()),
      SampleText.bytes(2000, using: &numbers),
    ]
    for bytes in damaged {
      #expect(throws: CorpusError.self) { try Tokenizer(kind: .sentencepiece, model: bytes) }
    }
    #expect(throws: CorpusError.self) { try Tokenizer(kind: .bytes, model: [1]) }
    #expect(throws: CorpusError.self) { try Tokenizer(kind: .characters, model: []) }
    #expect(throws: CorpusError.self) { try Tokenizer(kind: .characters, model: Array("ba".utf8)) }
    #expect(throws: CorpusError.self) { try Tokenizer(kind: .characters, model: [0x61, 0xFF]) }
    #expect { try Tokenizer(kind: "words", model: []) } throws: {
      "\($0)".contains("sentencepiece, bpe, bytes, characters")
    }
  }

  @Test func `damage anywhere in a model never ends the program`() throws {
    let model = try SampleText.trained.get().model
    var numbers = Dice(9)
    var taken = 0
    for _ in 0..<200 {
      var damaged = model
      for _ in 0..<3 {
        damaged[Int.random(in: 0..<model.count, using: &numbers)] = UInt8.random(in: 0...255, using: &numbers)
      }
      if let tokenizer = try? Tokenizer(kind: .sentencepiece, model: damaged) {
        _ = tokenizer.tokens(of: "in the beginning 漢\n")
        taken += 1
      }
    }
    #expect((1..<200).contains(taken), "\(taken) of 200 were taken: nothing was tried")
  }
}
