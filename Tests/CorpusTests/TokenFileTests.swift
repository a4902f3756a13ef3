// Files of tokens by nanoGPT and llm.c: read to the token, refused when they are damaged, held out by their names.
import Foundation
import Testing

@testable import Corpus

struct TokenFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func bytes<Word: FixedWidthInteger>(_ words: [Word]) -> [UInt8] {
    words.flatMap { word in withUnsafeBytes(of: word.littleEndian) { Array($0) } }
  }

  /// A file as llm.c writes it.
  private func llmc(_ magic: Int32, _ version: Int32, _ count: Int, _ tokens: [UInt8]) -> [UInt8] {
    bytes([magic, version, Int32(count)] + [Int32](repeating: 0, count: 253)) + tokens
  }

  private func source(_ paths: [String], heldOut: Double = 0.25, ids: Int = 0, _ documents: Documents? = nil)
    -> Corpus.Source
  {
    var source = Corpus.Source(
      paths: paths, kind: .tokens, heldOut: heldOut, context: 2, documents: documents, cache: folder.cache)
    source.ids = ids
    return source
  }

  private func all(_ part: Part) -> [Int32] { part.tokens(0..<part.count) }

  @Test func `all three formats are read to the token`() throws {
    let tokens: [UInt16] = [5, 0, 65_535, 17, 4, 4, 9, 1]
    let wide: [UInt32] = [5, 0, 128_255, 17, 4, 4, 9, 1]
    let plain = try folder.write("a/train.bin", bytes(tokens))
    let gpt2 = try folder.write("b/train.bin", llmc(20_240_520, 1, 8, bytes(tokens)))
    let llama = try folder.write("c/train.bin", llmc(20_240_801, 7, 8, bytes(wide)))
    for (path, expected) in [
      (plain, tokens.map(Int32.init)), (gpt2, tokens.map(Int32.init)), (llama, wide.map { Int32($0) }),
    ] {
      let corpus = try Corpus(opening: source([path]))
      #expect(all(corpus.training) + all(corpus.heldOut) == expected)
      #expect(corpus.heldOut.count == 2)
      #expect(corpus.tokenizer.vocabulary == Int(expected.max()!) + 1)
    }
    #expect(try Corpus(opening: source([plain], ids: 70_000)).tokenizer.vocabulary == 70_000)
  }

  @Test func `a folder's val files are held out, and its train files follow each other`() throws {
    try folder.write("data/fine_train_000002.bin", bytes([4, 5, 6] as [UInt16]))
    try folder.write("data/fine_train_000001.bin", bytes([1, 2, 3] as [UInt16]))
    try folder.write("data/fine_val_000000.bin", bytes([7, 8] as [UInt16]))
    try folder.write("data/interval.bin", bytes([9, 10] as [UInt16]))
    try folder.write("data/meta.pkl", [0x80, 4, 0x2E])
    let corpus = try Corpus(opening: source([folder.path + "/data"]))
    #expect(all(corpus.training) == [1, 2, 3, 4, 5, 6, 9, 10] && all(corpus.heldOut) == [7, 8])
    #expect(corpus.files == 4 && corpus.training.tokens(2..<7) == [3, 4, 5, 6, 9])
    #expect(try Corpus(opening: source([folder.path + "/data"], heldOut: 0)).heldOut.count == 0)
  }

  @Test func `documents begin with files and behind the token that ends them`() throws {
    let a = try folder.write("a.bin", bytes([1, 2, 0, 0, 3, 4] as [UInt16]))
    let b = try folder.write("b.bin", bytes([5, 0] as [UInt16]))
    let corpus = try Corpus(opening: source([a, b], heldOut: 0, Documents(separator: "0")))
    var numbers = [Int32](repeating: -1, count: 8)
    corpus.training.copyDocuments(0..<8, to: &numbers)
    #expect(numbers == [0, 0, 0, 0, 1, 1, 2, 2])
    #expect(throws: CorpusError.self) { try Corpus(opening: source([a], Documents(separator: "<|endoftext|>"))) }
    #expect(throws: CorpusError.self) { try Corpus(opening: source([a], Documents(separator: "5"))) }
  }

  @Test func `what is no file of tokens is refused with its path and the reason`() throws {
    let good = bytes([1, 2, 3, 4] as [UInt16])
    let cases: [(String, [UInt8], String)] = [
      ("odd.bin", good + [7], "odd number"), ("empty.bin", [], "empty"),
      ("meta.pkl", [0x80, 4, 0x95, 0x2E], "pickle"), ("meta.bin", [0x80, 4, 0x95, 0x2E], "pickle"),
      ("version.bin", llmc(20_240_520, 2, 4, good), "version 2"),
      ("short.bin", Array(llmc(20_240_520, 1, 4, good).dropLast(2)), "4 tokens"),
      ("long.bin", llmc(20_240_520, 1, 4, good + good), "4 tokens"),
      ("negative.bin", llmc(20_240_801, 7, -1, good), "-1 tokens"),
      ("header.bin", Array(llmc(20_240_801, 7, 1, []).prefix(100)), "cut short"),
      ("huge.bin", llmc(20_240_801, 7, 1, [0xFF, 0xFF, 0xFF, 0xFF]), "no file of tokens"),
    ]
    for (name, bytes, reason) in cases {
      let path = try folder.write(name, bytes)
      let error = try #require(throws: CorpusError.self, "\(name)") { try Corpus(opening: source([path], heldOut: 0)) }
      #expect(error.description.contains(path) && error.description.contains(reason), "\(error)")
    }
    let path = try folder.write("a.bin", bytes([1, 9, 3, 9] as [UInt16]))
    let error = try #require(throws: CorpusError.self) { try Corpus(opening: source([path], ids: 9)) }
    #expect(error.description.contains("token 9 at place 1") && error.description.contains("tokenizer.ids"))
    #expect(throws: CorpusError.self) { try Corpus(opening: source([folder.path + "/none.bin"])) }
    let val = try folder.write("val.bin", good)
    #expect(throws: CorpusError.self) { try Corpus(opening: source([val])) }
  }

  @Test func `a file that changes under a run never gives a token outside of the vocabulary`() throws {
    let path = try folder.write("a.bin", bytes([1, 2, 3, 4] as [UInt16]))
    let corpus = try Corpus(opening: source([path], heldOut: 0))
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.write(contentsOf: Data(bytes([1, 900] as [UInt16])))
    try handle.close()
    #expect(all(corpus.training) == [1, -1, 3, 4])
  }

  @Test func `numbers are written as numbers and read again`() throws {
    let tokenizer = try Tokenizer(kind: .tokens, model: Array("300".utf8))
    #expect(tokenizer.vocabulary == 300)
    #expect(tokenizer.text(of: [7, 299]) == "7 299 ")
    #expect(tokenizer.tokens(of: "7 299 ") == [7, 299])
    #expect(tokenizer.tokens(of: "7 king 300") == [7])
    #expect(try Tokenizer(kind: "tokens", model: tokenizer.model).vocabulary == 300)
    #expect(throws: CorpusError.self) { try Tokenizer(kind: .tokens, model: Array("0".utf8)) }
  }
}
