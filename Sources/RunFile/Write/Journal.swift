// What run.h5 may not have yet: every row and record of a session, appended and checksummed, one write each. It is on the
// disk within a second, commands at once; with it run.h5 can be made again whatever became of it.
import Foundation
import Run

/// A file that stays open as long as somebody has it.
final class OpenFile: Sendable {
  let descriptor: FileDescriptor

  init(_ descriptor: consuming FileDescriptor) { self.descriptor = descriptor }
}

/// Journal entries that the kernel has taken, and that may not be on the disk yet.
package struct PendingSync: Sendable {
  fileprivate let file: OpenFile
  /// Where they end.
  fileprivate let end: Int

  /// Waits until they are on the disk, on any thread.
  /// - Throws: `UserError` when the disk does not take them.
  package func wait() throws { try file.descriptor.syncData() }
}

final class Journal {
  enum JournalEntry {
    /// A row of the table with this number.
    case row(UInt8, Table.Row)
    /// A record of the ledger with this number.
    case record(UInt8, RecordFormat.Record)
    /// When the run began that the journal is of, as run.h5 has it in its attribute `created`.
    case run(Double)
  }

  /// The numbers of what goes in. They are in files: none may be used anew.
  enum Number {
    static let metrics: UInt8 = 0
    static let heldout: UInt8 = 1
    static let texts: UInt8 = 2
    static let orders: UInt8 = 3
    static let beginnings: UInt8 = 4
    static let events: UInt8 = 16
    static let sessions: UInt8 = 17
    static let run: UInt8 = 32
    /// Added to the number of a table: a row of more columns than a byte counts.
    static let wide: UInt8 = 64
  }

  /// Whether entries of this number are known.
  static func isNumber(_ number: UInt8) -> Bool {
    switch number {
    case Number.metrics...Number.beginnings, Number.wide + Number.metrics...Number.wide + Number.beginnings,
      Number.events, Number.sessions, Number.run:
      true
    default: false
    }
  }

  /// The most bytes that an entry has: no text of a run comes near it.
  static let longest = 64 << 20

  static let magic = Array("foretop journal1".utf8)

  /// A journal, or a copy of run.h5, of another run or with numbers that no training records: nothing of it may get into the
  /// run.
  struct ForeignJournal: Error {
    let error: UserError
  }

  private let file: OpenFile
  private var end: Int
  /// What the disk did not take yet.
  private var refused: [UInt8] = []
  /// What the kernel has before `end` and the disk perhaps not: a kernel that could not write it forgets it, and says so once.
  private var unsynced: [UInt8] = []
  private var isDirty = true

  /// Starts a journal in the place of an old one.
  /// - Parameters:
  ///   - created: when the run began; nil where its file does not say so.
  ///   - entries: what it begins with after that.
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

  /// Hands an entry to the kernel. What it does not take is tried again by `sync`.
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

  /// Has all that is not surely on the disk written once more.
  private func goBack() {
    end -= unsynced.count
    refused = unsynced + refused
    unsynced = []
    isDirty = true
  }

  /// Waits until every entry is on the disk.
  /// - Throws: `UserError` when the disk does not take them; they are kept, and tried again next time.
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

  /// Lets another thread wait until every entry so far is on the disk.
  /// - Returns: nil where that is so already.
  /// - Throws: as `sync`.
  func pendingSync() throws -> PendingSync? {
    guard isDirty else { return nil }
    try hand()
    isDirty = false
    return PendingSync(file: file, end: end)
  }

  /// What another thread waited for did not come to pass: it is to be written and tried again.
  func takeBack(_ pending: PendingSync) { if pending.file === file { goBack() } }

  /// What another thread waited for is on the disk.
  func settle(_ pending: PendingSync) {
    let count = min(unsynced.count, unsynced.count - (end - pending.end))
    // A copy, since the array would keep the room that it needed while the disk was slow.
    if pending.file === file, count > 0 { unsynced = Array(unsynced[count...]) }
  }

  // MARK: Entries as bytes

  /// Length and checksum, four bytes each, then what they are of: the number and the content.
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

  /// What the entry at a place has; nil where there is no whole one.
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
    case Number.metrics...Number.beginnings:
      return body.count > 1 ? row(body, count: Int(body[1]), from: 2).map { .row(number, $0) } : nil
    case Number.wide + Number.metrics...Number.wide + Number.beginnings:
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
  ///   - count: how many values it has.
  ///   - start: where they begin; the payload follows.
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
