// Files to parts: what is taken, what is refused, and what the cache may and may not be trusted with.
import Foundation
import Run
import Testing

@testable import Corpus

struct CorpusTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func source(
    _ paths: [String], _ kind: TokenizerKind = .bytes, vocabulary: Int = 300, model: String = "",
    heldOut: Double = 0.1,
    context: Int = 16
  ) -> Corpus.Source {
    Corpus.Source(
      paths: paths, kind: kind, vocabulary: vocabulary, model: model, heldOut: heldOut, context: context,
      cache: folder.cache)
  }

  private func all(_ corpus: Corpus) throws -> [Int32] {
    try corpus.training.tokens(0..<corpus.training.count) + corpus.heldOut.tokens(0..<corpus.heldOut.count)
  }

  /// Opens what must be refused, and gives the refusal.
  private func refusal(_ source: Corpus.Source, tokenizer: Tokenizer? = nil) throws -> CorpusError {
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

  // MARK: The cache

  @Test func `what was made is not made again`() throws {
    let path = try folder.write("verses.txt", SampleText.verses(200))
    var reports: [String] = []
    let first = try Corpus(opening: source([path], .sentencepiece)) { reports.append($0) }
    #expect(reports.count == 2)
    #expect(reports[0].hasPrefix("training a tokenizer of 300 pieces on "))
    let second = try Corpus(opening: source([path], .sentencepiece)) { reports.append($0) }
    #expect(reports.count == 2)
    #expect(try all(first) == all(second))
    #expect(first.tokenizer.model == second.tokenizer.model)
    #expect(folder.cached.count == 2)
    #expect(folder.cached.allSatisfy { $0.hasSuffix(".model") || $0.hasSuffix(".tokens") })
  }

  @Test func `a changed file never gets the old tokens`() throws {
    let path = try folder.write("a.txt", String(repeating: "abcd", count: 20))
    let date = Date(timeIntervalSince1970: 1_000_000)
    try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
    #expect(try all(Corpus(opening: source([path])))[0] == 97)
    // The same path, size and date.
    try folder.write("a.txt", String(repeating: "bbcd", count: 20))
    try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
    #expect(try all(Corpus(opening: source([path])))[0] == 98)
  }

  @Test func `two files do not share the tokens of one`() throws {
    let (a, b) = (try folder.write("a.txt", String(repeating: "a\n", count: 20)), try folder.write("b.txt", "a\n"))
    let one = try Corpus(opening: source([a, b], heldOut: 0))
    let other = try Corpus(opening: source([b, a, b], heldOut: 0))
    #expect(one.training.count == 42)
    #expect(other.training.count == 44)
  }

  @Test func `a damaged cache file is made again`() throws {
    let path = try folder.write("verses.txt", SampleText.verses(100))
    let sound = try all(Corpus(opening: source([path], .sentencepiece)))
    for name in folder.cached {
      let file = folder.cache + "/" + name
      let whole = try [UInt8](Data(contentsOf: URL(fileURLWithPath: file)))
      var flipped = whole
      flipped[whole.count / 2] ^= 1
      var grown = whole
      grown[16] &+= 1
      for damaged in [flipped, grown, Array(whole.dropLast()), whole + [0], Array(whole.prefix(40)), []] {
        try Data(damaged).write(to: URL(fileURLWithPath: file))
        #expect(try all(Corpus(opening: source([path], .sentencepiece))) == sound)
        #expect(try [UInt8](Data(contentsOf: URL(fileURLWithPath: file))) == whole)
      }
    }
  }

  @Test func `a cache file under another's name is not trusted`() throws {
    let (a, b) = (
      try folder.write("a.txt", String(repeating: "a", count: 50)),
      try folder.write("b.txt", String(repeating: "b", count: 50))
    )
    _ = try Corpus(opening: source([a]))
    let nameOfA = folder.cached[0]
    _ = try Corpus(opening: source([b]))
    let nameOfB = try #require(folder.cached.first { $0 != nameOfA })
    try FileManager.default.removeItem(atPath: folder.cache + "/" + nameOfB)
    try FileManager.default.moveItem(atPath: folder.cache + "/" + nameOfA, toPath: folder.cache + "/" + nameOfB)
    #expect(try all(Corpus(opening: source([b]))).allSatisfy { $0 == 98 })
  }

  @Test(arguments: [TokenizerKind.bytes, .sentencepiece])
  func `where the cache cannot be written, another folder or memory takes its place, and that is said once`(
    kind: TokenizerKind
  ) throws {
    let path = try folder.write("verses.txt", SampleText.verses(60))
    let expected = try all(Corpus(opening: source([path], kind)))
    for (number, cache) in [path, path + "/cache", "/proc/foretop", "/proc/self/fd/none/cache"].enumerated() {
      var source = source([path], kind)
      source.documents = DocumentBounds(separator: "\n")
      source.cache = cache
      source.spareCache = "\(folder.path)/spare-\(number)"
      var reports: [String] = []
      let spared = try Corpus(opening: source) { reports.append($0) }
      #expect(try all(spared) == expected && spared.notices.count == 1 && spared.training.hasDocuments)
      for word in [cache, "spare-\(number)", "XDG_CACHE_HOME"] { #expect(spared.notices[0].contains(word)) }
      // What is kept there is found again, and then nothing is refused.
      let again = try Corpus(opening: source) { reports.append($0) }
      #expect(try all(again) == expected && again.notices.isEmpty && reports.count == (kind == .bytes ? 1 : 2))
      source.spareCache = nil
      let alone = try Corpus(opening: source)
      #expect(try all(alone) == expected && alone.notices.count == 1)
      #expect(alone.notices[0].contains("memory") && alone.unigramEntropy == spared.unigramEntropy)
      #expect(alone.training.documents == spared.training.documents)
    }
  }

  // MARK: Changes under a run

  @Test func `a cache file that is cut short or written to is an error in words, and never a token`() throws {
    let path = try folder.write("a.txt", String(repeating: "abcdefgh", count: 5000))
    let whole = try all(Corpus(opening: source([path])))
    let file = folder.cache + "/" + folder.cached[0]
    let bytes = try [UInt8](Data(contentsOf: URL(fileURLWithPath: file)))
    for change in ["short", "same", "removed"] {
      try Data(bytes).write(to: URL(fileURLWithPath: file))
      let corpus = try Corpus(opening: source([path]))
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: file))
      switch change {
      case "short": try handle.truncate(atOffset: 100)
      case "same": try handle.write(contentsOf: Data(repeating: 0xFF, count: 200))
      default: try FileManager.default.removeItem(atPath: file)
      }
      try handle.close()
      guard change != "removed" else {
        #expect(try all(corpus) == whole)
        continue
      }
      let error = try #require(throws: CorpusError.self) { try corpus.training.tokens(0..<50) }
      #expect(error.kind == .changed && error.description.contains(file), "\(change)")
      #expect(
        error.description.contains(change == "short" ? "truncated" : "written to")
          && error.description.contains("made again"))
    }
  }

  // MARK: What is no text

  @Test(
    arguments: [
      ("a.gz", [0x1F, 0x8B, 8, 0], "gunzip"), ("a.zst", [0x28, 0xB5, 0x2F, 0xFD], "unzstd"),
      ("a.bz2", Array("BZh91AY".utf8), "bunzip2"),
      ("a.xz", [0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], "unxz"), ("a.zip", [0x50, 0x4B, 3, 4], "unzip"),
      ("a.pdf", Array("%PDF-1.7\n".utf8), "pdftotext"), ("a.parquet", Array("PAR1".utf8), "Parquet"),
      ("bom-le.txt", [0xFF, 0xFE] + Array("h\0i\0 \0".utf8), "iconv -f UTF-16LE"),
      ("bom-be.txt", [0xFE, 0xFF] + Array("\0h\0i".utf8), "iconv -f UTF-16BE"),
      ("le.txt", Array("so it was\n".utf8.flatMap { [$0, 0] }), "iconv -f UTF-16LE"),
      ("be.txt", Array("so it was\n".utf8.flatMap { [0, $0] }), "iconv -f UTF-16BE"),
      ("mark32.txt", [0xFF, 0xFE, 0, 0, 65, 0, 0, 0], "iconv -f UTF-32LE"),
    ] as [(String, [UInt8], String)])
  func `what is no text by its first bytes is refused where it is named, and said where it is in a folder`(
    name: String, bytes: [UInt8], advice: String
  ) throws {
    let filled =
      bytes.count % 2 == 0 && advice.hasPrefix("iconv")
      ? (0..<20).flatMap { _ in bytes } : bytes + Array(repeating: 7, count: 100)
    let path = try folder.write("texts/\(name)", filled)
    let error = try refusal(source([path]))
    #expect(
      error.kind == .badText && error.description.contains(path) && error.description.contains(advice), "\(error)")
    try folder.write("texts/verses.txt", SampleText.verses(20))
    let corpus = try Corpus(opening: source([folder.path + "/texts"]))
    #expect(try corpus.tokenizer.text(of: all(corpus)) == SampleText.verses(20))
    #expect(corpus.notices.count == 1 && corpus.notices[0].contains(name) && corpus.notices[0].contains(advice))
  }

  @Test func `words that begin like a compressed file are text`() throws {
    let path = try folder.write("a.txt", "BZhang said that it was so, and so it was.\n")
    #expect(try Corpus(opening: source([path], context: 4)).notices.isEmpty)
  }

  @Test func `a byte order mark is no part of the text, with a line`() throws {
    let text = SampleText.verses(20)
    let path = try folder.write("marked.txt", [0xEF, 0xBB, 0xBF] + Array(text.utf8))
    for kind in [TokenizerKind.bytes, .characters] {
      let corpus = try Corpus(opening: source([path], kind))
      #expect(try corpus.tokenizer.text(of: all(corpus)) == text && corpus.bytes == text.utf8.count)
      #expect(corpus.notices.count == 1 && corpus.notices[0].contains("byte order mark"))
    }
    #expect(try refusal(source([try folder.write("mark.txt", [0xEF, 0xBB, 0xBF])])).kind == .empty)
  }

  // MARK: Names

  /// Makes a file by the bytes of its name.
  private func make(_ name: [UInt8], _ text: String) throws {
    let path = (folder.path + "/").utf8 + name + [0]
    let file = path.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer {
      open($0.baseAddress!, O_WRONLY | O_CREAT, 0o644)
    }
    try #require(file >= 0)
    _ = text.withCString { write(file, $0, strlen($0)) }
    close(file)
  }

  @Test func `names need not be UTF-8, of files or of folders`() throws {
    try FileManager.default.createDirectory(atPath: folder.path + "/texts", withIntermediateDirectories: true)
    let odd: [UInt8] = Array("texts/caf".utf8) + [0xE9]
    let inside = (folder.path + "/").utf8 + odd + [0]
    #expect(inside.map { CChar(bitPattern: $0) }.withUnsafeBufferPointer { mkdir($0.baseAddress!, 0o755) } == 0)
    try make(odd + Array("/\u{FF}.txt".utf8) + [0xFF], "one of two texts\n")
    try make(Array("texts/z".utf8) + [0x80] + Array(".txt".utf8), "the other of the two\n")
    let corpus = try Corpus(opening: source([folder.path + "/texts"]))
    #expect(try corpus.tokenizer.text(of: all(corpus)) == "one of two texts\nthe other of the two\n")
    #expect(corpus.notices.isEmpty && corpus.files == 2)
    let named = folder.path + "/texts/z\u{10FE80}.txt"
    let one = try Corpus(opening: source([named], context: 4))
    #expect(try one.tokenizer.text(of: all(one)) == "the other of the two\n" && one.summary.contains("\\x80.txt"))
    #expect(try refusal(source([named + "x"])).description.contains("z\\x80.txtx"))
  }

  @Test func `what is left out of a folder is said`() throws {
    try folder.write("texts/verses.txt", SampleText.verses(20))
    for number in 0..<5 { try folder.write("texts/\(number).bin", [1, 0, 2]) }
    try folder.write("texts/nothing.txt", "")
    try FileManager.default.createSymbolicLink(atPath: folder.path + "/texts/broken.txt", withDestinationPath: "/none")
    // Deeper than one path can name, for Foundation's removal too.
    defer {
      let removal = Process()
      removal.executableURL = URL(filePath: "/bin/rm")
      removal.arguments = ["-rf", folder.path + "/texts"]
      try? removal.run()
      removal.waitUntilExit()
    }
    let name = String(repeating: "d", count: 200)
    var here = open(folder.path + "/texts", O_RDONLY | O_DIRECTORY)
    for _ in 0..<25 {
      try #require(mkdirat(here, name, 0o755) == 0)
      let next = openat(here, name, O_RDONLY | O_DIRECTORY)
      close(here)
      here = next
    }
    close(here)
    let corpus = try Corpus(opening: source([folder.path + "/texts"]))
    let lines = corpus.notices.map { $0.replacing(folder.path, with: "") }
    #expect(
      lines.contains { $0.hasPrefix("/texts/0.bin, /texts/1.bin, /texts/2.bin and 2 more were left out: binary") })
    #expect(lines.contains("/texts/nothing.txt was left out: empty"))
    #expect(lines.contains("/texts/broken.txt was left out: No such file or directory"))
    #expect(lines.contains { $0.contains("/texts/\(name)") && $0.hasSuffix("was left out: File name too long") })
    #expect(lines.count == 4)
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
