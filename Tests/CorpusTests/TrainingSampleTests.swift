// Training a tokenizer: the same text makes the same pieces, and what cannot be made is refused with a number.
import Support
import Testing

@testable import Corpus

struct TrainingSampleTests {
  private func sample(_ text: [UInt8]) -> TrainingSample {
    var sample = TrainingSample(total: text.count)
    text.withUnsafeBytes { sample.add($0) }
    return sample
  }

  private func sample(_ text: String) -> TrainingSample { sample(Array(text.utf8)) }

  @Test func `training twice makes the same model`() throws {
    let text = SampleText.verses(300, seed: 4)
    #expect(try sample(text).model(vocabulary: 350) == sample(text).model(vocabulary: 350))
  }

  @Test func `training says how many pieces there are, and prints nothing`() throws {
    var counts: [Int] = []
    let model = try sample(SampleText.verses(300, seed: 4)).model(vocabulary: 400) { counts.append($0) }
    #expect(try Tokenizer(kind: .sentencepiece, model: model).vocabulary == 400)
    #expect(counts.count >= 3 && counts == counts.sorted() && counts.allSatisfy { $0 > 0 && $0 <= 400 }, "\(counts)")
  }

  @Test(arguments: [0, 100, 259])
  func `a vocabulary that does not hold the bytes is refused`(vocabulary: Int) throws {
    let error = try #require(throws: CorpusError.self) {
      try sample(SampleText.verses(10)).model(vocabulary: vocabulary)
    }
    #expect(error.kind == .usage)
    #expect(error.description.contains("at least 260"))
  }

  @Test func `a vocabulary that the text does not fill is refused with the largest that it does`() throws {
    let text = "In the beginning God created the heaven and the earth.\n"
    let error = try #require(throws: CorpusError.self) { try sample(text).model(vocabulary: 4000) }
    #expect(error.kind == .usage)
    let numbers = error.description.split { !$0.isNumber }.compactMap { Int($0) }
    let largest = try #require(numbers.dropFirst().first)
    #expect(largest > 270 && largest < 400)
    let tokenizer = try Tokenizer(kind: .sentencepiece, model: try sample(text).model(vocabulary: largest))
    #expect(tokenizer.vocabulary == largest)
    #expect(throws: CorpusError.self) { try sample(text).model(vocabulary: largest + 1) }
  }

  @Test func `the smallest vocabulary works`() throws {
    let tokenizer = try Tokenizer(kind: .sentencepiece, model: try sample(SampleText.verses(10)).model(vocabulary: 260))
    #expect(tokenizer.vocabulary == 260)
    #expect(tokenizer.text(of: tokenizer.tokens(of: "the LORD\n")) == "the LORD\n")
  }

  @Test func `a text without characters has nothing to train on`() throws {
    let error = try #require(throws: CorpusError.self) { try sample([0xFF, 0xFE, 0x0A, 0x00]).model(vocabulary: 300) }
    #expect(error.description.contains("bytes"))
  }

  @Test func `more characters than room leave the rarest to bytes`() throws {
    let text = (0x4E00..<0x5200).map { String(Character(Unicode.Scalar($0)!)) }.joined() + SampleText.verses(20)
    let tokenizer = try Tokenizer(kind: .sentencepiece, model: try sample(text).model(vocabulary: 400))
    #expect(tokenizer.vocabulary == 400)
    #expect(tokenizer.text(of: tokenizer.tokens(of: text)) == text)
  }

  @Test func `text with characters that the trainer reserves is trained on`() throws {
    let text = Array(SampleText.hard.joined()) + Array(SampleText.verses(100).utf8)
    let tokenizer = try Tokenizer(kind: .sentencepiece, model: try sample(text).model(vocabulary: 380))
    #expect(tokenizer.bytes(of: tokenizer.tokens(of: text)) == text)
  }

  @Test func `a line without an end is trained on`() throws {
    let text = SampleText.verses(400).replacing("\n", with: " ")
    let tokenizer = try Tokenizer(kind: .sentencepiece, model: try sample(text).model(vocabulary: 400))
    #expect(tokenizer.tokens(of: " the").count == 1)
  }

  @Test func `of a large corpus blocks from all over are taken`() {
    let text = Array(SampleText.verses(20_000).utf8)
    var sample = TrainingSample(total: 4 * text.count, limit: text.count / 2)
    for _ in 0..<4 { text.withUnsafeBytes { sample.add($0) } }
    #expect(sample.text.count > text.count / 4)
    #expect(sample.text.count < text.count)
  }

  @Test func `a text of too many different words is trained on in part`() throws {
    var numbers = Dice(6)
    let lines = (0..<400).map { _ in
      String(
        String.UnicodeScalarView(
          (0..<200).map { _ in Unicode.Scalar(UInt32.random(in: 0x4E00..<0x4E80, using: &numbers))! }))
    }
    let text = Array(lines.joined(separator: "\n").utf8)
    func pieces(wordLimit: Int) throws -> [UInt8] {
      var sample = TrainingSample(total: text.count, wordLimit: wordLimit)
      text.withUnsafeBytes { sample.add($0) }
      return try sample.model(vocabulary: 500)
    }
    let (all, part) = (try pieces(wordLimit: text.count), try pieces(wordLimit: text.count / 10))
    #expect(all != part)
    #expect(try pieces(wordLimit: text.count / 10) == part)
    let tokenizer = try Tokenizer(kind: .sentencepiece, model: part)
    #expect(tokenizer.bytes(of: tokenizer.tokens(of: text)) == text)
  }
}
