// Files to parts: what is taken, what is refused, and what the cache may and may not be trusted with.
import Foundation
import Run
import Testing

@testable import Corpus

struct CorpusTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  func source(
    _ paths: [String], _ kind: TokenizerKind = .bytes, vocabulary: Int = 300, model: String = "",
    heldOut: Double = 0.1,
    context: Int = 16
  ) -> Corpus.Source {
    Corpus.Source(
      paths: paths, kind: kind, vocabulary: vocabulary, model: model, heldOut: heldOut, context: context,
      cache: folder.cache)
  }

  func all(_ corpus: Corpus) throws -> [Int32] {
    try corpus.training.tokens(0..<corpus.training.count) + corpus.heldOut.tokens(0..<corpus.heldOut.count)
  }

  /// Opens what must be refused, and gives the refusal.
  func refusal(_ source: Corpus.Source, tokenizer: Tokenizer? = nil) throws -> CorpusError {
    try #require(throws: CorpusError.self) { try Corpus(opening: source, tokenizer: tokenizer) }
  }

  @Test(arguments: [TokenizerKind.sentencepiece, .bytes, .characters])
  func `the two parts are the text`(kind: TokenizerKind) throws {
    let text = SampleText.verses(200)
    let path = try folder.write("verses.txt", text)
    let corpus = try Corpus(opening: source([path], kind, vocabulary: 350))
    #expect(try corpus.tokenizer.text(of: all(corpus)) == text)
    let count = corpus.training.count + corpus.heldOut.count
    #expect(corpus.heldOut.count == count / 10)
    #expect(corpus.bytes == text.utf8.count)
    #expect(corpus.files == 1)
    #expect(corpus.summary.hasPrefix("verses.txt · "))
    #expect(corpus.summary.hasSuffix(" tokens · \(corpus.tokenizer.summary)"))
  }

  @Test func `at least one window is held out`() throws {
    let path = try folder.write("a.txt", String(repeating: "a", count: 100))
    #expect(try Corpus(opening: source([path], heldOut: 0.001, context: 40)).heldOut.count == 40)
    #expect(try Corpus(opening: source([path], heldOut: 0, context: 100)).heldOut.count == 0)
  }

  @Test func `the entropy is that of the training part's tokens`() throws {
    let path = try folder.write("ab.txt", String(repeating: "ab", count: 90) + String(repeating: "c", count: 20))
    let corpus = try Corpus(opening: source([path], context: 20))
    #expect(corpus.training.count == 180)
    #expect(abs(corpus.unigramEntropy - log(2)) < 1e-12)
  }

  @Test func `a folder is all of its texts in order of their names`() throws {
    try folder.write("texts/b.txt", "two")
    try folder.write("texts/a/z.md", "one\n")
    try folder.write("texts/C.swift", "zero")
    try folder.write("texts/.hidden", "no")
    try folder.write("texts/.git/config", "no")
    try folder.write("texts/empty.txt", "")
    try folder.write("texts/image.png", [0x89, 0x50, 0, 0])
    try FileManager.default.createSymbolicLink(
      atPath: folder.path + "/texts/loop", withDestinationPath: folder.path + "/texts")
    let corpus = try Corpus(opening: source([folder.path + "/texts"], heldOut: 0, context: 2))
    #expect(try corpus.tokenizer.text(of: all(corpus)) == "zero\none\ntwo")
    #expect(corpus.files == 3)
    #expect(corpus.summary.hasPrefix("texts (3 files) · "))
  }

  @Test func `files follow each other in the order given`() throws {
    let (first, second) = (try folder.write("2.txt", "first"), try folder.write("1.txt", "second\n"))
    let corpus = try Corpus(opening: source([first, second], heldOut: 0, context: 2))
    #expect(try corpus.tokenizer.text(of: all(corpus)) == "first\nsecond\n")
    #expect(corpus.summary.hasPrefix("2.txt and 1 more · "))
  }

  @Test func `a binary file that is named is taken`() throws {
    let path = try folder.write("binary", (0..<200).map { UInt8($0) })
    let corpus = try Corpus(opening: source([path], context: 4))
    #expect(try all(corpus) == (0..<200).map { Int32($0) })
  }

  @Test func `text for an evaluation is read without the cache`() throws {
    let path = try folder.write("a.txt", "abc")
    let part = try Corpus.tokens(at: [path], by: try Tokenizer(kind: .bytes, model: []))
    #expect(try part.tokens(0..<part.count) == [97, 98, 99])
    #expect(folder.cached.isEmpty)
  }

  // MARK: Refusals

  @Test func `a path that leads nowhere is refused`() throws {
    let path = folder.path + "/nothing.txt"
    let error = try refusal(source([path]))
    #expect(error.kind == .missing)
    #expect(error.description.contains(path))
    #expect(try refusal(source([""])).kind == .missing)
    #expect(try refusal(source([try folder.write("file", "x") + "/inside"])).kind == .missing)
    #expect(try refusal(source([])).kind == .usage)
  }

  @Test func `a file that cannot be read is refused`() throws {
    // Reading a process's memory from address 0 fails even for root.
    for path in ["/proc/self/mem", "/dev/null"] {
      let error = try refusal(source([path]))
      #expect(error.kind == .unreadable)
      #expect(error.description.contains(path))
    }
  }

  @Test func `a file without a byte and a folder without text are refused`() throws {
    let file = try folder.write("empty.txt", "")
    #expect(try refusal(source([file])).kind == .empty)
    try folder.write("images/a.png", [0])
    let error = try refusal(source([folder.path + "/images"]))
    #expect(error.kind == .empty)
    #expect(error.description.contains("images"))
  }

  @Test func `a text that is too short is refused with both numbers`() throws {
    let path = try folder.write("short.txt", String(repeating: "x", count: 31))
    let error = try refusal(source([path]))
    #expect(error.kind == .tooShort)
    for word in ["short.txt", "31 tokens", "32", "model.context", "15"] { #expect(error.description.contains(word)) }
    #expect(try refusal(source([path], heldOut: 0, context: 32)).kind == .tooShort)
    #expect(try refusal(source([path], heldOut: 0.9, context: 8)).description.contains("data.heldOut"))
    #expect(try Corpus(opening: source([path], context: 15)).training.count == 16)
  }

  @Test func `a share that is none is refused`() throws {
    let path = try folder.write("a.txt", "some text")
    for share in [-0.1, 1, .nan] { #expect(try refusal(source([path], heldOut: share)).kind == .usage) }
    #expect(try refusal(source([path], context: 0)).kind == .usage)
  }

  @Test func `characters of what is not UTF-8 are refused with the place`() throws {
    let path = try folder.write("latin.txt", Array("one\ntwo caf".utf8) + [0xE9, 0x0A])
    let error = try refusal(source([path], .characters))
    #expect(error.kind == .badText)
    for word in [path, "line 2", "byte 11", "sentencepiece or bytes"] { #expect(error.description.contains(word)) }
  }

  @Test func `a vocabulary that the text does not fill is refused`() throws {
    let path = try folder.write("a.txt", "so short a text")
    let error = try refusal(source([path], .sentencepiece, vocabulary: 9000, context: 2))
    #expect(error.kind == .usage)
    #expect(error.description.contains("tokenizer.vocabulary is 9000"))
  }

  // MARK: Model files

  @Test func `a model file is used as it is`() throws {
    let path = try folder.write("verses.txt", SampleText.verses(30))
    let trained = try SampleText.trained.get()
    let model = try folder.write("tokenizer.model", trained.model)
    let corpus = try Corpus(opening: source([path], .sentencepiece, vocabulary: 9999, model: model))
    #expect(corpus.tokenizer.model == trained.model)
    #expect(try all(corpus) == trained.tokens(of: SampleText.verses(30)))
  }

  @Test func `a byte-level BPE is used as it is, and comes from a file alone`() throws {
    let path = try folder.write("verses.txt", SampleText.verses(30))
    let model = try folder.write("tokenizer.json", try BytePairTests.model("smollm"))
    let corpus = try Corpus(opening: source([path], .bpe, model: model))
    #expect(corpus.tokenizer.kind == .bpe)
    #expect(try corpus.tokenizer.bytes(of: all(corpus)) == Array(SampleText.verses(30).utf8))
    #expect(try refusal(source([path], .bpe)).kind == .usage)
    #expect(try refusal(source([path], .sentencepiece, model: model)).description.contains("tokenizer.kind to bpe"))
    let trained = try folder.write("tokenizer.model", try SampleText.trained.get().model)
    #expect(try refusal(source([path], .bpe, model: trained)).description.contains("tokenizer.kind to sentencepiece"))
  }

  @Test func `a model file that is none is refused with its path`() throws {
    let path = try folder.write("verses.txt", SampleText.verses(30))
    let model = try folder.write("tokenizer.json", "{}")
    let error = try refusal(source([path], .sentencepiece, model: model))
    #expect(error.kind == .badTokenizer)
    #expect(error.description.contains(model))
    #expect(try refusal(source([path], .sentencepiece, model: folder.path + "/none")).kind == .missing)
    #expect(try refusal(source([path], .sentencepiece, model: folder.path)).kind == .badTokenizer)
  }

  @Test func `a restored tokenizer is used in place of the one described`() throws {
    let path = try folder.write("verses.txt", SampleText.verses(50))
    let restored = try SampleText.trained.get()
    let corpus = try Corpus(opening: source([path], .characters), tokenizer: restored)
    #expect(try all(corpus) == restored.tokens(of: SampleText.verses(50)))
    #expect(corpus.tokenizer.kind == .sentencepiece)
  }

  @Test func `corpora that open side by side make the same tokens`() async throws {
    let path = try folder.write("verses.txt", SampleText.verses(300))
    let source = source([path], .sentencepiece)
    let results = try await withThrowingTaskGroup(of: [Int32].self) { group in
      for _ in 0..<4 {
        group.addTask {
          let corpus = try Corpus(opening: source)
          return try corpus.training.tokens(0..<corpus.training.count)
        }
      }
      return try await group.reduce(into: [[Int32]]()) { $0.append($1) }
    }
    #expect(Set(results).count == 1)
    #expect(folder.cached.count == 2)
  }

  @Test func `a vocabulary beyond 65536 takes wider tokens`() throws {
    let text = (0..<70_000).compactMap { Unicode.Scalar($0 + 0x1_0000) }.map { String(Character($0)) }.joined()
    let path = try folder.write("many.txt", text)
    let corpus = try Corpus(opening: source([path], .characters, context: 256))
    #expect(corpus.tokenizer.vocabulary == 70_001)
    #expect(try all(corpus) == (0..<70_000).map { Int32($0) })
  }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1.0 k"), (9949, "9.9 k"), (9950, "10 k"), (12_345, "12 k"), (999_499, "999 k"),
    (999_500, "1.0 M"), (4_137_850, "4.1 M"), (1_040_190, "1.0 M"), (12_000_000_000, "12 G"),
  ])
  func `quantities are short`(number: Int, text: String) {
    #expect(quantity(number) == text)
  }
}
