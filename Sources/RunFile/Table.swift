// Columns of equal length with a checksum a row, and bytes a row where it has them: `/metrics`, `/heldout`, `/samples/…`.
// A row exists when its checksum, written last, holds. Rows wait in memory until `write`.
import CHDF5
import Foundation
import Run

/// What one column of a table holds.
struct Column {
  enum Storage { case float32, float64, unsigned64 }

  /// Below the table's group: `loss/ntp`.
  let path: String
  let storage: Storage
  let unit: String
  let longName: String

  init(_ path: String, _ storage: Storage, _ unit: String, _ longName: String) {
    self.path = path
    self.storage = storage
    self.unit = unit
    self.longName = longName
  }

  init<Report>(_ metric: Metric<Report>) {
    let storage: Storage =
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

  private func whole(_ value: Double) -> UInt64 { holds(value) ? UInt64(value) : .max }

  /// Whether a value is one that the column can have: whole numbers are counted exactly.
  func holds(_ value: Double) -> Bool { storage != .unsigned64 || value >= 0 && value < 0x1p53 }

  /// Adds a value to a row's checksum, in the form in which it is stored.
  func add(_ value: Double, to sum: inout Checksum) {
    switch storage {
    case .float32: sum.add(value.isNaN ? Float.nan.bitPattern : Float(value).bitPattern)
    case .float64: sum.add(value.isNaN ? Double.nan.bitPattern : value.bitPattern)
    case .unsigned64: sum.add(whole(value))
    }
  }
}

/// A table of a run file, open for appending or for reading.
final class Table {
  struct Row: Equatable {
    /// One a column.
    var values: [Double]
    var payload: [UInt8] = []

    /// Whether all bits that are stored are equal: not-a-number is itself, and a column of 32 bits has 32 bits.
    func isSame(as other: Row) -> Bool {
      payload == other.payload && values.count == other.values.count
        && zip(values, other.values).allSatisfy { Float($0).bitPattern == Float($1).bitPattern }
    }
  }

  /// Its group in the file: `/metrics`.
  let group: String
  let columns: [Column]
  private let datasets: [Dataset]
  private let commit: Dataset
  /// Where each row's payload ends in `bytes`; only tables with payloads have them.
  private let ends: Dataset?
  private let bytes: Dataset?
  /// Where rows go first, and the table's number there.
  var journal: Journal?
  var number: UInt8 = 0
  /// Rows in the file.
  private(set) var count = 0
  private var byteCount = 0
  /// Rows that are not surely in the file yet, and how many of them were handed to libhdf5.
  private var waiting: [Row] = []
  private var handedOver = 0

  /// Creates its datasets; the groups exist.
  init(creating group: String, columns: [Column], hasPayload: Bool, in file: File) throws {
    self.group = group
    self.columns = columns
    func column(_ column: Column, _ type: hid_t, chunk: Int = 4096) throws -> Dataset {
      let path = group + "/" + column.path
      let dataset = try Dataset(creating: path, of: type, chunk: chunk, in: file)
      try Group.set("units", column.unit, on: path, in: file)
      try Group.set("long_name", column.longName, on: path, in: file)
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
    try Group.set("columns", columns.map(\.path), on: group + "/commit", in: file)
  }

  /// Opens its datasets. Rows past the shortest column do not exist.
  init(opening group: String, columns: [Column], hasPayload: Bool, in file: File) throws {
    self.group = group
    self.columns = columns
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

  /// Bytes that writing the waiting rows may take from the disk, new chunks included.
  var waitingSize: Int {
    guard hasWaiting else { return 0 }
    let chunks = waiting.count / 4096 + 2
    return chunks * 4096 * (columns.count + 2) * 8 + waiting.reduce(0) { $0 + $1.payload.count }
      + (bytes == nil ? 0 : 2 * 65536)
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
    let sums = rows.enumerated().map { checksum($1, at: start + $0) }
    try commit.resize(to: start + rows.count)
    try commit.write(sums, of: h5_memory_u32(), at: start, count: rows.count)
    count += rows.count
    handedOver = waiting.count
  }

  /// The file was flushed: what was handed over need not be kept.
  func confirm() {
    waiting.removeFirst(handedOver)
    handedOver = 0
  }

  /// Takes over the rows that the same table of a failed file may not have stored.
  func adopt(from old: Table) {
    let first = old.count - old.handedOver
    waiting += old.waiting.enumerated().filter { first + $0.offset >= count }.map(\.element)
  }

  /// Whether a row has a value for each column, and one that the column can have.
  func takes(_ row: Row) -> Bool {
    row.values.count == columns.count && zip(columns, row.values).allSatisfy { $0.holds($1) }
  }

  private func checksum(_ row: Row, at index: Int) -> UInt32 {
    var sum = Checksum()
    sum.add(UInt64(index))
    for (column, value) in zip(columns, row.values) { column.add(value, to: &sum) }
    sum.add(row.payload)
    return sum.value
  }

  /// Reads rows; nil stands for one whose checksum does not hold.
  func rows(from start: Int = 0) throws -> [Row?] {
    let wanted = count - start
    guard wanted > 0 else { return [] }
    let values = try datasets.map { try numbers($0, start, wanted) }
    var sums = [UInt32](repeating: 0, count: wanted)
    try commit.read(into: &sums, of: h5_memory_u32(), at: start, count: wanted)
    let ends = try ends.map { try numbers($0, max(0, start - 1), start == 0 ? wanted : wanted + 1) }
    let payload = try allBytes()
    return (0..<wanted).map { index in
      var row = Row(values: values.map { $0[index] })
      if let ends {
        let last = start == 0 ? index : index + 1
        let from = last == 0 ? 0 : ends[last - 1]
        guard from >= 0, from <= ends[last], ends[last] <= Double(payload.count) else { return nil }
        row.payload = Array(payload[Int(from)..<Int(ends[last])])
      }
      return takes(row) && checksum(row, at: start + index) == sums[index] ? row : nil
    }
  }

  private func numbers(_ dataset: Dataset, _ start: Int, _ count: Int) throws -> [Double] {
    var values = [Double](repeating: 0, count: count)
    try dataset.read(into: &values, of: h5_memory_double(), at: start, count: count)
    return values
  }

  private func allBytes() throws -> [UInt8] {
    guard let bytes else { return [] }
    var payload = [UInt8](repeating: 0, count: byteCount)
    try bytes.read(into: &payload, of: h5_u8(), at: 0, count: byteCount)
    return payload
  }

  /// Makes these its rows, and writes only from the first that is new. Never while readers may be there.
  /// - Parameter old: what `rows()` returned.
  func replace(_ old: [Row?], by new: [Row]) throws {
    let same = zip(old, new).prefix { $0 == $1 }.count
    count = same
    byteCount = new.prefix(same).reduce(0) { $0 + $1.payload.count }
    for dataset in datasets + [commit] + (ends.map { [$0] } ?? []) { try dataset.resize(to: count) }
    try bytes?.resize(to: byteCount)
    precondition(waiting.isEmpty, "a table is rewritten only before rows are appended to it")
    waiting = Array(new.dropFirst(same))
    try write()
    confirm()
  }
}
