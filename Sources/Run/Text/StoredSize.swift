// How much of a file is really stored. A file of a few bytes can claim to be one of terabytes, the rest a hole: whoever reads
// or copies what it claims fills the memory or the disk.
import Foundation

package enum StoredSize {
  /// A file up to this size is read in an instant, whatever is in it.
  private static let least = 64 << 20
  /// How many times larger than its stored bytes a file may be: a file system that compresses stores zeros in next to nothing.
  private static let most = 64
  /// More parts between holes than this are not counted: no file of foretop has them.
  private static let mostParts = 4096

  /// Refuses an open file that is far larger than what is stored of it. Every reader of a file that may be somebody else's asks this
  /// before it takes memory or room for the file.
  /// - Parameter path: for the error.
  /// - Throws: `UserError` that says how much is stored, and what to do.
  package static func check(_ descriptor: Int32, path: String) throws {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return }
    let size = Int(status.st_size)
    guard size > least, Int(status.st_blocks) < size / most / 512 else { return }
    // A file system may count the blocks of a new file late; where it cannot list holes, there is one part.
    let stored = parts(of: descriptor, size: size).reduce(0) { $0 + $1.count }
    guard stored < size / most else { return }
    throw UserError(
      .data,
      "\(path) claims to have \(size) bytes, but only \(stored) of them are stored: the rest is a hole, which foretop "
        + "never writes; put the file back from a copy, or truncate it to its true length")
  }

  /// Bytes that a file takes on the disk, and what its size says, which is far more where it has holes.
  /// - Returns: 0 for both where nothing is there; a link is not followed.
  package static func onDisk(_ path: String) -> (stored: Int, claimed: Int) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return (0, 0) }
    let (blocks, size) = (Int(status.st_blocks) * 512, Int(status.st_size))
    guard blocks < size, status.st_mode & S_IFMT == S_IFREG else { return (blocks, size) }
    // A file system may count the blocks of a new file late.
    let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC)
    guard descriptor >= 0 else { return (blocks, size) }
    defer { close(descriptor) }
    return (max(blocks, parts(of: descriptor, size: size).reduce(0) { $0 + $1.count }), size)
  }

  /// Words for files whose sizes say far more than they take; nil where they do not.
  package static func remark(stored: Int, claimed: Int) -> String? {
    guard claimed > 2 * stored, claimed - stored > 1 << 20 else { return nil }
    return "the sizes of its files add up to \(claimed) bytes, and \(stored) of them are on the disk: the rest "
      + "are holes"
  }

  /// Where the last stored byte of an open file ends: what follows is a hole, which reads as zeros.
  package static func end(of descriptor: Int32) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return 0 }
    let size = Int(status.st_size)
    let parts = parts(of: descriptor, size: size)
    return parts.count < mostParts ? parts.last?.upperBound ?? 0 : size
  }

  /// The next stored byte of an open file at a place or behind it; nil where only a hole follows.
  package static func next(from place: Int, of descriptor: Int32) -> Int? {
    let found = lseek(descriptor, off_t(place), seekData)
    if found >= 0 { return Int(found) }
    return errno == ENXIO ? nil : place
  }

  /// What is stored of a file, in order.
  private static func parts(of descriptor: Int32, size: Int) -> [Range<Int>] {
    var parts: [Range<Int>] = []
    var place = 0
    while place < size, parts.count < mostParts, let start = next(from: place, of: descriptor), start < size {
      let hole = lseek(descriptor, off_t(start), seekHole)
      let end = hole > off_t(start) ? min(size, Int(hole)) : size
      parts.append(start..<end)
      place = end
    }
    return parts
  }

  // Of lseek, on Linux; Glibc's module does not show them everywhere.
  private static let seekData: Int32 = 3
  private static let seekHole: Int32 = 4
}
