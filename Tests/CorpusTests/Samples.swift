// Texts, randomness and folders that the tests of Corpus share.
import Foundation
import Support

@testable import Corpus

/// A folder that goes when the test ends.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = FileManager.default.temporaryDirectory.appendingPathComponent("foretop-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var cache: String { path + "/cache" }

  /// Writes a file, making the folders it is in; gives its path.
  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) throws -> String {
    let file = URL(fileURLWithPath: path + "/" + name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
    return file.path
  }

  @discardableResult
  func write(_ name: String, _ text: String) throws -> String { try write(name, Array(text.utf8)) }

  /// Names in the cache folder, without those that only save some reading.
  var cached: [String] { names.filter { !Self.isKnown($0) } }

  /// Names of what a start knows from earlier ones.
  var known: [String] { names.filter(Self.isKnown) }

  private static func isKnown(_ name: String) -> Bool { name.hasSuffix(".texts") || name.hasSuffix(".census") }

  private var names: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: cache)) ?? []).sorted()
  }
}

enum SampleText {
  /// Lines of words, some common and some rare, a verse a line.
  static func verses(_ count: Int, seed: UInt64 = 1) -> String {
    let words = """
      the and of that he in shall unto for I his a LORD they be is him not them it with all thou thy was God which my \
      me said but ye their have will thee from as are when this out were by upon man you Israel king son people there \
      hath came house into come children before your also day land men let go no made hand us saying went even do now \
      every behold because therefore brought Jerusalem priests servants inheritance multitude righteousness wilderness
      """.split(separator: " ")
    var numbers = Dice(seed)
    return (0..<count).map { _ in
      (0..<Int.random(in: 3...30, using: &numbers)).map { _ in
        // The product of two draws favours the first words, as in real text.
        let place = Int.random(in: 0..<words.count, using: &numbers) * Int.random(in: 0..<words.count, using: &numbers)
        return String(words[place / words.count])
      }.joined(separator: " ") + ".\n"
    }.joined()
  }

  /// Texts that have been lost by tokenizers.
  static let hard: [[UInt8]] = [
    [], [0], [0x0A], [0x20], [0x20, 0x20], [0x80], [0xFF, 0xFE, 0x00],
    Array("In the beginning God created the heaven and the earth.\n".utf8),
    Array("  two spaces  and\ttabs\t\r\n\r\n\nand lines \n ".utf8),
    Array("\u{2581}under\u{2581} \u{2581}\u{2581} score \u{2585} block \u{2047} \u{FFFD} \u{FEFF}".utf8),
    Array("👩‍👩‍👧‍👦 emoji 🏳️‍🌈, e\u{301} and é, 漢字かな, עברית \u{200F}\u{202E}, नमस्ते".utf8),
    Array("<s> </s> <unk> <0x0A> <0x41> ⟨unk⟩".utf8),
    [0xE2, 0x96] + Array("cut short ".utf8) + [0xE2, 0x96, 0x81, 0xC0, 0x80, 0xED, 0xA0, 0x80, 0xF4, 0x90, 0x80, 0x80],
    Array(String(repeating: "x", count: 5000).utf8), Array(String(repeating: " ", count: 3000).utf8),
    Array((0...255).map { UInt8($0) }),
  ]

  /// Random bytes; half of them make text likely.
  static func bytes(_ count: Int, using numbers: inout Dice) -> [UInt8] {
    let textLike = Array(" \n\t the and of éß漢😀\u{2581}".utf8)
    return (0..<count).map { _ in
      Bool.random(using: &numbers)
        ? textLike.randomElement(using: &numbers)! : UInt8.random(in: 0...255, using: &numbers)
    }
  }

  /// A tokenizer that was trained once for all tests.
  static let trained = Result {
    var sample = TrainingSample(total: verses(400).utf8.count)
    Array(verses(400).utf8).withUnsafeBytes { sample.add($0) }
    return try Tokenizer(kind: .sentencepiece, model: try sample.model(vocabulary: 400))
  }
}
