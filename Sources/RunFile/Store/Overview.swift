// The overview of /metrics: 64 rows are summed up in one row of /overview/L1, 64 of these in one row of L2, and so on,
// so that a chart of ten million steps is drawn from a few thousand rows. The overview can be made again from /metrics.
import CHDF5
import Run

final class Overview {
  /// Number of rows that one row of the next level sums up.
  static let factor = 64
  static let names = ["L1", "L2", "L3"]
  /// The columns with the last step of a row.
  static let axes = ["step", "tokens", "time", "active"]
  /// The statistics of every other column.
  static let parts = ["minimum", "maximum", "mean", "bad"]
  /// Rows per chunk, for each level.
  private static let chunks = [1024, 256, 64]

  let metrics: Table
  /// The levels, the finest first; their first columns are the axes, as in /metrics.
  let levels: [Table]
  /// Indices of the columns of /metrics that are summed up.
  private let summed: [Int]

  init(creating metrics: Table, in file: File) throws {
    self.metrics = metrics
    summed = Self.summed(metrics)
    let columns = Self.columns(metrics)
    levels = try zip(Self.names, Self.chunks).map { name, chunk in
      let group = "/overview/" + name
      try Self.createGroups(group, metrics, in: file)
      let level = try Table(creating: group, columns: columns, hasPayload: false, chunk: chunk, in: file)
      try Self.label(group, metrics, in: file)
      return level
    }
  }

  init(opening metrics: Table, in file: File) throws {
    self.metrics = metrics
    summed = Self.summed(metrics)
    let columns = Self.columns(metrics)
    levels = try zip(Self.names, Self.chunks).map { name, chunk in
      try Table(opening: "/overview/" + name, columns: columns, hasPayload: false, chunk: chunk, in: file)
    }
  }

  private static func summed(_ metrics: Table) -> [Int] {
    metrics.columns.indices.filter { !axes.contains(metrics.columns[$0].path) }
  }

  private static func columns(_ metrics: Table) -> [Column] {
    let places = metrics.columns.filter { axes.contains($0.path) }
    let sums = summed(metrics).flatMap { index in
      let column = metrics.columns[index]
      return [
        Column(column.path + "/minimum", .float32, column.unit, "smallest finite \(column.longName)"),
        Column(column.path + "/maximum", .float32, column.unit, "largest finite \(column.longName)"),
        Column(column.path + "/mean", .float32, column.unit, "mean of the finite \(column.longName)"),
        Column(column.path + "/bad", .float32, "steps", "steps without a finite \(column.longName)"),
      ]
    }
    return places + sums + [Column("source", .unsigned64, "1", "CRC32C of the commits of the rows that are summed up")]
  }

  var paths: [String] { levels.flatMap(\.paths) }

  // MARK: Writing

  func close() { for level in levels { level.close() } }

  /// See `File.abandon`.
  func abandon() { for level in levels { level.abandon() } }

  /// The most bytes of disk that `extend` takes.
  var waitingSize: Int {
    let rows = max(0, metrics.total / Self.factor - levels[0].count)
    return rows == 0 ? 0 : levels.reduce(0) { $0 + $1.size(ofRows: rows) }
  }

  /// Sums up the rows of the file that are not summed up yet.
  func extend() throws {
    var below = metrics
    for (index, level) in levels.enumerated() {
      let missing = below.count / Self.factor - level.count
      if missing > 0 {
        try below.forEachBlock(from: level.count * Self.factor, to: (level.count + missing) * Self.factor) { block in
          for start in stride(from: 0, to: block.count, by: Self.factor) { level.append(sum(block, start, index)) }
        }
        try level.write()
        level.confirm()
      }
      below = level
    }
  }

  /// Makes the overview consistent with /metrics: for a file that was left open, or whose rows were changed.
  func mend() throws {
    var below = metrics
    for level in levels {
      try level.cut(to: sound(level, over: below))
      below = level
    }
    try extend()
  }

  /// Number of a level's leading rows that are undamaged and consistent with the rows below.
  func sound(_ level: Table, over below: Table) throws -> Int {
    let rows = min(level.count, below.count / Self.factor)
    var sound = rows
    try level.forEachBlock(to: rows) { block in
      guard sound == rows else { return }
      let sums = try below.sums(from: block.start * Self.factor, count: block.count * Self.factor)
      for index in 0..<block.count where sound == rows {
        let source = Self.source(sums[index * Self.factor..<(index + 1) * Self.factor])
        if !block.isWhole[index] || block.columns.last?[index] != source { sound = block.start + index }
      }
    }
    return sound
  }

  /// Rows that are inconsistent with the rows below, one sentence per level.
  func problems() throws -> [String] {
    var problems: [String] = []
    var below = metrics
    for (index, level) in levels.enumerated() {
      let wanted = below.count / Self.factor
      if level.count < wanted { problems.append("\(level.group) has \(level.count) rows, and \(wanted) are due") }
      var wrong: Int?
      try level.forEachBlock(to: min(level.count, wanted)) { block in
        guard wrong == nil else { return }
        let sums = try below.block(from: block.start * Self.factor, count: block.count * Self.factor)
        wrong = (0..<block.count).first { row in
          block.row(row)?.isSame(as: sum(sums, row * Self.factor, index), level.columns) != true
        }.map { block.start + $0 }
      }
      if let wrong {
        problems.append("row \(wrong) of \(level.group) is not the sum of the rows of \(below.group) below it")
      }
      below = level
    }
    return problems
  }

  // MARK: Reading

