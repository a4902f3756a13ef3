// What a start knows from earlier ones: texts that are as they were are not read again, and no change goes unnoticed.
import Foundation
import Run
import Support
import Testing
@testable import Corpus

@Suite struct KnownTextTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func cache() -> Cache { Cache(folder: folder.cache) }

  /// Looks at texts until all of them are known: their last change must be some time ago.
  private func known(_ paths: [String]) throws -> TextFiles {
    var texts = try cache().texts(at: paths)
    // What only a hang reaches: two seconds are enough.
    let limit = ContinuousClock.now + .seconds(600)
    while texts.files.contains(where: { $0.knownFrom == nil }) {
      try #require(ContinuousClock.now < limit, "waited in vain until texts are known")
      usleep(20_000)
      texts = try cache().texts(at: paths)
    }
    return texts
  }

  private func look(_ texts: TextFiles) -> [[UInt8]] {
    texts.files.map { $0.digest + Array("\($0.size) \($0.path)".utf8) }
  }

  @Test func `texts that are as they were are known, with all that is said of them`() throws {
    try folder.write("texts/a.txt", [0xEF, 0xBB, 0xBF] + Array("marked".utf8))
    try folder.write("texts/b.jsonl", #"{"text": "one"}"# + "\n" + #"{"text": "two"}"#)
    try folder.write("texts/c.bin", [0, 1, 2, 3])
    try folder.write("texts/d.txt", "plain")
    let paths = [folder.path + "/texts"]
    let fresh = try TextFiles(at: paths)
    let texts = try known(paths)
    #expect(look(texts) == look(fresh) && texts.notices == fresh.notices && texts.files.count == 3)
    // A file more, and one less.
    try folder.write("texts/e.txt", "new")
    try FileManager.default.removeItem(atPath: folder.path + "/texts/d.txt")
    let changed = try cache().texts(at: paths)
    #expect(look(changed) == look(try TextFiles(at: paths)))
    #expect(changed.files.map { $0.knownFrom != nil } == [true, true, false])
  }

  @Test(arguments: ["content", "size", "replaced", "name"])
  func `a change is never missed, whatever the times say`(change: String) throws {
    let path = try folder.write("a.txt", #"{"text": "a"}"#)
    var status = stat()
    _ = try known([path])
    stat(path, &status)
    var now = path
    switch change {
    case "content": try folder.write("a.txt", #"{"text": "b"}"#)
    case "size": try folder.write("a.txt", #"{"text": "ab"}"#)
    case "replaced":
      try folder.write("b.txt", #"{"text": "b"}"#)
      rename(folder.path + "/b.txt", path)
    default:
      // The same file is another text under this name.
      now = folder.path + "/a.jsonl"
      rename(path, now)
    }
    var times = [status.st_atim, status.st_mtim]
    utimensat(AT_FDCWD, now, &times, 0)
    #expect(look(try cache().texts(at: [now])) == look(try TextFiles(at: [now])))
  }

  @Test func `a text that changes after it was looked at is refused, and the next start reads it`() throws {
    let path = try folder.write("a.txt", "before")
    let texts = try known([path])
    try folder.write("a.txt", "behind")
    #expect(throws: CorpusError.self) { try texts.files[0].bytes() }
    #expect(folder.known.isEmpty)
    #expect(try cache().texts(at: [path]).files[0].bytes() == Array("behind".utf8))
  }

  @Test func `tokens are counted once, and damage is counted as nothing`() throws {
    let path = try folder.write("a.txt", SampleText.verses(50))
    let source = Corpus.Source(paths: [path], kind: .bytes, heldOut: 0.1, context: 16, cache: folder.cache)
    let sound = try Corpus(opening: source)
    let again = try Corpus(opening: source)
    #expect(try again.fingerprint == sound.fingerprint && again.unigramEntropy == sound.unigramEntropy)
    _ = try known([path])
    #expect(folder.known.count == 2, "\(folder.known)")
    for name in folder.known {
      let file = folder.cache + "/" + name
      let whole = try [UInt8](Data(contentsOf: URL(fileURLWithPath: file)))
      var flipped = whole
      flipped[whole.count - 1] ^= 1
      for damaged in [flipped, Array(whole.dropLast(8)), whole + [0], []] {
        try Data(damaged).write(to: URL(fileURLWithPath: file))
        #expect(try Corpus(opening: source).fingerprint == sound.fingerprint)
      }
    }
    // Another boundary is another census.
    var half = source
    half.heldOut = 0.5
    var elsewhere = half
    elsewhere.cache = folder.path + "/elsewhere"
    #expect(try Corpus(opening: half).unigramEntropy == Corpus(opening: elsewhere).unigramEntropy)
  }

  @Test func `a census comes back from its numbers, or not at all`() throws {
    var census = TokenCensus(before: 5, endedBy: 3)
    census.beginFile()
    let tokens: [UInt16] = [1, 3, 2, 3, 3, 7, 1]
    tokens.withUnsafeBytes { census.add($0, width: 2) }
    let empty = TokenCensus(before: 5, endedBy: 3)
    let back = try #require(empty.filled(by: census.words))
    #expect(back.count == 7 && back.largest?.token == 7 && back.largest?.place == 5 && back.starts == census.starts)
    #expect(back.entropy == census.entropy && back.words == census.words)
    #expect(empty.filled(by: empty.words)?.largest == nil)
    for words in [[], [1, 2, 3], [1, 2, 3, 5, 0], [UInt64.max, 0, 0, 0], [1, 0, 0, 1, .max]] as [[UInt64]] {
      #expect(empty.filled(by: words) == nil, "\(words)")
    }
  }
}
