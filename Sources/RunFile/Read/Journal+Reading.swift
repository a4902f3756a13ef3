// Reads a journal entry by entry: a long session's journal may be larger than memory, and its lengths may be wrong.
import Foundation
import Run

/// Reads one entry after the other, through a window of the file.
final class JournalReader {
  private let file: FileDescriptor
  private let size: Int
  /// The offset of the next entry.
  private(set) var place: Int
  private var window: [UInt8] = []
  private var start = 0
  private static let windowSize = 1 << 20

  /// - Returns: nil if there is no journal, or the file is not a journal.
  /// - Throws: `UserError` when the journal cannot be read.
  init?(_ path: String) throws {
    guard FileSystem.exists(path) else { return nil }
    file = try FileDescriptor(opening: path, O_RDONLY)
    size = try file.size()
    place = Journal.magic.count
    guard try file.read(at: 0, count: Journal.magic.count) == Journal.magic else { return nil }
  }

  /// The next entry; nil at the first incomplete or damaged one: no later entry was ever confirmed.
  func next() throws -> Journal.JournalEntry? {
    try frame { bytes in
      guard let body = Journal.frame(at: 0, of: bytes), let entry = Journal.entry(body) else { return nil }
      return (entry, 8 + body.count)
    }
  }

  /// Skips the next entry.
  /// - Returns: true if the entry is undamaged.
  func skip() throws -> Bool {
    try frame { bytes in Journal.frame(at: 0, of: bytes).map { ((), 8 + $0.count) } } != nil
  }

  /// Calls `take` with the bytes from `place` on, as many as the entry's length says.
  /// - Parameter take: returns the decoded entry and its length in bytes; nil if the entry is damaged.
  private func frame<Made>(_ take: (UnsafeRawBufferPointer) -> (Made, Int)?) throws -> Made? {
    guard try load(8) else { return nil }
    let first = place - start
    let length = window[first..<first + 4].reversed().reduce(0) { $0 << 8 | Int($1) }
    guard length > 0, length <= Journal.longest, length <= size - place - 8, try load(8 + length) else { return nil }
    let bytes = place - start..<place - start + 8 + length
    guard let (made, count) = window.withUnsafeBytes({ take(UnsafeRawBufferPointer(rebasing: $0[bytes])) }) else {
      return nil
    }
    place += count
    return made
  }

  /// Loads at least `count` bytes from `place` on into the window.
  private func load(_ count: Int) throws -> Bool {
    if place < start || place + count > start + window.count {
      window = try file.read(at: place, count: max(count, Self.windowSize))
      start = place
    }
    return place + count <= start + window.count
  }

  // MARK: Behind the last whole entry

  /// Number of bytes up to the last one that is not zero.
  func remainingBytes() throws -> Int {
    var last = place
    try forEachStoredPiece { bytes, offset in
      if let index = bytes.lastIndex(where: { $0 != 0 }) { last = offset + index + 1 }
      return true
    }
    return last - place
  }

  /// True if an undamaged entry follows later, which a crash alone does not cause. The search is limited.
  func isFollowed() throws -> Bool {
    var isFound = false
    // Bytes that checksums may be taken of: lengths that nobody wrote make each place look like a long entry.
    var budget = max(64 << 20, 4 * min(size - place, Self.mostSearched))
    let end = place + Self.mostSearched
    try forEachStoredPiece { bytes, offset in
      var index = offset == place ? 1 : 0
      while index + 9 <= bytes.count, budget > 0, !isFound {
        let length = Int(bytes.loadUnaligned(fromByteOffset: index, as: UInt32.self).littleEndian)
        if length > 0, length <= bytes.count - index - 8, Journal.isNumber(bytes[index + 8]) {
          budget -= length
          isFound = Journal.frame(at: index, of: bytes) != nil
        }
        index += 1
      }
      return !isFound && budget > 0 && offset < end
    }
    return isFound
  }

  private static let mostSearched = 256 << 20

  /// Iterates over the stored bytes from `place` on, without holes. Pieces overlap by more than the length of most
  /// entries.
  private func forEachStoredPiece(_ body: (UnsafeRawBufferPointer, Int) -> Bool) throws {
    let overlap = 1 << 16
    var offset = place
    while offset < size, let next = StoredSize.next(from: offset, of: file.number), next < size {
      // A part of the file begins at a page: what came before it is zeros.
      offset = max(offset, next)
      let bytes = try file.read(at: offset, count: min(Self.windowSize, size - offset))
      guard !bytes.isEmpty, bytes.withUnsafeBytes({ body($0, offset) }) else { return }
      offset += bytes.count == Self.windowSize ? bytes.count - overlap : bytes.count
    }
  }
}

/// The content of a journal except the steps, which are read one by one, since a long session has millions.
struct JournalContents {
  let path: String
  /// When the journal's run began; nil if the journal does not say so.
  private(set) var created: Double?
  /// True if a replay of this session differed, so that rows were removed from run.h5.
  private(set) var replacesHistory = false
  /// The lowest step; nil if the journal has no step.
  private(set) var firstStep: Double?
  /// Number of values per step.
  private(set) var width: Int?
  /// Rows of the tables except /metrics, by the table's number.
  private(set) var rows: [UInt8: [Table.Row]] = [:]
  private(set) var records: [UInt8: [RecordFormat.Record]] = [:]

  init(_ path: String) throws {
    self.path = path
    guard let reader = try JournalReader(path) else { return }
    while let entry = try reader.next() {
      switch entry {
      case .row(Journal.Number.metrics, let row):
        width = width ?? row.values.count
        if let step = row.values.first { firstStep = min(firstStep ?? step, step) }
      case .row(let number, let row): rows[number, default: []].append(row)
      case .record(let number, let record):
        if number == Journal.Number.events, record.text("key") == "replay" { replacesHistory = true }
        records[number, default: []].append(record)
      case .run(let created): self.created = self.created ?? created
      }
    }
  }

  /// Calls `take` with each step, in the recorded order.
  func forEachStep(_ take: (Table.Row) throws -> Void) throws {
    guard let reader = try JournalReader(path) else { return }
    while let entry = try reader.next() {
      if case .row(Journal.Number.metrics, let row) = entry { try take(row) }
    }
  }

  /// The columns that the journal's rows lack, since an older foretop began the run.
  func missing(_ recipe: Recipe) -> Set<String> {
    Store.missing(steps: width, evaluations: rows[Journal.Number.heldout]?.first?.values.count, of: recipe)
  }

  /// - Throws: `Journal.ForeignJournal` when the journal belongs to another run.
  func requireRun(of store: Store) throws {
    guard let mine = created, let its = try store.created, mine != its else { return }
    throw Journal.ForeignJournal(
      error: UserError(
        .data,
        "\(path) is the journal of another run, and \(store.file.path) was not changed: put the right journal "
          + "there, or move this one away"))
  }
}
