// Rows of fixed size with named parts, a checksum in each: `/events` and `/sessions`. A row's size divides a page, so that
// a write that is torn leaves whole rows.
import CHDF5
import Foundation
import Run

/// A list of records in one compound dataset, with a checksum in each.
final class EventTable {
  typealias Record = RecordFormat.Record

  private let dataset: Dataset
  private let format: RecordFormat
  private var size: Int { format.size }
  private let type: Handle
  private(set) var count = 0
  /// The journal, into which records are written first.
  var journal: Journal?
  /// The table's number in the journal.
  var number: UInt8 = 0
  /// Records that may not be in the file yet.
  private var waiting: [Record] = []
  /// How many of the waiting records were handed to libhdf5.
  private var handedOver = 0
  /// New contents of existing records, by their number.
  private var updates: [Int: Record] = [:]

  init(creating path: String, _ format: RecordFormat, longName: String, in file: File) throws {
    self.format = format
    type = try format.type()
    dataset = try Dataset(creating: path, of: type.id, chunk: 131_072 / format.size, in: file)
    try HDF5Group.set("units", "1", on: path, in: file)
    try HDF5Group.set("long_name", longName, on: path, in: file)
  }

  init(opening path: String, _ format: RecordFormat, in file: File) throws {
    self.format = format
    type = try format.type()
    dataset = try Dataset(opening: path, in: file)
    let stored = try Handle(H5Dget_type(dataset.id), "cannot examine \(path) in \(file.path)")
    guard H5Tequal(stored.id, type.id) > 0 else {
      throw UserError(.data, "\(path) in \(file.path) has other fields than this version of foretop writes")
    }
    count = try dataset.count()
  }

  var path: String { dataset.path }

  /// Closes the datasets. Waiting rows are kept, for `adopt`.
  func close() { dataset.close() }

  /// See `File.abandon`.
  func abandon() { dataset.abandon() }

  /// Number of records, including waiting ones.
  var total: Int { count + waiting.count - handedOver }

  /// Appends a record to the waiting records; `write` stores it.
  func append(_ record: Record) {
    journal?.add(.record(number, record))
    waiting.append(record)
  }

  /// Changes an existing record; `write` stores the change.
  func update(_ record: Record, at index: Int) {
    journal?.add(.record(number, record))
    updates[index] = record
  }

  /// The waiting rows and records as journal entries.
  var entries: [Journal.JournalEntry] {
    (waiting + updates.sorted { $0.key < $1.key }.map(\.value)).map { .record(number, $0) }
  }

  var hasUnconfirmed: Bool { !waiting.isEmpty || !updates.isEmpty }

  /// The most bytes of disk that writing the waiting records takes.
  var waitingSize: Int { hasWaiting ? waiting.count * size + 131_072 : 0 }

  var hasWaiting: Bool { handedOver < waiting.count || !updates.isEmpty }

  /// Stores the waiting records.
  func write() throws {
    let records = waiting.dropFirst(handedOver)
    if !records.isEmpty {
      let bytes = records.enumerated().flatMap { format.encoded($1, at: count + $0) }
      try dataset.resize(to: count + records.count)
      try dataset.write(bytes, of: type.id, at: count, count: records.count)
      count += records.count
      handedOver = waiting.count
    }
    for (index, record) in updates {
      try dataset.write(format.encoded(record, at: index), of: type.id, at: index, count: 1)
    }
  }

  /// Releases the rows that were handed to libhdf5, after a flush of the file.
  func confirm() {
    waiting.removeFirst(handedOver)
    handedOver = 0
    updates = [:]
  }

  /// Takes over the records that the same table of a failed file may not have stored.
  func adopt(from old: EventTable) {
    let first = old.count - old.handedOver
    waiting += old.waiting.enumerated().filter { first + $0.offset >= count }.map(\.element)
    updates = old.updates
  }

  /// Reads all records, or the last ones; nil stands for a record with a wrong checksum.
  func records(last most: Int? = nil) throws -> [Record?] {
    let read = min(most ?? count, count)
    let start = count - read
    var bytes = [UInt8](repeating: 0, count: read * size)
    try dataset.read(into: &bytes, of: type.id, at: start, count: read)
    return (0..<read).map { format.decoded(Array(bytes[$0 * size..<($0 + 1) * size]), at: start + $0) }
  }

  /// Reads the records in which a text part has one of some values, block by block; other records are not decoded.
  func records(where part: String, isOneOf values: Set<String>) throws -> [Record] {
    guard let index = format.parts.firstIndex(where: { $0.name == part }) else { return [] }
    let place = format.parts[..<index].reduce(0) { $0 + $1.size }
    let wanted = values.map { Array($0.utf8) + [0] }
    var found: [Record] = []
    var bytes: [UInt8] = []
    for start in stride(from: 0, to: count, by: 4096) {
      let read = min(4096, count - start)
      bytes = [UInt8](repeating: 0, count: read * size)
      try dataset.read(into: &bytes, of: type.id, at: start, count: read)
      for row in 0..<read {
        let record = bytes[row * size..<(row + 1) * size]
        guard wanted.contains(where: { record.dropFirst(place).starts(with: $0) }) else { continue }
        if let decoded = format.decoded(Array(record), at: start + row) { found.append(decoded) }
      }
    }
    return found
  }

  /// Replaces the records, and writes only from the first changed one on. Not allowed with concurrent readers.
  func replace(_ old: [Record?], by new: [Record]) throws {
    count = zip(old, new).prefix { encodedOrNil($0) == format.encoded($1, at: 0) }.count
    try dataset.resize(to: count)
    precondition(waiting.isEmpty, "a table is rewritten only before records are appended to it")
    waiting = Array(new.dropFirst(count))
    try write()
    confirm()
  }

  private func encodedOrNil(_ record: Record?) -> [UInt8]? { record.map { format.encoded($0, at: 0) } }
}
