// A file of the cache: an array of numbers, what it was made from, and a sum that finds damage. Nothing in the cache is
// needed: what is missing, damaged or foreign is made again.
import Foundation

/// A mapped cache file: a header of 64 bytes and then its elements, little-endian as all machines that foretop runs on.
///
/// | at | bytes | what |
/// | --- | --- | --- |
/// | 0 | 8 | `foretop` and a line's end |
/// | 8 | 4 | version of the format |
/// | 12 | 4 | bytes of an element: 1, 2, 4 or 8 |
/// | 16 | 8 | number of elements |
/// | 24 | 8 | checksum of the elements |
/// | 32 | 32 | key: the SHA-256 of all it was made from |
final class CacheFile: @unchecked Sendable {
  // Unchecked: the mapping is only read, and it is private to this process's view of a file that is replaced, never rewritten.

  static let version: UInt32 = 1
  static let magic = Array("foretop\n".utf8)
  static let headerSize = 64

  /// Bytes of an element.
  let width: Int
  /// Number of elements.
  let count: Int
  private let mapping: UnsafeRawBufferPointer

  /// Maps a file if it is whole and holds what `key` says; nil otherwise, and when there is none.
  init?(at path: String, key: [UInt8]) {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size >= Self.headerSize,
      let start = mmap(nil, Int(status.st_size), PROT_READ, MAP_PRIVATE, file, 0), start != MAP_FAILED
    else { return nil }
    mapping = UnsafeRawBufferPointer(start: start, count: Int(status.st_size))
    width = Int(mapping.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
    count = Int(truncatingIfNeeded: mapping.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
    let sum = mapping.loadUnaligned(fromByteOffset: 24, as: UInt64.self)
    let size = count.multipliedReportingOverflow(by: width)
    guard mapping[..<8].elementsEqual(Self.magic),
      mapping.loadUnaligned(fromByteOffset: 8, as: UInt32.self) == Self.version,
      [1, 2, 4, 8].contains(width), !size.overflow, size.partialValue == mapping.count - Self.headerSize,
      mapping[32..<64].elementsEqual(key), checksumOfBytes(elements) == sum
    else { return nil }
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: mapping.baseAddress!), mapping.count) }

  /// The elements' bytes, valid as long as this object.
  var elements: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: mapping[Self.headerSize...]) }
}
