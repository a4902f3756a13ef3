// Reads the rows of a table in blocks, and verifies each row's checksum.
import CHDF5
import Run

extension Table {
  /// Consecutive rows, by column.
  struct RowBlock {
    /// The number of the first row.
    let start: Int
    /// One array per column, with one number per row.
    let columns: [[Double]]
    /// The checksums as they are stored.
    let sums: [UInt32]
    let payloads: [ArraySlice<UInt8>]?
    /// Whether each row's checksum is correct.
    let isWhole: [Bool]

    init(
      start: Int, columns: [[Double]], sums: [UInt32], payloads: [ArraySlice<UInt8>]?, isWhole: [Bool]
    ) {
      self.start = start
      self.columns = columns
      self.sums = sums
      self.payloads = payloads
      self.isWhole = isWhole
    }

    /// Rows that are known already.
    init(start: Int, rows: [Row]) {
      self.start = start
      columns = (rows.first?.values.indices ?? 0..<0).map { column in rows.map { $0.values[column] } }
      sums = Array(repeating: 0, count: rows.count)
      payloads = nil
      isWhole = Array(repeating: true, count: rows.count)
    }

    var count: Int { sums.count }

    /// A row of the block; nil if its checksum is wrong.
    func row(_ index: Int) -> Row? {
      guard isWhole[index] else { return nil }
      return Row(values: columns.map { $0[index] }, payload: payloads.map { Array($0[index]) } ?? [])
    }
  }

  /// Rows per block, so that a long run does not fill the memory.
  private static var blockRows: Int { 65_536 }

  /// Calls `body` with the rows from `start` to `end` (or the last row), in blocks.
  func forEachBlock(from start: Int = 0, to end: Int? = nil, _ body: (RowBlock) throws -> Void) throws {
    let end = end ?? count
    for first in stride(from: start, to: end, by: Self.blockRows) {
      try body(block(from: first, count: min(Self.blockRows, end - first)))
    }
  }

  /// Reads rows that exist.
  func block(from start: Int, count: Int) throws -> RowBlock {
    let values = try datasets.map { try numbers($0, start, count) }
    var sums = [UInt32](repeating: 0, count: count)
    try commit.read(into: &sums, of: h5_memory_u32(), at: start, count: count)
    let payloads = try payloads(start, count)
    var isWhole = [Bool](repeating: false, count: count)
    var packed = RowBytes(columns)
    for row in 0..<count {
      guard payloads.map({ $0[row] != nil }) ?? true else { continue }
      isWhole[row] =
        packed.pack(values, row, at: start + row)
        && packed.checksum(with: payloads?[row] ?? []) == sums[row]
    }
    return RowBlock(
      start: start, columns: values, sums: sums, payloads: payloads.map { $0.map { $0 ?? [] } }, isWhole: isWhole)
  }

  /// Reads rows from `start` on, all or some; nil stands for a row with a wrong checksum.
  func rows(from start: Int = 0, count wanted: Int? = nil) throws -> [Row?] {
    let end = min(count, start + min(wanted ?? count, count))
    guard start < end else { return [] }
    var rows: [Row?] = []
    rows.reserveCapacity(end - start)
    try forEachBlock(from: start, to: end) { block in for index in 0..<block.count { rows.append(block.row(index)) } }
    return rows
  }

  /// The first row from `start` on with a wrong checksum; nil if there is none.
  func firstDamaged(from start: Int = 0) throws -> Int? {
    var damaged: Int?
    try forEachBlock(from: start) { block in
      if damaged == nil, let index = block.isWhole.firstIndex(of: false) { damaged = block.start + index }
    }
    return damaged
  }

  /// The first row whose value in the first column is at least `number`; the values ascend.
  func firstRow(from number: Double) throws -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if try numbers(datasets[0], middle, 1)[0] < number { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// Checksums as they are stored.
  func sums(from start: Int, count: Int) throws -> [UInt32] {
    var sums = [UInt32](repeating: 0, count: count)
    try commit.read(into: &sums, of: h5_memory_u32(), at: start, count: count)
    return sums
  }

  private func numbers(_ dataset: Dataset, _ start: Int, _ count: Int) throws -> [Double] {
    var values = [Double](repeating: 0, count: count)
    try dataset.read(into: &values, of: h5_memory_double(), at: start, count: count)
    return values
  }

  /// Each row's payload; nil for a row whose payload is outside the file, and for a table without payloads.
  private func payloads(_ start: Int, _ count: Int) throws -> [ArraySlice<UInt8>?]? {
    guard let ends, let bytes else { return nil }
    let before = start == 0 ? 0 : 1
    let places = try (before == 0 ? [0] : []) + numbers(ends, start - before, count + before)
    func isRange(_ row: Int) -> Bool {
      places[row] >= 0 && places[row] <= places[row + 1] && places[row + 1] <= Double(byteCount)
    }
    let sound = (0..<count).filter(isRange)
    let first = sound.map { Int(places[$0]) }.min() ?? 0
    let last = sound.map { Int(places[$0 + 1]) }.max() ?? 0
    var payload = [UInt8](repeating: 0, count: last - first)
    try bytes.read(into: &payload, of: h5_u8(), at: first, count: payload.count)
    return (0..<count).map { isRange($0) ? payload[Int(places[$0]) - first..<Int(places[$0 + 1]) - first] : nil }
  }
}

/// The bytes that a row's checksum covers: the row's number, then its values as stored.
struct RowBytes {
  private let columns: [Column]
  private var bytes: [UInt8]

  init(_ columns: [Column]) {
    self.columns = columns
    bytes = [UInt8](repeating: 0, count: columns.reduce(8) { $0 + $1.size })
  }

  /// Packs a row.
  /// - Returns: true if each value is valid for its column.
  mutating func pack(_ values: [[Double]], _ row: Int, at index: Int) -> Bool {
    pack(index) { values[$0][row] }
  }

  mutating func pack(_ row: Table.Row, at index: Int) -> Bool {
    row.values.count == columns.count && pack(index) { row.values[$0] }
  }

  private mutating func pack(_ index: Int, _ value: (Int) -> Double) -> Bool {
    var isSound = true
    columns.withUnsafeBufferPointer { columns in
      bytes.withUnsafeMutableBytes { bytes in
        bytes.storeBytes(of: UInt64(index).littleEndian, as: UInt64.self)
        var place = 8
        for column in columns.indices {
          let value = value(column)
          switch columns[column].storage {
          case .float32:
            let bits = value.isNaN ? Float.nan.bitPattern : Float(value).bitPattern
            bytes.storeBytes(of: bits.littleEndian, toByteOffset: place, as: UInt32.self)
            place += 4
          case .float64:
            let bits = value.isNaN ? Double.nan.bitPattern : value.bitPattern
            bytes.storeBytes(of: bits.littleEndian, toByteOffset: place, as: UInt64.self)
            place += 8
          case .unsigned64:
            if !columns[column].holds(value) { isSound = false }
            bytes.storeBytes(of: columns[column].whole(value).littleEndian, toByteOffset: place, as: UInt64.self)
            place += 8
          }
        }
      }
    }
    return isSound
  }

  /// The checksum of the row packed last and of its payload.
  func checksum(with payload: ArraySlice<UInt8>) -> UInt32 {
    var sum = Checksum()
    sum.add(bytes)
    payload.withUnsafeBytes { sum.add($0) }
    return sum.value
  }
}
