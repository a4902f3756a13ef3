// A table: columns of equal length with a checksum per row, and for some tables a payload per row: `/metrics`,
// `/heldout`, `/samples/…`. A row exists only if its checksum, which is written last, is correct. Rows wait in memory
// until `write`.
import CHDF5
import Foundation
import Run

/// A column of a table.
struct Column {
  enum ColumnType { case float32, float64, unsigned64 }

  /// The path below the table's group: `loss/ntp`.
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

  /// The HDF5 type in the file.
  var type: hid_t {
    switch storage {
    case .float32: h5_f32()
    case .float64: h5_f64()
    case .unsigned64: h5_u64()
    }
  }

  /// The value that is read back after `value` was stored.
  func stored(_ value: Double) -> Double {
    switch storage {
    case .float32: value.isNaN ? .nan : Double(Float(value))
    case .float64: value.isNaN ? .nan : value
    case .unsigned64: Double(whole(value))
    }
  }

  func whole(_ value: Double) -> UInt64 { holds(value) ? UInt64(value) : .max }

  /// True if the column can store a value exactly enough: integers must be exact.
  func holds(_ value: Double) -> Bool {
    storage != .unsigned64 || value >= 0 && value < 0x1p53 && value.rounded(.towardZero) == value
  }

  /// Bytes per value in the file.
  var size: Int { storage == .float32 ? 4 : 8 }
}

/// A table of a run file, open for appending or for reading.
final class Table {
  struct Row: Equatable {
    /// One value per column.
    var values: [Double]
    var payload: [UInt8] = []

    /// True if all stored bits are equal: NaN equals NaN, and in 32-bit columns only 32 bits are compared.
    func isSame(as other: Row, _ columns: [Column]) -> Bool {
      payload == other.payload && values.count == other.values.count
        && zip(columns, zip(values, other.values)).allSatisfy { column, pair in
          column.stored(pair.0).bitPattern == column.stored(pair.1).bitPattern
        }
    }
  }

  /// The table's group in the file: `/metrics`.
  let group: String
  let columns: [Column]
  let datasets: [Dataset]
  let commit: Dataset
  /// Where each row's payload ends in `bytes`; only tables with payloads have them.
  let ends: Dataset?
  let bytes: Dataset?
  /// The journal, into which rows are written first.
  var journal: Journal?
  /// The table's number in the journal.
  var number: UInt8 = 0
  /// Number of rows in the file.
  private(set) var count = 0
  private(set) var byteCount = 0
  /// Rows that may not be in the file yet.
  private var waiting: [Row] = []
  /// How many of the waiting rows were handed to libhdf5.
  private var handedOver = 0

  /// Rows per chunk.
  private let chunk: Int

  /// Creates the table's datasets; the groups exist.
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
    let sum = Column(
      "commit", .unsigned64, "1", "CRC32C of row number, values and bytes; a row without one does not exist")
    commit = try column(sum, h5_u32())
    try HDF5Group.set("columns", columns.map(\.path), on: group + "/commit", in: file)
  }

  /// Opens the table's datasets. The shortest column determines the number of rows.
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

  /// Number of rows of each dataset, except the payloads.
  func lengths() throws -> [(path: String, rows: Int)] {
    try (datasets + [commit] + (ends.map { [$0] } ?? [])).map { ($0.path, try $0.count()) }
  }

  private var all: [Dataset] { datasets + [commit] + (ends.map { [$0] } ?? []) + (bytes.map { [$0] } ?? []) }

  var paths: [String] { all.map(\.path) }

  /// Closes the datasets. Waiting rows are kept, for `adopt`.
  func close() { for dataset in all { dataset.close() } }

  /// See `File.abandon`.
  func abandon() { for dataset in all { dataset.abandon() } }

  /// Number of rows, including waiting ones.
  var total: Int { count + waiting.count - handedOver }

  /// Appends a row to the waiting rows; `write` stores it.
  func append(_ row: Row) {
    journal?.add(.row(number, row))
    waiting.append(row)
  }

  var hasWaiting: Bool { handedOver < waiting.count }

  var hasUnconfirmed: Bool { !waiting.isEmpty }

  /// The waiting rows and records as journal entries.
  var entries: [Journal.JournalEntry] { waiting.map { .row(number, $0) } }

  /// The most bytes of disk that writing the waiting rows takes, including new chunks.
  var waitingSize: Int {
    guard hasWaiting else { return 0 }
    return size(ofRows: 0) + waiting.reduce(0) { $0 + $1.payload.count }
      + (bytes == nil ? 0 : 65536)
  }

  /// Bytes of disk that so many more rows take: new chunks, and libhdf5's index of them.
  func size(ofRows rows: Int) -> Int {
    let begun = (total + rows + chunk - 1) / chunk - (count + chunk - 1) / chunk
    return begun * (columns.reduce(16) { $0 + $1.size } * chunk + (columns.count + 2) * 4096)
  }

  /// Stores the waiting rows, checksums last.
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

  /// Releases the rows that were handed to libhdf5, after a flush of the file.
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

  /// True if a row has a valid value for each column.
  func fits(_ row: Row) -> Bool {
    row.values.count == columns.count && zip(columns, row.values).allSatisfy { $0.holds($1) }
  }

  /// Replaces the table's rows, and writes only from the first changed row on. Not allowed with concurrent readers.
  /// - Parameters:
  ///   - kept: the number of leading rows that stay and are in neither list.
  ///   - old: the result of `rows(from: kept)`.
  func replace(keeping kept: Int = 0, _ old: [Row?], by new: [Row]) throws {
    precondition(kept == 0 || bytes == nil, "a table with payloads is replaced as a whole")
    let same = zip(old, new).prefix { $0?.isSame(as: $1, columns) == true }.count
    try cut(to: kept + same, bytes: new.prefix(same).reduce(0) { $0 + $1.payload.count })
    precondition(waiting.isEmpty, "a table is rewritten only before rows are appended to it")
    waiting = Array(new.dropFirst(same))
    try write()
    confirm()
  }

  /// Stores the undamaged rows of a block of another file.
  func add(_ block: RowBlock) throws { try add((0..<block.count).compactMap(block.row)) }

  /// Stores rows immediately.
  /// - Parameter prepare: reserves disk space for the waiting rows.
  func add(_ rows: [Row], after prepare: () throws -> Void = {}) throws {
    waiting += rows
    try prepare()
    try write()
    confirm()
  }

  /// Truncates the table to its first rows. Not allowed with concurrent readers.
  func cut(to rows: Int, bytes length: Int = 0) throws {
    for dataset in datasets + [commit] + (ends.map { [$0] } ?? []) { try dataset.resize(to: rows) }
    try bytes?.resize(to: length)
    (count, byteCount) = (rows, length)
  }
}
