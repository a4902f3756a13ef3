// How rows get from memory into run.h5: room on the disk first, then rows, checksums and the superblock.
import Foundation
import Run

extension Store {
  /// True if rows or records are not in the file yet.
  var hasWaiting: Bool { tables.contains { $0.hasWaiting } || eventTables.contains { $0.hasWaiting } }

  /// True if rows or records that were handed to libhdf5 may not be in the file yet.
  var hasUnconfirmed: Bool { tables.contains { $0.hasUnconfirmed } || eventTables.contains { $0.hasUnconfirmed } }

  /// The waiting rows and records as journal entries.
  var entries: [Journal.JournalEntry] { tables.flatMap(\.entries) + eventTables.flatMap(\.entries) }

  /// The most bytes of disk that writing the waiting rows and records takes.
  var waitingSize: Int {
    tables.reduce(0) { $0 + $1.waitingSize } + eventTables.reduce(0) { $0 + $1.waitingSize }
      + ((pyramid ?? nil)?.waitingSize ?? 0)
  }

  /// Reserves room on the disk for the waiting rows. libhdf5 must never meet a full disk, since it would end the
  /// process.
  /// - Parameter more: further bytes.
  func reserve(more: Int = 0) throws {
    HDF5.start()
    guard !file.isInMemory else { return }
    let end = Int(file.end)
    let needed = end + waitingSize + more + 1 << 18
    // A limit on sizes may have come down since room was reserved.
    guard needed > reserved || needed > SizeLimit.largest else { return }
    // On a small disk the next checkpoint needs the room more.
    let descriptor = try file.descriptor()
    let room = min(4 << 20, (FileDescriptor.freeBytes(of: descriptor) ?? 0) / 32)
    let ahead = needed + min(room, max(0, SizeLimit.largest - needed))
    if let refusal = FileDescriptor.reserve(descriptor, from: end, to: ahead, path: file.path) {
      throw refusal
    }
    reserved = ahead
  }

  /// Releases the reserved room that is not used yet, since a checkpoint needs it.
  func giveBackReserve() throws {
    guard !file.isInMemory, reserved > 0 else { return }
    reserved = 0
    try FileDescriptor(opening: file.path, O_RDWR).giveBackReserve()
  }

  /// Stores the waiting rows, then their checksums, then the superblock.
  func write() throws {
    HDF5.start()
    for table in tables { try table.write() }
    for table in eventTables { try table.write() }
    try overview()?.extend()
    try file.flush()
    for table in tables { table.confirm() }
    for table in eventTables { table.confirm() }
  }

  /// True if another file has more rows in any table.
  func isShorter(than other: Store) -> Bool {
    zip(numberedTables, other.numberedTables).contains { $0.1.count < $1.1.count }
      || zip(numberedEventTables, other.numberedEventTables).contains { $0.1.count < $1.1.count }
  }

  /// Takes over the rows that another object of the same file may not have stored.
  func adopt(from old: Store) {
    for (table, old) in zip(tables, old.tables) { table.adopt(from: old) }
    for (table, old) in zip(eventTables, old.eventTables) { table.adopt(from: old) }
  }

  /// Closes the file, which was flushed.
  func close() {
    for table in tables { table.close() }
    for table in eventTables { table.close() }
    (pyramid ?? nil)?.close()
    file.close()
  }

  /// See `File.abandon`.
  func abandon() {
    for table in tables { table.abandon() }
    for table in eventTables { table.abandon() }
    (pyramid ?? nil)?.abandon()
    file.abandon()
  }
}