  /// Rows of a level, counted from 0. A damaged row is computed again from the rows below.
  func rows(_ level: Int, _ range: Range<Int>) throws -> [Table.Row] {
    let rows = try levels[level].rows(from: range.lowerBound, count: range.count)
    return try zip(range, rows).map { index, row in
      if let row { return row }
      let below = index * Self.factor..<(index + 1) * Self.factor
      let block =
        level == 0
        ? try metrics.block(from: below.lowerBound, count: below.count)
        : Table.RowBlock(start: below.lowerBound, rows: try self.rows(level - 1, below))
      let sum = sum(block, 0, level)
      return Table.Row(values: zip(levels[level].columns, sum.values).map { $0.stored($1) })
    }
  }

  /// A row of a level as a report, by the metrics of /metrics.
  static func report(_ row: Table.Row, _ level: Int, _ stepMetrics: [Metric<StepReport>]) -> StepsReport {
    var report = StepsReport(
      count: steps(level + 1), mean: .empty, minimum: .empty, maximum: .empty, bad: .empty)
    var place = axes.count
    for metric in stepMetrics {
      if let axis = axes.firstIndex(of: metric.path) {
        metric.restore(&report.mean, row.values[axis])
        continue
      }
      // A divergence that was never measured stays absent.
      if !(metric.path.hasPrefix("kl/") && row.values[place + 2].isNaN) {
        metric.restore(&report.minimum, row.values[place])
        metric.restore(&report.maximum, row.values[place + 1])
        metric.restore(&report.mean, row.values[place + 2])
        metric.restore(&report.bad, row.values[place + 3])
      }
      place += parts.count
    }
    return report
  }

  // MARK: Sums

  /// Number of steps that a row sums up: level 0 is /metrics, level 1 is L1.
  static func steps(_ level: Int) -> Int { (0..<level).reduce(1) { steps, _ in steps * factor } }

  /// Sums up 64 rows from the level below.
  private func sum(_ block: Table.RowBlock, _ start: Int, _ level: Int) -> Table.Row {
    let rows = start..<start + Self.factor
    let last = rows.last { block.isWhole[$0] } ?? rows.upperBound - 1
    var values = Self.axes.indices.map { block.columns[$0][last] }
    values.reserveCapacity(levels[level].columns.count)
    for part in summed.indices {
      var sum = Sum()
      for row in rows {
        if level == 0 {
          if block.isWhole[row] { sum.add(block.columns[summed[part]][row]) } else { sum.bad += 1 }
        } else {
          let first = Self.axes.count + part * Self.parts.count
          let steps = Double(Self.steps(level))
          let bad = block.isWhole[row] ? block.columns[first + 3][row] : steps
          sum.add(
            minimum: block.columns[first][row], maximum: block.columns[first + 1][row],
            mean: block.columns[first + 2][row], count: steps - bad)
          sum.bad += bad
        }
      }
      values += sum.values
    }
    return Table.Row(values: values + [Self.source(block.sums[rows])])
  }

  private static func source(_ sums: ArraySlice<UInt32>) -> Double {
    var sum = Checksum()
    for value in sums { sum.add(value) }
    return Double(sum.value)
  }

  // MARK: Labels

  private static func groups(_ group: String, _ metrics: Table) -> [String] {
    let paths = summed(metrics).map { "\(group)/\(metrics.columns[$0].path)" }
    let folders = paths.flatMap { path in
      path.split(separator: "/").indices.map { "/" + path.split(separator: "/")[0...$0].joined(separator: "/") }
    }
    return Set(folders).subtracting(["/overview"]).sorted()
  }

  private static func createGroups(_ group: String, _ metrics: Table, in file: File) throws {
    for folder in groups(group, metrics) { try HDF5Group.create(folder, in: file) }
  }

  /// Labels a level for tools that plot groups: the mean over the steps.
  private static func label(_ group: String, _ metrics: Table, in file: File) throws {
    let sums = Set(summed(metrics).map { "\(group)/\(metrics.columns[$0].path)" })
    for folder in groups(group, metrics) {
      guard sums.contains(folder) else {
        try HDF5Group.set("NX_class", "NXcollection", on: folder, in: file)
        continue
      }
      let what = "cannot link \(folder)/step in \(file.path)"
      try HDF5.check(
        H5Lcreate_hard(file.id, group + "/step", file.id, folder + "/step", h5_default(), h5_default()), what)
      try HDF5Group.set("NX_class", "NXdata", on: folder, in: file)
      try HDF5Group.set("signal", "mean", on: folder, in: file)
      try HDF5Group.set("axes", "step", on: folder, in: file)
      try HDF5Group.set("auxiliary_signals", ["maximum", "minimum"], on: folder, in: file)
    }
  }
}

/// Statistics of numbers; those that are not finite are counted and left out.
private struct Sum {
  private var minimum = Double.infinity
  private var maximum = -Double.infinity
  private var sum = 0.0
  private var count = 0.0
  var bad = 0.0

  mutating func add(_ value: Double) {
    if value.isFinite { add(minimum: value, maximum: value, mean: value, count: 1) } else { bad += 1 }
  }

  mutating func add(minimum: Double, maximum: Double, mean: Double, count: Double) {
    guard count > 0 else { return }
    self.minimum = min(self.minimum, minimum)
    self.maximum = max(self.maximum, maximum)
    sum += mean * count
    self.count += count
  }

  /// The statistics, in the order of a row's columns.
  var values: [Double] { count > 0 ? [minimum, maximum, sum / count, bad] : [.nan, .nan, .nan, bad] }
}
