// What an earlier start found in text files, so that a start reads none of those that are as they were.
import Foundation

/// Sizes and digests of text files by their stamps.
///
/// In the cache, each text takes 64 bytes: the stamp (16), the size of the text (8), flags (8), the digest (32).
struct KnownTexts: Sendable {
  struct Text: Sendable, Equatable {
    var size: Int
    var digest: [UInt8]
    var hasMark = false
    /// True if the file has a zero byte near its start.
    var isBinary = false
  }

  /// Increase it when the text of a file changes although the file does not.
  private static let version = 1

  private(set) var texts: [SIMD2<UInt64>: Text] = [:]
  /// The cache file that they come from.
  private(set) var path: String?

  init() {}

  /// Reads a file of the cache.
  /// - Returns: nil if it is damaged.
  init?(_ file: CacheFile) {
    guard file.width == 8, file.count % 8 == 0, let bytes = try? file.elements() else { return nil }
    path = file.file.path
    bytes.withUnsafeBytes { bytes in
      for place in stride(from: 0, to: bytes.count, by: 64) {
        let flags = bytes.loadUnaligned(fromByteOffset: place + 24, as: UInt64.self)
        texts[bytes.loadUnaligned(fromByteOffset: place, as: SIMD2<UInt64>.self)] = Text(
          size: Int(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: place + 16, as: UInt64.self)),
          digest: Array(bytes[place + 32..<place + 64]), hasMark: flags & 1 != 0, isBinary: flags & 2 != 0)
      }
    }
  }

  subscript(stamp: FileStamp) -> Text? { texts[stamp.words] }

  /// Notes what was found in a file, unless a change of the file might still go unnoticed.
  mutating func note(_ text: Text, at stamp: FileStamp) {
    if stamp.isSettled { texts[stamp.words] = text }
  }

  /// As the cache has them.
  var bytes: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(64 * texts.count)
    for (stamp, text) in texts.sorted(by: { ($0.key[0], $0.key[1]) < ($1.key[0], $1.key[1]) }) {
      withUnsafeBytes(of: stamp) { bytes += $0 }
      withUnsafeBytes(of: UInt64(text.size)) { bytes += $0 }
      withUnsafeBytes(of: UInt64((text.hasMark ? 1 : 0) + (text.isBinary ? 2 : 0))) { bytes += $0 }
      bytes += text.digest
    }
    return bytes
  }

  /// The cache's key for the texts at some paths.
  static func key(_ paths: [String]) -> [UInt8] {
    var key = Digest()
    key.add(field: "texts")
    key.add(number: version)
    key.add(field: FileManager.default.currentDirectoryPath)
    for path in paths { key.add(field: path) }
    return key.finished()
  }
}
