// The cache of tokens: used again, never trusted, and watched while a run reads it.
import Foundation
import Run
import Testing
@testable import Corpus

extension CorpusTests {
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
}
