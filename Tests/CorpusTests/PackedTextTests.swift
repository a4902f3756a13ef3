// Large, compressed and JSON-lines texts: the tokens are those of the plain text as a whole, in whatever parts it is read, and
// a process that was killed loses nothing.
import CCompression
import Foundation
import Run
import Testing

@testable import Corpus

struct PackedTextTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func gzip(_ name: String, _ parts: [String]) throws -> String {
    let path = try folder.write(name, [UInt8]())
    for part in parts {
      let file = gzopen(path, "ab")
      let bytes = Array(part.utf8)
      #expect(gzwrite(file, bytes, UInt32(bytes.count)) == Int32(bytes.count))
      #expect(gzclose(file) == Z_OK)
    }
    return path
  }

  private func zstd(_ name: String, _ parts: [String]) throws -> String {
    var packed: [UInt8] = []
    for part in parts {
      let bytes = Array(part.utf8)
      var room = [UInt8](repeating: 0, count: ZSTD_compressBound(bytes.count))
      let count = ZSTD_compress(&room, room.count, bytes, bytes.count, 3)
      try #require(ZSTD_isError(count) == 0)
      packed += room[..<count]
    }
    return try folder.write(name, packed)
  }

  private func source(_ paths: [String], _ documents: DocumentBounds? = nil) -> Corpus.Source {
    Corpus.Source(paths: paths, kind: .bytes, heldOut: 0, context: 2, documents: documents, cache: folder.cache)
  }

  private func text(_ paths: [String]) throws -> String {
    let corpus = try Corpus(opening: source(paths))
    return try corpus.tokenizer.text(of: corpus.training.tokens(0..<corpus.training.count))
  }

  private func refusal(_ path: String) throws -> String {
    try #require(throws: CorpusError.self) { try Corpus(opening: source([path])) }.description
  }

  // MARK: Compressed

  @Test func `a compressed text is its text, also in several members`() throws {
    // More than there is room for at a time.
    let long = String(repeating: SampleText.verses(50), count: 400)
    let (first, second) = ("\u{FEFF}" + long, SampleText.verses(7))
    #expect(first.utf8.count > 1 << 20)
    let expected = long + second
    #expect(try text([try gzip("a.txt.gz", [first, second])]) == expected)
    #expect(try text([try zstd("a.txt.zst", [first, second])]) == expected)
    // The content counts, not the name, and a folder has it among its texts.
    #expect(try text([try gzip("texts/named.txt", [first, second])]) == expected)
    try folder.write("texts/o.txt", "plain")
    #expect(try text([folder.path + "/texts"]) == expected + (expected.hasSuffix("\n") ? "" : "\n") + "plain")
  }

  @Test(arguments: ["gz", "zst"])
  func `a compressed text that is cut short or damaged is refused with the way out`(ending: String) throws {
    let make = ending == "gz" ? gzip : zstd
    let path = try make("a.txt.\(ending)", [SampleText.verses(100)])
    let whole = Array(try Data(contentsOf: URL(filePath: path)))
    try folder.write("a.txt.\(ending)", Array(whole.dropLast(whole.count / 2)))
    #expect(try refusal(path).contains("ends in the middle"))
    var bad = whole
    for index in 12..<40 { bad[index] ^= 0x5A }
    try folder.write("a.txt.\(ending)", bad)
    let said = try refusal(path)
    let tool = ending == "gz" ? "gunzip" : "unzstd"
    #expect(said.contains(path) && said.contains("damaged") && said.contains("\(tool) -t"))
  }

  @Test func `what is in a compressed file is looked at like a file`() throws {
    let inner = try gzip("inner.gz", ["verses"])
    let twice = String(decoding: try Data(contentsOf: URL(filePath: inner)).filter { $0 < 0x80 }, as: UTF8.self)
    let parquet = try zstd("a.zst", ["PAR1" + twice + SampleText.verses(3)])
    #expect(try refusal(parquet).contains("Parquet"))
  }

  // MARK: JSON lines

  @Test func `of JSON lines the texts are learned from, each a document`() throws {
    let lines = #"""
      {"id": 1, "text": "one\ntwo"}

      {"text": "", "id": 2}
      {"text": "d\u00e9j\u00e0 \ud83d\ude00\n"}
      {"meta": {"text": "not this"}, "text": "last"}
      """#
    for path in [try folder.write("a.jsonl", lines), try gzip("b.jsonl.gz", [lines]), try zstd("c.jsonl.zst", [lines])]
    {
      #expect(try text([path]) == "one\ntwo\ndéjà 😀\nlast\n")
      let corpus = try Corpus(opening: source([path], DocumentBounds(separator: "")))
      #expect(corpus.training.documents == 3)
      var numbers = [Int32](repeating: 0, count: corpus.training.count)
      corpus.training.copyDocuments(0..<numbers.count, to: &numbers)
      #expect(numbers.firstIndex(of: 1) == 8 && numbers.last == 2)
    }
  }

  @Test func `equal bytes with other documents are another text to the cache`() throws {
    let texts = [
      ("a.jsonl", #"{"text": "one"}"# + "\n" + #"{"text": "two"}"#, 2), ("a.txt", "one\ntwo\n", 1),
      ("c.jsonl", #"{"text": "one\ntwo"}"#, 1),
    ]
    let paths = try texts.map { try folder.write($0.0, $0.1) }
    // Twice: made, and found.
    for _ in 0..<2 {
      for (path, text) in zip(paths, texts) {
        let corpus = try Corpus(opening: source([path], DocumentBounds(separator: "")))
        #expect(corpus.training.documents == text.2, "\(text.0)")
        #expect(try corpus.tokenizer.text(of: corpus.training.tokens(0..<corpus.training.count)) == "one\ntwo\n")
      }
    }
    #expect(folder.cached.count { $0.hasSuffix(".tokens") } == 3)
    // That of a plain text is its SHA-256, as it was before there were JSON lines.
    #expect(try TextFiles(at: [paths[1]]).files[0].digest == Digest.of(Array("one\ntwo\n".utf8)))
  }

  @Test(arguments: [
    (#"{"text": "a"}"# + "\n{\"content\": \"b\"}\n", "line 2"), (#"{"text": 5}"#, "line 1"), ("[1]", "line 1"),
    (#"{"text": "a"}"# + "\n\n{oops}", "line 3"), (#"{"text": "a", "text": "b"}"#, "line 1 has the key “text” twice"),
  ])
  func `a line without a text is refused by its number`(lines: String, place: String) throws {
    let path = try folder.write("bad.jsonl", lines)
    let said = try refusal(path)
    #expect(said.contains(path) && said.contains(place), "\(said)")
    // In a folder it is left out.
    try folder.write("texts/a.jsonl", lines)
    try folder.write("texts/b.txt", "plain")
    let corpus = try Corpus(opening: source([folder.path + "/texts"]))
    #expect(corpus.files == 1 && corpus.notices.contains { $0.contains("a.jsonl") && $0.contains("left out") })
  }

  @Test func `it is told how much is read, of all files together`() throws {
    let long = String(repeating: SampleText.verses(50), count: 400)
    var paths = try (1...3).map { try folder.write("\($0).txt", long) }
    paths.append(try gzip("packed.txt.gz", [long]))
    try folder.write("texts/a.txt", "plain")
    let picture: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    try folder.write("texts/b.png", picture + [UInt8](repeating: 1, count: 5000))
    let files = paths + [folder.path + "/texts/a.txt", folder.path + "/texts/b.png"]
    paths.append(folder.path + "/texts")
    var told: [[Int]] = []
    let texts = try TextFiles(at: paths) { told.append([$0, $1]) }
    #expect(texts.files.map(\.path) == Array(files.dropLast()))
    // Bytes on the disk, also of what is packed or left out.
    var total = 0
    for file in files { total += try Data(contentsOf: URL(filePath: file)).count }
    #expect(told.last == [total, total])
    let done = told.map { $0[0] }
    #expect(done == done.sorted() && told.allSatisfy { $0[1] == total && (0...total).contains($0[0]) })
    var kinds: [SetupWork] = []
    let source = Corpus.Source(
      paths: paths, kind: .sentencepiece, vocabulary: 350, heldOut: 0, context: 2, cache: folder.cache)
    _ = try Corpus(opening: source) { _ in
    } progress: { work, done, total in
      if done == total, kinds.last != work { kinds.append(work) }
    }
    #expect(kinds.first == .texts && kinds.last == .tokens, "\(kinds)")
  }

  @Test func `of many damaged files, some are named and the others counted`() throws {
    for number in 100..<160 { try folder.write("texts/\(number).jsonl", "{oops}") }
    try folder.write("texts/plain.txt", "plain")
    let texts = try TextFiles(at: [folder.path + "/texts"])
    #expect(texts.files.count == 1 && texts.notices.count == 51)
    #expect(texts.notices.first?.contains("100.jsonl") == true)
    #expect(texts.notices.last == "10 more files were left out, with a reason each")
  }

  // MARK: Parts

  private func tokenizers() throws -> [Tokenizer] {
    let path = try folder.write("sample.txt", SampleText.verses(200))
    return try [TokenizerKind.bytes, .characters, .sentencepiece].map { kind in
      try Corpus(
        opening: Corpus.Source(paths: [path], kind: kind, vocabulary: 350, heldOut: 0, context: 2, cache: folder.cache)
      ).tokenizer
    }
  }

  @Test(arguments: [nil, "", "\n\n", "he"] as [String?])
  func `parts of any size have the tokens and the documents of whole files`(separator: String?) throws {
    let documents = separator.map(DocumentBounds.init(separator:))
    var contents = [
      SampleText.verses(40), SampleText.verses(1), "no end", String(repeating: "wordless", count: 90) + "\n",
    ]
    contents.append(contents[0].replacingOccurrences(of: "\n", with: "\n\n\n") + "déjà vu")
    let paths = try contents.enumerated().map { try folder.write("parts/\($0.offset).txt", $0.element) }
    let texts = try TextFiles(at: paths)
    for tokenizer in try tokenizers() {
      var whole = (tokens: [Int32](), starts: [Int]())
      for (index, content) in contents.enumerated() {
        let isLast = index + 1 == contents.count
        let bytes = Array((content + (content.hasSuffix("\n") || isLast ? "" : "\n")).utf8)
        let (tokens, starts) = documents?.tokens(of: bytes, by: tokenizer) ?? (tokenizer.tokens(of: bytes), [])
        whole.starts += starts.map { whole.tokens.count + $0 }
        whole.tokens += tokens
      }
      for size in [40, 100, 700, 1 << 24] {
        var parts: [TokenizedPart] = []
        var done: [Int] = []
        try texts.forEach(by: tokenizer, in: documents, size: size, done: { done.append($0) }) { parts.append($0) }
        #expect(parts.flatMap(\.tokens) == whole.tokens, "\(tokenizer.kind) \(size)")
        var (starts, count) = ([Int](), 0)
        for part in parts {
          starts += part.starts.map { count + $0 }
          count += part.tokens.count
        }
        #expect(starts == whole.starts, "\(tokenizer.kind) \(size)")
        #expect(done == done.sorted() && done.last! >= texts.size)
        // From every part's end on, the rest comes again.
        for (index, part) in parts.enumerated().dropLast() {
          var rest: [Int32] = []
          try texts.forEach(by: tokenizer, in: documents, from: part.next, size: size) { rest += $0.tokens }
          #expect(rest == parts[(index + 1)...].flatMap(\.tokens), "\(tokenizer.kind) \(size) \(part.next)")
        }
      }
    }
  }

  @Test func `a text that is not what it was is refused at the end of its parts`() throws {
    let path = try folder.write("a.txt", SampleText.verses(50))
    let texts = try TextFiles(at: [path])
    try folder.write("a.txt", SampleText.verses(49) + "x")
    let error = try #require(throws: CorpusError.self) {
      try texts.forEach(by: Tokenizer(kind: .bytes, model: []), in: nil, size: 64) { _ in }
    }
    #expect(error.description.contains("changed"))
  }

  @Test(arguments: ["", "\n\n"])
  func `the rest of a text begins at every place where a part may have ended`(separator: String) throws {
    let documents = DocumentBounds(separator: separator)
    let verses = (1...30).map { SampleText.verses(1, seed: $0) + (separator.isEmpty ? "" : "\n") }
    let plain = verses.joined()
    var lines = ""
    for verse in verses { lines += #"{"text": "\#(verse.replacing("\n", with: ""))"}"# + "\n" }
    let path = try separator.isEmpty ? gzip("a.jsonl.gz", [lines]) : gzip("a.txt.gz", [plain])
    let texts = try TextFiles(at: [path])
    #expect(texts.size == plain.utf8.count)
    for tokenizer in try tokenizers() where tokenizer.kind != .sentencepiece {
      var offset = 0
      for (index, verse) in verses.enumerated() {
        var (tokens, starts) = ([Int32](), 0)
        // Cuts at other places than where the rest begins.
        try texts.forEach(
          by: tokenizer, in: documents, from: TokenizingPlace(file: 0, offset: offset), size: 300
        ) {
          tokens += $0.tokens
          starts += $0.starts.count
        }
        #expect(tokens == tokenizer.tokens(of: verses[index...].joined()), "\(tokenizer.kind) \(offset)")
        #expect(starts == verses.count - index, "\(tokenizer.kind) \(offset)")
        offset += verse.utf8.count
      }
    }
    // What is wrong behind the place is found on its line of the whole text.
    let bad = try folder.write("bad.txt", Array(plain.utf8) + [0xFF])
    let place = TokenizingPlace(file: 0, offset: verses[0].utf8.count)
    let error = try #require(throws: CorpusError.self) {
      try TextFiles(at: [bad]).forEach(by: try tokenizers()[1], in: nil, from: place, size: 100) { _ in }
    }
    let line = plain.split(separator: "\n", omittingEmptySubsequences: false).count
    #expect(error.description.contains("line \(line): byte \(plain.utf8.count) is"), "\(error)")
  }

  // MARK: Killed

  @Test func `tokens that were noted are not made again, and the file is that of one go`() throws {
    let path = try folder.write("cache/x.tokens", "")
    unlink(path)
    let key = [UInt8](repeating: 7, count: 32)
    let tokens = (0..<1000).map { UInt16($0) }
    func write(_ part: ArraySlice<UInt16>, _ append: CacheFile.Append) throws(CorpusError) {
      try Array(part).withUnsafeBufferPointer { part throws(CorpusError) in try append(UnsafeRawBufferPointer(part)) }
    }
    try CacheFile.write(path, key: key, width: 2) { append, _ throws(CorpusError) in try write(tokens[...], append) }
    let expected = try Data(contentsOf: URL(filePath: path))
    unlink(path)
    var kept: [String: Data] = [:]
    let endings = ["", ".documents", ".note"]
    try CacheFile.write(path, key: key, width: 2, draftOf: 9) { append, draft throws(CorpusError) in
      try write(tokens[..<600], append)
      draft?.note(TokenizingPlace(file: 3, offset: 70), tokens: 600, starts: [0, 5, 90], isDue: true)
      // Written, but not noted.
      try write(tokens[600..<800], append)
      for ending in endings { kept[ending] = try? Data(contentsOf: URL(filePath: path + ".draft" + ending)) }
      try write(tokens[800...], append)
    }
    #expect(try Data(contentsOf: URL(filePath: path)) == expected && kept.count == 3)
    #expect(folder.cached == ["x.tokens"])
    // As a process leaves it that is killed then.
    func restore() throws {
      unlink(path)
      for (ending, data) in kept { try data.write(to: URL(filePath: path + ".draft" + ending)) }
    }
    try restore()
    try CacheFile.write(path, key: key, width: 2, draftOf: 9) { append, draft throws(CorpusError) in
      #expect(draft?.place == TokenizingPlace(file: 3, offset: 70))
      #expect(draft?.tokens == 600 && draft?.starts == [0, 5, 90])
      // Nobody else writes meanwhile.
      #expect(TokenDraft(of: path, width: 2, files: 9) == nil)
      try write(tokens[600...], append)
    }
    #expect(try Data(contentsOf: URL(filePath: path)) == expected)
    // A damaged note, a shorter draft, or fewer files: all is made again.
    for damage in 0..<3 {
      try restore()
      let note = URL(filePath: path + ".draft.note")
      if damage == 0 { try Data(try Data(contentsOf: note).map { $0 ^ 1 }).write(to: note) }
      if damage == 1 { truncate(path + ".draft", 900) }
      try CacheFile.write(path, key: key, width: 2, draftOf: damage == 2 ? 2 : 9) { append, draft throws(CorpusError) in
        #expect(draft?.place == TokenizingPlace() && draft?.tokens == 0)
        try write(tokens[...], append)
      }
      #expect(try Data(contentsOf: URL(filePath: path)) == expected)
    }
  }
}
