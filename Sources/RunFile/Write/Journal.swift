// The journal has what run.h5 may not have yet: every row and record of a session, each appended with a checksum in one
// write. Rows are on the disk within a second, commands at once. With the backup and the journal, a damaged run.h5 can
// be restored.
import Foundation
import Run

/// A file that is closed when its last reference is released.
final class OpenFile: Sendable {
  let descriptor: FileDescriptor

  init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// Journal entries that were handed to the kernel and may not be on the disk yet.
package struct PendingSync: Sendable {
  fileprivate let file: OpenFile
  /// The end of the entries in the file.
  fileprivate let end: Int

  /// Waits until the entries are on the disk. May be called on any thread.
  /// - Throws: `UserError` when the disk refuses them.
  package func wait() throws { try file.descriptor.syncData() }
}

final class Journal {
  enum JournalEntry {
    /// A row of the table with this number.
    case row(UInt8, Table.Row)
    /// A record of the event table with this number.
    case record(UInt8, RecordFormat.Record)
    /// When the journal's run began, equal to the attribute `created` of run.h5.
    case run(Double)
  }

  /// The numbers of tables in the journal. They are stored in files and must never be reused.
  enum Number {
    static let metrics: UInt8 = 0
    static let heldout: UInt8 = 1
    static let texts: UInt8 = 2
    static let orders: UInt8 = 3
    static let beginnings: UInt8 = 4
    static let maps: UInt8 = 5
    static let events: UInt8 = 16
    static let sessions: UInt8 = 17
    static let run: UInt8 = 32
    /// Added to a table's number: the row has more than 255 columns.
    static let wide: UInt8 = 64
  }

  /// True if this is the number of a known table.
  static func isNumber(_ number: UInt8) -> Bool {
    switch number {
    case Number.metrics...Number.maps, Number.wide + Number.metrics...Number.wide + Number.maps,
      Number.events, Number.sessions, Number.run:
      true
    default: false
    }
  }

  /// The most bytes of an entry, far more than any text of a run.
  static let longest = 64 << 20

  static let magic = Array("foretop journal1".utf8)

  /// The error for a journal, or a backup of run.h5, that belongs to another run or has numbers that training never
  /// records: none of its rows may get into the run.
  struct ForeignJournal: Error {
    let error: UserError
  }

  private let file: OpenFile
  private var end: Int
  /// Bytes that the disk has refused so far.
  private var refused: [UInt8] = []
  /// Bytes before `end` that the kernel has and that may not be on the disk. After a failed sync, the kernel may
  /// discard them, so that they must be written again.
  private var unsynced: [UInt8] = []
  private var isDirty = true

  /// Creates a journal, which replaces an old one.
  /// - Parameters:
  ///   - created: when the run began; nil if run.h5 does not say so.
  ///   - entries: the first entries after that.
  init(creating path: String, of created: Double?, with entries: [JournalEntry] = []) throws {
    let aside = RunFolder.unfinished(path)
    try FileSystem.remove(aside)
    let file = try FileDescriptor(opening: aside, O_RDWR | O_CREAT | O_EXCL)
    let content = Self.magic + (created.map { Self.framed(.run($0)) } ?? []) + entries.flatMap(Self.framed)
    try file.write(content, at: 0)
    try file.sync()
    try FileSystem.rename(aside, path)
    self.file = OpenFile(file)
    end = content.count
  }

  /// Bytes of the file.
  var size: Int { end }

  /// Writes an entry. If the disk refuses it, `sync` tries again.
  func add(_ entry: JournalEntry) {
    refused += Self.framed(entry)
    isDirty = true
    try? hand()
  }

  private func hand() throws {
    guard !refused.isEmpty else { return }
    try file.descriptor.write(refused, at: end)
    end += refused.count
    unsynced += refused
    // What came while the disk refused may be large: its memory is given back.
    refused.removeAll(keepingCapacity: refused.count < 1 << 16)
  }

  /// Marks everything that may not be on the disk to be written again.
  private func goBack() {
    end -= unsynced.count
    refused = unsynced + refused
    unsynced = []
    isDirty = true
  }

  /// Waits until every entry is on the disk.
  /// - Throws: `UserError` when the disk refuses them; they are kept, and writing is tried again next time.
  func sync() throws {
    guard isDirty else { return }
    try hand()
    do {
      try file.descriptor.syncData()
    } catch {
      goBack()
      throw error
    }
    unsynced = []
    isDirty = false
  }

