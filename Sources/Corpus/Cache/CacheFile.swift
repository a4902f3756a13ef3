// A file of the cache: an array of numbers, the hash of its origin, and a checksum. Every file of the cache may be
// deleted: a missing, damaged or foreign file is made again.
import Foundation

/// An open cache file: a header of 64 bytes and then its elements, little-endian as all machines that foretop runs on.
///
/// | at | bytes | what |
/// | --- | --- | --- |
/// | 0 | 8 | `foretop` and a line's end |
/// | 8 | 4 | version of the format |
/// | 12 | 4 | bytes of an element: 1, 2, 4 or 8 |
/// | 16 | 8 | number of elements |
/// | 24 | 8 | checksum of the elements |
/// | 32 | 32 | key: the SHA-256 of all it was made from |
final class CacheFile: Sendable {
  static let version: UInt32 = 1
  static let magic = Array("foretop\n".utf8)
  static let headerSize = 64

  /// Bytes of an element.
  let width: Int
  /// Number of elements.
  let count: Int
  let file: WatchedFile

  /// Opens a file if it is undamaged and has the given key; nil otherwise, and if there is no file.
  /// - Parameters:
  ///   - isKnown: asked with the file's stamp and the number of its elements: if true, the elements are not read and the
  ///     checksum is not verified.
  ///   - visit: receives the elements once, a piece at a time, with their width and number, before the checksum is verified.
  init?(
    at path: String, key: [UInt8], isKnown: (_ stamp: FileStamp, _ count: Int) -> Bool = { _, _ in false },
    visit: (_ piece: UnsafeRawBufferPointer, _ width: Int, _ count: Int) -> Void = { _, _, _ in }
  ) {
    guard
      let file = try? WatchedFile(at: path, kind: "cache file", advice: "start again: the file is then made again"),
      file.size >= Self.headerSize, let header = try? file.bytes(0..<Self.headerSize)
    else { return nil }
    func number<Number: FixedWidthInteger>(_ place: Int, _: Number.Type) -> Number {
      header.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: place, as: Number.self) }
    }
    let width = Int(number(12, UInt32.self))
    let count = Int(truncatingIfNeeded: number(16, UInt64.self))
    let size = count.multipliedReportingOverflow(by: width)
    guard header[..<8].elementsEqual(Self.magic), number(8, UInt32.self) == Self.version,
      [1, 2, 4, 8].contains(width), !size.overflow, size.partialValue == file.size - Self.headerSize,
      header[32..<64].elementsEqual(key)
    else { return nil }
    (self.file, self.width, self.count) = (file, width, count)
    if isKnown(file.stamp, count) { return }
    var sum = CacheChecksum(of: size.partialValue)
    let isRead: Void? = try? file.forEachPiece(from: Self.headerSize) { piece in
      sum.add(piece)
      visit(piece, width, count)
    }
    guard isRead != nil, sum.finished == number(24, UInt64.self) else { return nil }
  }

  /// All elements, as bytes.
  func elements() throws(CorpusError) -> [UInt8] { try file.bytes(Self.headerSize..<file.size) }
}
