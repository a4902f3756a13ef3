// A journal looked at as a file: how much of it is whole, and whether what is not is only an end cut short.
import Foundation
import Run

extension Journal {
  /// The last step that a journal has, found from its end: a long one is not read as a whole.
  /// - Parameter store: has the columns.
  /// - Returns: nil where there is none in the last bytes.
  static func lastStep(_ path: String, like store: Store) throws -> Table.Row? {
    guard Folder.exists(path) else { return nil }
    let file = try FileDescriptor(opening: path, O_RDONLY)
    let size = try file.size()
    let count = min(size, 1 << 16)
    let bytes = try file.read(at: size - count, count: count)
    return bytes.withUnsafeBytes { bytes in
      var place = 0
      var last: Table.Row?
      while place < bytes.count {
        guard let frame = frame(at: place, of: bytes) else {
          // Somewhere in an entry, or where the last one was cut short.
          place += 1
          continue
        }
        if case .row(Number.metrics, let row)? = entry(frame), store.metrics.takes(row) { last = row }
        place += 8 + frame.count
      }
      return last
    }
  }

  /// What a journal holds.
  struct Examined {
    var entries: Int
    /// Bytes after the last whole entry.
    var rest: Int
    /// Where it is damaged, when whole entries follow: more than a crash does.
    var damage: Int?
  }

  /// - Throws: `UserError` when it cannot be read, or is none.
  static func examined(_ path: String) throws -> Examined {
    let file = try FileDescriptor(opening: path, O_RDONLY)
    let bytes = try file.read(at: 0, count: file.size())
    guard bytes.starts(with: magic) else { throw UserError(.data, "\(path) does not begin as a journal does") }
    var examined = Examined(entries: 0, rest: 0)
    var place = magic.count
    while let next = end(of: place, in: bytes) {
      examined.entries += 1
      place = next
    }
    examined.rest = bytes.count - place
    let isFollowed = (place + 1..<max(place + 1, bytes.count - 8)).contains { end(of: $0, in: bytes) != nil }
    if isFollowed { examined.damage = place }
    return examined
  }

  /// Where the entry at a place ends; nil where there is no whole one.
  private static func end(of place: Int, in bytes: [UInt8]) -> Int? {
    bytes.withUnsafeBytes { frame(at: place, of: $0).map { place + 8 + $0.count } }
  }
}
