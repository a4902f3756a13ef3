// Examines a journal's file: how many entries are undamaged, and whether only the end is truncated.
import Foundation
import Run

extension Journal {
  /// The last step in a journal, searched from its end, so that a long journal is not read completely.
  /// - Parameter store: the run's file, for the columns.
  /// - Returns: nil if the last bytes have no step.
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

  /// The result of examining a journal.
  struct Examined {
    var entries: Int
    /// Bytes after the last undamaged entry, without zeros that a crash may leave at the end.
    var rest: Int
    /// The offset of damage in the middle, if undamaged entries follow; a crash alone does not cause that.
    var damage: Int?
  }

  /// - Throws: `UserError` when the file cannot be read, or is not a journal.
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
