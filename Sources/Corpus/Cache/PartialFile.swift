// What files that are written beside their place have in common.
import Foundation

enum PartialFile {
  /// The end of a temporary file's name.
  static let ending = ".partial"

  /// A name beside a file that no other writer has: the number of this process, then a random one.
  static func name(beside path: String) -> String { "\(path).\(getpid()).\(UInt64.random(in: 0 ... .max))\(ending)" }

  /// Writes bytes at an offset.
  /// - Returns: the error number; nil if all bytes are written.
  static func put(_ bytes: UnsafeRawBufferPointer, at offset: Int, of file: Int32) -> Int32? {
    var written = 0
    while written < bytes.count {
      let count = pwrite(file, bytes.baseAddress! + written, bytes.count - written, off_t(offset + written))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { return errno }
      written += count
    }
    return nil
  }
}
