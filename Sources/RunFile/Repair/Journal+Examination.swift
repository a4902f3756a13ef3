// A journal looked at as a file: how much of it is whole, and whether what is not is only an end cut short.
import Foundation
import Run

extension Journal {
  /// The last step that a journal has, found from its end: a long one is not read as a whole.
  /// - Parameter store: has the columns.
  /// - Returns: nil where there is none in the last bytes.
  static func lastStep(_ path: String, like store: Store) throws -> Table.Row? {
    guard FileSystem.exists(path) else { return nil }
    let file = try FileDescriptor(opening: path, O_RDONLY)
    let size = StoredSize.end(of: file.number)
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
        if case .row(Number.metrics, let row)? = entry(frame), store.metrics.fits(row) { last = row }
        place += 8 + frame.count
      }
      return last
    }
  }

  /// What a journal holds.
  struct Examined {
    var entries: Int
    /// Bytes after the last whole entry, but for the zeros that a crash may leave at the end.
    var rest: Int
    /// Where it is damaged, when whole entries follow: more than a crash does.
    var damage: Int?
  }

  /// - Throws: `UserError` when it cannot be read, or is none.
  static func examined(_ path: String) throws -> Examined {
    guard let reader = try JournalReader(path) else {
      throw UserError(.data, "\(path) is not a journal of foretop: its first bytes are wrong")
    }
    var examined = Examined(entries: 0, rest: 0)
    while try reader.skip() { examined.entries += 1 }
    examined.rest = try reader.remainingBytes()
    if examined.rest > 0, try reader.isFollowed() { examined.damage = reader.place }
    return examined
  }
}
