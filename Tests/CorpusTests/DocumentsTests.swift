// Where documents begin: at files, behind separators, in parts and in the rows of batches.
import Foundation
import Run
import Testing

@testable import Corpus

struct DocumentsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func source(
    _ paths: [String], _ documents: DocumentBounds?, kind: TokenizerKind = .bytes, heldOut: Double = 0, context: Int = 2
  ) -> Corpus.Source {
    Corpus.Source(
      paths: paths, kind: kind, vocabulary: 350, heldOut: heldOut, context: context, documents: documents,
      cache: folder.cache)
  }

  private func numbers(_ part: TokenRange) -> [Int32] {
    [Int32](unsafeUninitializedCapacity: part.count) { buffer, count in
      part.copyDocuments(0..<part.count, to: buffer.baseAddress!)
      count = part.count
    }
  }

  @Test(arguments: [
    ("", "ab--cd", ["ab--cd"]), ("--", "ab--cd", ["ab--", "cd"]), ("--", "--ab--", ["--", "ab--"]),
    ("--", "a----b-c---", ["a----", "b-c--", "-"]), ("\n\n", "a\n\n\n\nb\n", ["a\n\n\n\n", "b\n"]), ("x", "", []),
    ("<|endoftext|>", "a<|endoftext", ["a<|endoftext"]),
  ])
  func `a separator ends the document before it, and no byte is lost`(
    separator: String, text: String, parts: [String]
  ) {
    let found = Array(text.utf8).withUnsafeBytes { bytes in
      DocumentBounds(separator: separator).ranges(of: bytes).map { String(decoding: bytes[$0], as: UTF8.self) }
    }
    #expect(found == parts)
  }

  @Test func `files and separators divide, and a second opening finds the same in the cache`() throws {
    let paths = [try folder.write("a.txt", "ab#cd"), try folder.write("b.txt", "e#")]
    for _ in 0..<2 {
      let corpus = try Corpus(opening: source(paths, DocumentBounds(separator: "#")))
      #expect(try corpus.tokenizer.text(of: corpus.training.tokens(0..<corpus.training.count)) == "ab#cd\ne#")
      #expect(numbers(corpus.training) == [0, 0, 0, 1, 1, 1, 2, 2])
      #expect(corpus.training.documents == 3)
      #expect(corpus.summary.contains(" · 3 documents · "))
    }
    let files = try Corpus(opening: source(paths, DocumentBounds(separator: "")))
    #expect(numbers(files.training) == [0, 0, 0, 0, 0, 0, 1, 1])
    let packed = try Corpus(opening: source(paths, nil))
    #expect(!packed.training.hasDocuments && !packed.summary.contains("documents"))
  }

  @Test func `a kept list of documents that cannot be right is made again`() throws {
    let path = try folder.write("a.txt", "ab#cd#ef")
    let documents = DocumentBounds(separator: "#")
    _ = try Corpus(opening: source([path], documents))
    let name = try #require(folder.cached.first { $0.hasSuffix(".documents") })
    try Data().write(to: URL(fileURLWithPath: folder.cache + "/" + name))
    #expect(try numbers(Corpus(opening: source([path], documents)).training) == [0, 0, 0, 1, 1, 1, 2, 2])
  }

  @Test func `documents of pieces are the text again, and begin where theirs begin`() throws {
    let text = SampleText.verses(60).replacing("\n", with: "\n\n")
    let path = try folder.write("a.txt", text)
    let corpus = try Corpus(opening: source([path], DocumentBounds(separator: "\n\n"), kind: .sentencepiece))
    let part = corpus.training
    #expect(try corpus.tokenizer.text(of: part.tokens(0..<part.count)) == text)
    #expect(part.documents == 60)
    let numbers = numbers(part)
    for document in [0, 7, 59] {
      let tokens = try (0..<part.count).filter { numbers[$0] == document }.map { try part.tokens($0..<$0 + 1)[0] }
      let verse = text.split(separator: "\n\n")[document] + "\n\n"
      #expect(corpus.tokenizer.text(of: tokens) == verse)
    }
  }

  @Test func `a batch carries the documents of its tokens`() throws {
    let part = TokenRange((0..<20).map { Int32($0) }, documents: [0, 3, 11]).part(2..<20)
    var batches = OrderedBatches(of: part, rows: 2, context: 8, lookahead: 3)
    func next() throws -> [Int32]? {
      try batches.next().map { batch in Array(UnsafeBufferPointer(start: batch.documents, count: 2 * batch.stride)) }
    }
    #expect(try next() == [0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2] + [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, -1])
    #expect(try next() == nil)
    #expect(part.part(0..<1).documents == 1 && part.documents == 3)
    var packed = OrderedBatches(of: TokenRange([1, 2, 3]), rows: 1, context: 2, lookahead: 1)
    let last = try packed.next()
    #expect(last?.documents == nil)
  }
}
