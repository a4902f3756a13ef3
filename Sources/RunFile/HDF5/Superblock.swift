// The first 48 bytes of a live HDF5 file. A killed writer leaves the mark “being written” and an old end of file there;
// this type corrects both, so that libhdf5 opens the file again. (h5clear is never used: it truncates such files.)
import Foundation
import Run

/// HDF5's superblock of version 3, as the file space strategies and live reading of 1.10 need it.
struct Superblock {
  private static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a]
  /// Length in bytes, including the checksum.
  static let size = 48
  /// Live files are laid out in pages of this many bytes.
  static let page = 4096

  private(set) var bytes: [UInt8]

  /// - Parameter bytes: the start of a file.
  /// - Throws: `UserError` when the bytes are not the start of a live run file.
  init(_ bytes: [UInt8], path: String) throws {
    guard bytes.count >= Self.size, Array(bytes.prefix(8)) == Self.signature else {
      throw UserError(.data, "\(path) is not an HDF5 file")
    }
    guard bytes[8] == 3, bytes[9] == 8, bytes[10] == 8 else {
      throw UserError(.data, "\(path) was not written by foretop: its superblock is of version \(bytes[8]), not 3")
    }
    self.bytes = Array(bytes.prefix(Self.size))
  }

  /// True if the file's writer has not closed it.
  var isMarkedOpen: Bool { bytes[11] != 0 }

  /// Marks the file as closed, with its end at `end`.
  mutating func close(end: Int) {
    bytes[11] = 0
    for place in 0..<8 { bytes[28 + place] = UInt8(truncatingIfNeeded: end >> (8 * place)) }
    let sum = lookup3(bytes.prefix(44))
    for place in 0..<4 { bytes[44 + place] = UInt8(truncatingIfNeeded: sum >> UInt32(8 * place)) }
  }

  /// The end of the file as its writer last stored it.
  private var end: Int { bytes[28..<36].reversed().reduce(0) { $0 << 8 | Int($1) } & .max }

  /// The end of a file of `size` bytes, rounded up to whole pages.
  private static func end(of size: Int) -> Int { (size + page - 1) / page * page }

  /// The bytes of content of a file: a hole at the end, after the writer's last known end and after all stored bytes,
  /// is not counted.
  /// - Throws: `UserError` when the file claims far more bytes than are stored.
  static func length(of file: borrowing FileDescriptor) throws -> Int {
    try file.requireStored()
    let size = try file.size()
    guard let block = try? Superblock(file.read(at: 0, count: Self.size), path: file.path) else { return size }
    return min(size, max(block.end, StoredSize.end(of: file.number)))
  }

  /// Repairs a file that its writer left open; a closed file stays unchanged. The caller holds the run's lock.
  static func repair(_ path: String) throws {
    let descriptor = try FileDescriptor(opening: path, O_RDWR)
    var block = try Superblock(descriptor.read(at: 0, count: size), path: path)
    guard block.isMarkedOpen else { return }
    let end = end(of: try descriptor.size())
    try descriptor.resize(to: end)
    block.close(end: end)
    try descriptor.write(block.bytes, at: 0)
    try descriptor.sync()
  }

  /// An image of the file as `repair` would leave it, without changing the file: for readers of a run that was killed.
  static func repairedImage(of path: String) throws -> MemoryImage {
    let descriptor = try FileDescriptor(opening: path, O_RDONLY)
    let length = try length(of: descriptor)
    var block = try Superblock(descriptor.read(at: 0, count: size), path: path)
    let end = end(of: length)
    let image = try MemoryImage(reading: descriptor, length: length, count: end)
    block.close(end: end)
    image.write(block.bytes)
    return image
  }
}
