// Files that are no text, and names of any bytes.
import Foundation
import Run
import Testing
@testable import Corpus

extension CorpusTests {
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
}
