// Columns of equal length with a checksum a row, and bytes a row where it has them: `/metrics`, `/heldout`, `/samples/…`.
// A row exists when its checksum, written last, holds. Rows wait in memory until `write`.
import CHDF5
import Foundation
import Run

/// What one column of a table holds.
struct Column {
  enum ColumnType { case float32, float64, unsigned64 }

  /// Below the table's group: `loss/ntp`.
  let path: String
  let storage: ColumnType
  let unit: String
  let longName: String

  init(_ path: String, _ storage: ColumnType, _ unit: String, _ longName: String) {
    self.path = path
    self.storage = storage
    self.unit = unit
    self.longName = longName
  }

  init<Report>(_ metric: Metric<Report>) {
    let storage: ColumnType =
      switch metric.storage {
      case .float32: .float32
      case .float64: .float64
      case .unsigned64: .unsigned64
      }
    self.init(metric.path, storage, metric.unit, metric.longName)
  }

  /// Its type in the file.
  var type: hid_t {
    switch storage {
    case .float32: h5_f32()
    case .float64: h5_f64()
    case .unsigned64: h5_u64()
    }
  }

  /// What comes back when `value` is stored and read.
  func stored(_ value: Double) -> Double {
    switch storage {
    case .float32: value.isNaN ? .nan : Double(Float(value))
    case .float64: value.isNaN ? .nan : value
    case .unsigned64: Double(whole(value))
    }
  }

  func whole(_ value: Double) -> UInt64 { holds(value) ? UInt64(value) : .max }

  /// Whether a value is one that the column can have: whole numbers are counted exactly.
  func holds(_ value: Double) -> Bool {
    storage != .unsigned64 || value >= 0 && value < 0x1p53 && value.rounded(.towardZero) == value
  }

  /// Bytes a value in the file.
  var size: Int { storage == .float32 ? 4 : 8 }
}

/// A table of a run file, open for appending or for reading.
final class Table {
  struct Row: Equatable {
    /// One a column.
    var values: [Double]
    var payload: [UInt8] = []

    /// Whether all bits that are stored are equal: not-a-number is itself, and a column of 32 bits has 32 bits.
    func isSame(as other: Row, _ columns: [Column]) -> Bool {
      payload == other.payload && values.count == other.values.count
        && zip(columns, zip(values, other.values)).allSatisfy { column, pair in
          column.stored(pair.0).bitPattern == column.stored(pair.1).bitPattern
        }
    }
  }

  /// Its group in the file: `/metrics`.
  let group: String
  let columns: [Column]
  let datasets: [Dataset]
  let commit: Dataset
  /// Where each row's payload ends in `bytes`; only tables with payloads have them.
  let ends: Dataset?
  let bytes: Dataset?
  /// Where rows go first, and the table's number there.
  var journal: Journal?
  var number: UInt8 = 0
  /// Rows in the file.
  private(set) var count = 0
  private(set) var byteCount = 0
  /// Rows that are not surely in the file yet, and how many of them were handed to libhdf5.
  private var waiting: [Row] = []
  private var handedOver = 0

  /// Rows that lie together in the file.
  private let chunk: Int

  /// Creates its datasets; the groups exist.
  init(creating group: String, columns: [Column], hasPayload: Bool, chunk rows: Int = 4096, in file: File) throws {
    self.group = group
    self.columns = columns
    chunk = rows
    func column(_ column: Column, _ type: hid_t, chunk: Int? = nil) throws -> Dataset {
      let path = group + "/" + column.path
      let dataset = try Dataset(creating: path, of: type, chunk: chunk ?? rows, in: file)
      try HDF5Group.set("units", column.unit, on: path, in: file)
      try HDF5Group.set("long_name", column.longName, on: path, in: file)
      return dataset
    }
    datasets = try columns.map { try column($0, $0.type) }
    ends =
      hasPayload ? try column(Column("end", .unsigned64, "bytes", "where the row's bytes end"), h5_u64()) : nil
    bytes =
      hasPayload
      ? try column(Column("bytes", .unsigned64, "1", "JSON in UTF-8, row after row"), h5_u8(), chunk: 65536) : nil
    let sum = Column("commit", .unsigned64, "1", "CRC32C of row number, values and bytes; a row without it is none")
    commit = try column(sum, h5_u32())
    try HDF5Group.set("columns", columns.map(\.path), on: group + "/commit", in: file)
  }

  /// Opens its datasets. Rows past the shortest column do not exist.
  init(opening group: String, columns: [Column], hasPayload: Bool, chunk: Int = 4096, in file: File) throws {
    self.group = group
    self.columns = columns
    self.chunk = chunk
    // The checksums come first: what grows while a live file is being opened is only longer in the other columns.
    commit = try Dataset(opening: group + "/commit", of: h5_u32(), in: file)
    datasets = try columns.map { try Dataset(opening: group + "/" + $0.path, of: $0.type, in: file) }
    ends = hasPayload ? try Dataset(opening: group + "/end", of: h5_u64(), in: file) : nil
    bytes = hasPayload ? try Dataset(opening: group + "/bytes", of: h5_u8(), in: file) : nil
    count = try ([commit] + datasets + (ends.map { [$0] } ?? [])).map { try $0.count() }.min() ?? 0
    byteCount = try bytes?.count() ?? 0
  }

