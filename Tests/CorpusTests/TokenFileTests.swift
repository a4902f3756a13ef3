// Files of tokens by nanoGPT and llm.c: read to the token, refused when they are damaged, held out by their names.
import Foundation
import Support
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

  private func source(_ paths: [String], heldOut: Double = 0.25, ids: Int = 0, _ documents: DocumentBounds? = nil)
    -> Corpus.Source
  {
    var source = Corpus.Source(
      paths: paths, kind: .tokens, heldOut: heldOut, context: 2, documents: documents, cache: folder.cache)
    source.ids = ids
    return source
  }

  private func all(_ part: TokenRange) throws -> [Int32] { try part.tokens(0..<part.count) }

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
      #expect(try all(corpus.training) + all(corpus.heldOut) == expected)
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
    #expect(try all(corpus.training) == [1, 2, 3, 4, 5, 6, 9, 10] && all(corpus.heldOut) == [7, 8])
    #expect(try corpus.files == 4 && corpus.training.tokens(2..<7) == [3, 4, 5, 6, 9])
    #expect(try Corpus(opening: source([folder.path + "/data"], heldOut: 0)).heldOut.count == 0)
  }

  @Test func `documents begin with files and behind the token that ends them`() throws {
    let a = try folder.write("a.bin", bytes([1, 2, 0, 0, 3, 4] as [UInt16]))
    let b = try folder.write("b.bin", bytes([5, 0] as [UInt16]))
    let corpus = try Corpus(opening: source([a, b], heldOut: 0, DocumentBounds(separator: "0")))
    var numbers = [Int32](repeating: -1, count: 8)
    corpus.training.copyDocuments(0..<8, to: &numbers)
    #expect(numbers == [0, 0, 0, 0, 1, 1, 2, 2])
    #expect(throws: CorpusError.self) { try Corpus(opening: source([a], DocumentBounds(separator: "<|endoftext|>"))) }
    #expect(throws: CorpusError.self) { try Corpus(opening: source([a], DocumentBounds(separator: "5"))) }
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
      ("header.bin", Array(llmc(20_240_801, 7, 1, []).prefix(100)), "truncated"),
      (
        "huge.bin", llmc(20_240_801, 7, 2, [1, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0xFF]),
        "token 4294967295 at place 1, larger than any vocabulary: this is not a token file"
      ),
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

  @Test(arguments: [2, 4, 8])
  func `a file that changes under a run is an error that names it, and no token of it is taken`(width: Int) throws {
    let tokens = (0..<200).map { $0 * 7 % 300 + 1 }
    func words(_ tokens: [Int]) -> [UInt8] {
      tokens.flatMap { token in withUnsafeBytes(of: token.littleEndian) { Array($0.prefix(width)) } }
    }
    for change in ["short", "longer", "other", "forged", "same"] {
      let path = try folder.write("\(change).bin", words(tokens))
      var source = source([path], heldOut: 0)
      source.width = width
      let corpus = try Corpus(opening: source)
      #expect(try corpus.training.tokens(60..<77) == tokens[60..<77].map { Int32($0) })
      var status = stat()
      stat(path, &status)
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      switch change {
      case "short": try handle.truncate(atOffset: UInt64(3 * width))
      case "longer": try handle.truncate(atOffset: UInt64(201 * width))
      case "same": break
      default: try handle.write(contentsOf: Data(repeating: 0xFF, count: 100 * width))
      }
      try handle.close()
      if change == "forged" {
        var times = [status.st_atim, status.st_mtim]
        utimensat(AT_FDCWD, path, &times, 0)
      }
      guard change != "same" else {
        #expect(try all(corpus.training) == tokens.map { Int32($0) })
        continue
      }
      let error = try #require(throws: CorpusError.self) { try corpus.training.tokens(90..<105) }
      let what = [
        "short": "it has \(3 * width) bytes, and had \(200 * width)", "longer": "grew", "other": "was written to",
        "forged": "at place 90",
      ]
      #expect(error.description.contains(path) && error.description.contains(what[change]!), "\(change): \(error)")
      #expect(error.kind == (change == "forged" ? .badText : .changed))
    }
  }

  @Test func `a file that is removed or has another in its place stays what it was`() throws {
    let path = try folder.write("a.bin", bytes([1, 2, 3, 4] as [UInt16]))
    let corpus = try Corpus(opening: source([path], heldOut: 0))
    try FileManager.default.moveItem(atPath: try folder.write("b.bin", bytes([9, 9] as [UInt16])), toPath: path + "2")
    #expect(rename(path + "2", path) == 0)
    #expect(try all(corpus.training) == [1, 2, 3, 4])
    try FileManager.default.removeItem(atPath: path)
    #expect(try all(corpus.training) == [1, 2, 3, 4])
  }

  @Test func `wider integers without a header are read where that is asked for, and else refused with the option`()
    throws
  {
    var dice = Dice(5)
    let tokens = (0..<300).map { _ in Int.random(in: 0..<130_000, using: &dice) }
    let few = (0..<300).map { _ in Int.random(in: 0..<60, using: &dice) }
    for (numbers, name) in [(tokens, "wide"), (few, "few")] {
      let four = try folder.write("\(name)-4.bin", bytes(numbers.map { UInt32($0) }))
      let eight = try folder.write("\(name)-8.bin", bytes(numbers.map { Int64($0) }))
      for (path, width) in [(four, 4), (eight, 8)] {
        let error = try #require(throws: CorpusError.self) { try Corpus(opening: source([path])) }
        #expect(
          error.description.contains(path) && error.description.contains("tokenizer.width to \(width)"), "\(error)")
        var asked = source([path], heldOut: 0)
        asked.width = width
        #expect(try all(Corpus(opening: asked).training) == numbers.map { Int32($0) })
        asked.width = 2
        #expect(try Corpus(opening: asked).training.count == 300 * width / 2)
      }
    }
    // What has 16 bits is taken as it is, whatever its vocabulary.
    for largest in [2, 65, 256, 50_257, 65_536] {
      let numbers = (0..<300).map { _ in UInt16(Int.random(in: 0..<largest, using: &dice)) }
      let path = try folder.write("narrow.bin", bytes(numbers))
      #expect(try all(Corpus(opening: source([path], heldOut: 0)).training) == numbers.map { Int32($0) })
    }
    var odd = source([try folder.write("odd.bin", bytes([1, 2, 3] as [UInt16]))])
    odd.width = 4
    #expect(try #require(throws: CorpusError.self) { try Corpus(opening: odd) }.description.contains("tokenizer.width"))
    var negative = source([try folder.write("negative.bin", bytes([1, 2, -1, 5] as [Int64]))])
    negative.width = 8
    #expect(try #require(throws: CorpusError.self) { try Corpus(opening: negative) }.description.contains("at place 2"))
  }

  @Test(
    arguments: [
      (20_240_326, "weights of a GPT-2"), (20_240_327, "state"), (20_240_328, "tokenizer"), (20_240_522, "questions"),
      (20_240_527, "optimizer"),
      (20_240_803, "Llama 3"),
    ] as [(Int32, String)])
  func `llm c's other files are refused by what they are`(magic: Int32, what: String) throws {
    let path = try folder.write("gpt2.bin", llmc(magic, 3, 64, bytes([1, 2, 3, 4] as [UInt16])))
    for width in [nil, 2, 4] {
      var source = source([path])
      source.width = width
      let error = try #require(throws: CorpusError.self) { try Corpus(opening: source) }
      #expect(error.description.contains(path) && error.description.contains(what), "\(error)")
    }
  }

  @Test func `a header of a kind that is not known is not taken for tokens`() throws {
    let path = try folder.write("new.bin", llmc(20_251_013, 1, 64, bytes([1, 2, 3, 4] as [UInt16])))
    let error = try #require(throws: CorpusError.self) { try Corpus(opening: source([path])) }
    #expect(error.description.contains(path) && error.description.contains("20251013"), "\(error)")
    // Tokens at the beginning that happen to be zero are no header.
    let zeros = try folder.write("zeros.bin", bytes([UInt16](repeating: 0, count: 600) + [1, 2]))
    #expect(try all(Corpus(opening: source([zeros], heldOut: 0)).training).count == 602)
  }

  @Test func `other files that are called bin are refused by what they are`() throws {
    let model = bytes([40] as [UInt64]) + Array(#"{"lm_head.weight":{"dtype":"F32"}}      "#.utf8)
    let reals = bytes((0..<100).map { (Float($0) - 50.5).bitPattern })
    let labels = (0..<100).map { Int64($0 % 7 == 0 ? -100 : 300 * $0) }
    for (beginning, what) in [
      ([0x1F, 0x8B, 8, 0], "gzip"), ([0x93] + Array("NUMPY\u{1}\0".utf8), "NumPy"),
      (Array(String(repeating: "In the beginning God created. ", count: 40).utf8), "text"), (model, "safetensors"),
      (reals, "fp32"), (bytes(labels), "integers of 8 bytes"), (bytes(labels.map(Int32.init)), "integers of 4 bytes"),
      (bytes([Int32(20_240_520).byteSwapped]), "llm.c"),
    ] as [([UInt8], String)] {
      let path = try folder.write("a.bin", beginning + Array(repeating: 1, count: what == "gzip" ? 100 : 0))
      let error = try #require(throws: CorpusError.self) { try Corpus(opening: source([path])) }
      #expect(error.description.contains(path) && error.description.contains(what), "\(error)")
    }
  }

  @Test func `folders are looked into, and one for validation is held out`() throws {
    try folder.write("data/train/b.bin", bytes([3, 4] as [UInt16]))
    try folder.write("data/train/a.bin", bytes([1, 2] as [UInt16]))
    try folder.write("data/val/x.bin", bytes([5, 6] as [UInt16]))
    try folder.write("data/validation/deeper/y.bin", bytes([7, 8] as [UInt16]))
    let corpus = try Corpus(opening: source([folder.path + "/data"]))
    #expect(try all(corpus.training) == [1, 2, 3, 4] && all(corpus.heldOut) == [5, 6, 7, 8])
    let apart = try Corpus(opening: source([folder.path + "/data/train", folder.path + "/data/val"]))
    #expect(try all(apart.training) == [1, 2, 3, 4] && all(apart.heldOut) == [5, 6])
    #expect(throws: CorpusError.self) { try Corpus(opening: source([folder.path + "/data/val"])) }
  }

  @Test func `a validation file shorter than a window is refused with both numbers`() throws {
    let train = try folder.write("train.bin", bytes([1, 2, 3, 4] as [UInt16]))
    let val = try folder.write("val.bin", bytes([5] as [UInt16]))
    let error = try #require(throws: CorpusError.self) { try Corpus(opening: source([train, val])) }
    #expect(error.kind == .tooShort)
    for word in [val, "1 tokens", "needs 2", "model.context"] { #expect(error.description.contains(word), "\(error)") }
    #expect(try Corpus(opening: source([train, val], heldOut: 0)).heldOut.count == 0)
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