  /// Makes a value with which another thread can wait until every entry so far is on the disk.
  /// - Returns: nil if all entries are on the disk already.
  /// - Throws: as `sync`.
  func pendingSync() throws -> PendingSync? {
    guard isDirty else { return nil }
    try hand()
    isDirty = false
    return PendingSync(file: file, end: end)
  }

  /// Takes note that a sync on another thread failed: its entries are written again.
  func takeBack(_ pending: PendingSync) { if pending.file === file { goBack() } }

  /// Takes note that a sync on another thread succeeded.
  func settle(_ pending: PendingSync) {
    let count = min(unsynced.count, unsynced.count - (end - pending.end))
    // A copy, since the array would keep the room that it needed while the disk was slow.
    if pending.file === file, count > 0 { unsynced = Array(unsynced[count...]) }
  }

  // MARK: Entries as bytes

  /// The bytes of an entry: length and checksum, four bytes each, then the table's number and the content.
  private static func framed(_ entry: JournalEntry) -> [UInt8] {
    var body: [UInt8] = []
    switch entry {
    case .row(let number, let row):
      body.reserveCapacity(5 + row.values.count * 8 + row.payload.count)
      if let count = UInt8(exactly: row.values.count) {
        body += [number, count]
      } else {
        body.append(Number.wide + number)
        withUnsafeBytes(of: UInt32(row.values.count).littleEndian) { body += $0 }
      }
      for value in row.values { withUnsafeBytes(of: value.bitPattern.littleEndian) { body += $0 } }
      body += row.payload
    case .record(let number, let record):
      body = [number] + (number == Number.events ? FileLayout.events : FileLayout.sessions).encoded(record, at: 0)
    case .run(let created):
      body = [Number.run]
      withUnsafeBytes(of: created.bitPattern.littleEndian) { body += $0 }
    }
    var frame: [UInt8] = []
    withUnsafeBytes(of: UInt32(body.count).littleEndian) { frame += $0 }
    withUnsafeBytes(of: Checksum(of: frame + body).value.littleEndian) { frame += $0 }
    return frame + body
  }

  /// The content of the entry at a place; nil if the entry is incomplete or damaged.
  static func frame(at place: Int, of bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    guard place >= 0, place + 8 < bytes.count else { return nil }
    let length = Int(bytes.loadUnaligned(fromByteOffset: place, as: UInt32.self).littleEndian)
    guard length > 0, length <= longest, length <= bytes.count - place - 8 else { return nil }
    let body = UnsafeRawBufferPointer(rebasing: bytes[place + 8..<place + 8 + length])
    var sum = Checksum()
    sum.add(UnsafeRawBufferPointer(rebasing: bytes[place..<place + 4]))
    sum.add(body)
    return sum.value == bytes.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self).littleEndian ? body : nil
  }

  static func entry(_ body: UnsafeRawBufferPointer) -> JournalEntry? {
    let number = body[0]
    switch number {
    case Number.events, Number.sessions:
      let format = number == Number.events ? FileLayout.events : FileLayout.sessions
      guard body.count == format.size + 1 else { return nil }
      return format.decoded(Array(body.dropFirst()), at: 0).map { .record(number, $0) }
    case Number.metrics...Number.maps:
      return body.count > 1 ? row(body, count: Int(body[1]), from: 2).map { .row(number, $0) } : nil
    case Number.wide + Number.metrics...Number.wide + Number.maps:
      guard body.count > 5 else { return nil }
      let count = Int(body.loadUnaligned(fromByteOffset: 1, as: UInt32.self).littleEndian)
      return row(body, count: count, from: 5).map { .row(number - Number.wide, $0) }
    case Number.run:
      guard body.count == 9 else { return nil }
      return .run(Double(bitPattern: body.dropFirst().reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }))
    default: return nil
    }
  }

  /// - Parameters:
  ///   - count: the number of values.
  ///   - start: the offset of the values; the payload follows them.
  private static func row(_ body: UnsafeRawBufferPointer, count: Int, from start: Int) -> Table.Row? {
    let rest = start + count * 8
    guard body.count >= rest else { return nil }
    let values = [Double](unsafeUninitializedCapacity: count) { values, filled in
      for index in 0..<count {
        let bits = body.loadUnaligned(fromByteOffset: start + index * 8, as: UInt64.self).littleEndian
        values.initializeElement(at: index, to: Double(bitPattern: bits))
      }
      filled = count
    }
    return Table.Row(values: values, payload: Array(body[rest...]))
  }
}