  /// How many rows each of its datasets has; the bytes of the rows not among them.
  func lengths() throws -> [(path: String, rows: Int)] {
    try (datasets + [commit] + (ends.map { [$0] } ?? [])).map { ($0.path, try $0.count()) }
  }

  private var all: [Dataset] { datasets + [commit] + (ends.map { [$0] } ?? []) + (bytes.map { [$0] } ?? []) }

  var paths: [String] { all.map(\.path) }

  /// Lets go of the file. What waits stays, for `adopt`.
  func close() { for dataset in all { dataset.close() } }

  /// See `File.abandon`.
  func abandon() { for dataset in all { dataset.abandon() } }

  /// Rows, those that wait included.
  var total: Int { count + waiting.count - handedOver }

  /// Puts a row in line; `write` stores it.
  func append(_ row: Row) {
    journal?.add(.row(number, row))
    waiting.append(row)
  }

  var hasWaiting: Bool { handedOver < waiting.count }

  var hasUnconfirmed: Bool { !waiting.isEmpty }

  /// What waits, as a journal has it.
  var entries: [Journal.JournalEntry] { waiting.map { .row(number, $0) } }

  /// Bytes that writing the waiting rows may take from the disk, new chunks included.
  var waitingSize: Int {
    guard hasWaiting else { return 0 }
    return size(ofRows: 0) + waiting.reduce(0) { $0 + $1.payload.count }
      + (bytes == nil ? 0 : 65536)
  }

  /// Bytes that so many more rows take: the chunks that they begin, and what libhdf5 notes of each.
  func size(ofRows rows: Int) -> Int {
    let begun = (total + rows + chunk - 1) / chunk - (count + chunk - 1) / chunk
    return begun * (columns.reduce(16) { $0 + $1.size } * chunk + (columns.count + 2) * 4096)
  }

  /// Stores the rows that wait, checksums last.
  func write() throws {
    let rows = waiting.dropFirst(handedOver)
    guard !rows.isEmpty else { return }
    let start = count
    for (index, dataset) in datasets.enumerated() {
      try dataset.resize(to: start + rows.count)
      let values = rows.map { $0.values[index] }
      try dataset.write(values, of: h5_memory_double(), at: start, count: rows.count)
    }
    if let ends, let bytes {
      let payload = rows.flatMap(\.payload)
      try bytes.resize(to: byteCount + payload.count)
      try bytes.write(payload, of: h5_u8(), at: byteCount, count: payload.count)
      var end = byteCount
      let places = rows.map { row in
        end += row.payload.count
        return Double(end)
      }
      try ends.resize(to: start + rows.count)
      try ends.write(places, of: h5_memory_double(), at: start, count: rows.count)
      byteCount = end
    }
    var packed = RowBytes(columns)
    let sums = rows.enumerated().map { offset, row in
      _ = packed.pack(row, at: start + offset)
      return packed.checksum(with: row.payload[...])
    }
    try commit.resize(to: start + rows.count)
    try commit.write(sums, of: h5_memory_u32(), at: start, count: rows.count)
    count += rows.count
    handedOver = waiting.count
  }

  /// The file was flushed: what was handed over need not be kept.
  func confirm() {
    // A copy, since the array would keep the room that it needed while the file could not be written.
    waiting = Array(waiting[handedOver...])
    handedOver = 0
  }

  /// Takes over the rows that the same table of a failed file may not have stored.
  func adopt(from old: Table) {
    let first = old.count - old.handedOver
    waiting += old.waiting.enumerated().filter { first + $0.offset >= count }.map(\.element)
  }

  /// Whether a row has a value for each column, and one that the column can have.
  func fits(_ row: Row) -> Bool {
    row.values.count == columns.count && zip(columns, row.values).allSatisfy { $0.holds($1) }
  }

  /// Makes these its rows, and writes only from the first that is new. Never while readers may be there.
  /// - Parameters:
  ///   - kept: how many of its first rows stay, and are in neither list.
  ///   - old: what `rows(from: kept)` returned.
  func replace(keeping kept: Int = 0, _ old: [Row?], by new: [Row]) throws {
    precondition(kept == 0 || bytes == nil, "a table with payloads is replaced as a whole")
    let same = zip(old, new).prefix { $0?.isSame(as: $1, columns) == true }.count
    try cut(to: kept + same, bytes: new.prefix(same).reduce(0) { $0 + $1.payload.count })
    precondition(waiting.isEmpty, "a table is rewritten only before rows are appended to it")
    waiting = Array(new.dropFirst(same))
    try write()
    confirm()
  }

  /// Stores whole rows of another file at once.
  func add(_ block: RowBlock) throws { try add((0..<block.count).compactMap(block.row)) }

  /// Stores rows at once.
  /// - Parameter prepare: makes sure that the disk has room for what waits.
  func add(_ rows: [Row], after prepare: () throws -> Void = {}) throws {
    waiting += rows
    try prepare()
    try write()
    confirm()
  }

  /// Forgets all but the first rows. Never while readers may be there.
  func cut(to rows: Int, bytes length: Int = 0) throws {
    for dataset in datasets + [commit] + (ends.map { [$0] } ?? []) { try dataset.resize(to: rows) }
    try bytes?.resize(to: length)
    (count, byteCount) = (rows, length)
  }
}
