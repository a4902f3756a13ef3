// The results of an experiment: a row per setting, with means over its seeds and its difference from one setting.
import Run
import TerminalUI

/// The table of results. A cell that is not over counts in `SettingRow.cells` only.
package struct ExperimentTable: Sendable {
  /// A row of the table.
  package struct SettingRow: Sendable {
    package let name: String
    /// The number of cells that are over, and of all cells.
    package let over: Int
    package let cells: Int
    package let diverged: Int
    /// Mean and standard deviation of each metric over the cells that ended without diverging.
    package let values: [MeanDeviation?]
    /// Difference of each metric from that of the setting `against`, with Welch's interval; nil for that setting itself, and
    /// with fewer than two seeds.
    package let differences: [WelchInterval?]
    /// Kaplan–Meier curve: the share of cells that solved the task, over rows trained on; nil without `stop.until`.
    package let solved: KaplanMeier?
    package let parameters: Int
    /// Training time of the cells that are over, in seconds; nil before one is.
    package let time: MeanDeviation?

    /// Difference of the first metric.
    package var difference: WelchInterval? { differences.first ?? nil }
  }

  package let name: String
  package let metrics: [String]
  /// The condition of `stop.until`; empty without one.
  package let until: String
  package let seeds: [UInt64]
  /// The index of the row that the others are compared with.
  package let against: Int
  package let rows: [SettingRow]
  package let cells: [ExperimentCell]
  package let results: [CellResult]
  /// Bytes of memory that a run of each setting needs; empty, or nil, where this is not known.
  package var memory: [Int?] = []

  /// - Parameters:
  ///   - cells: the file's cells.
  ///   - results: one result per cell.
  package init(_ file: ExperimentFile, _ cells: [ExperimentCell], _ results: [CellResult]) {
    precondition(cells.count == results.count)
    let metrics = file.metrics(of: cells)
    let until = cells.compactMap { (try? StopRule($0.recipe))?.condition?.text }.first ?? ""
    let places = Dictionary(grouping: cells.indices) { cells[$0].setting }
    func members(_ setting: Int) -> [CellResult] { (places[setting] ?? []).map { results[$0] } }
    func values(_ setting: Int, _ metric: String) -> [Double] {
      members(setting).filter { $0.isOver && $0.fate != .diverged }.compactMap { $0.evaluation?.number(named: metric) }
    }
    let base = file.base
    rows = file.settings.indices.map { setting in
      let members = members(setting)
      let over = members.filter(\.isOver)
      let differences = metrics.map { metric -> WelchInterval? in
        setting == base ? nil : WelchInterval(values(setting, metric), minus: values(base, metric))
      }
      return SettingRow(
        name: file.settings[setting].name, over: over.count, cells: members.count,
        diverged: over.count { $0.fate == .diverged }, values: metrics.map { MeanDeviation(values(setting, $0)) },
        differences: differences,
        solved: until.isEmpty || over.isEmpty ? nil : KaplanMeier(over.compactMap(\.observation)),
        parameters: members.map(\.parameters).max() ?? 0, time: MeanDeviation(over.map(\.active)))
    }
    (self.name, self.metrics, self.until, seeds, against) = (file.name, metrics, until, file.seeds, base)
    (self.cells, self.results) = (cells, results)
  }

  package var isOver: Bool { results.allSatisfy(\.isOver) }

  /// The recipe of a setting's first cell.
  func recipe(of setting: Int) -> Recipe? { cells.first { $0.setting == setting }?.recipe }

  /// `seeds: 1, 2, 3`.
  var seedWords: String { "seeds: \(seeds.map(String.init).joined(separator: ", "))" }

  // MARK: Text

  /// A metric's value as text.
  package static func figure(_ value: Double, of metric: String) -> String {
    Evaluation.isRising(metric) ? Figure.fixed(value, 3) : Figure.loss(value)
  }

  /// `0.996 ± 0.002 (6)`.
  static func figure(_ value: MeanDeviation?, of metric: String) -> String {
    guard let value else { return "–" }
    let deviation = value.deviation.map { " ± \(figure($0, of: metric))" } ?? ""
    return "\(figure(value.mean, of: metric))\(deviation) (\(value.count))"
  }

  static func figure(_ difference: WelchInterval, of metric: String) -> String {
    func signed(_ value: Double) -> String { Figure.change(value) { figure($0, of: metric) } }
    return "\(signed(difference.difference)) [\(signed(difference.lower)), \(signed(difference.upper))]"
  }

  /// The table as text: column names, and cells per row. Times are the last column, the only one that differs when the same
  /// experiment runs again.
  package var text: (header: [String], rows: [[String]]) {
    var header = ["setting", "cells"] + metrics
    if rows.count > 1 { header.append("against \(rows[against].name)") }
    if !until.isEmpty { header += ["solved", "share [95 %]", "half after"] }
    header.append("parameters")
    if hasMemory { header.append("memory") }
    header.append("time")
    let lines = rows.enumerated().map { index, row -> [String] in
      var line = [row.name, row.over == row.cells ? "\(row.cells)" : "\(row.over)/\(row.cells)"]
      if row.diverged > 0 { line[1] += " (\(row.diverged) diverged)" }
      line += zip(row.values, metrics).map(Self.figure)
      if rows.count > 1 {
        line.append(row.difference.map { Self.figure($0, of: metrics[0]) } ?? (index == against ? "" : "–"))
      }
      if !until.isEmpty { line += Self.solved(row.solved) }
      line.append(row.parameters > 0 ? Figure.short(Double(row.parameters)) : "–")
      if hasMemory { line.append(memory[index].map { Figure.bytes($0) } ?? "–") }
      line.append(row.time.map(Self.duration) ?? "–")
      return line
    }
    return (header, lines)
  }

  private var hasMemory: Bool { memory.count == rows.count && memory.contains { $0 != nil } }

  /// `1 m 20 s ± 3 s`.
  private static func duration(_ time: MeanDeviation) -> String {
    Figure.duration(time.mean) + (time.deviation.map { " ± \(Figure.duration($0))" } ?? "")
  }

  /// The differences of all metrics from those of one setting, a row per other setting; nil if the table above has them all.
  package var differenceText: (header: [String], rows: [[String]])? {
    guard rows.count > 1, metrics.count > 1 else { return nil }
    let others = rows.indices.filter { $0 != against }
    return (
      ["against \(rows[against].name)"] + metrics,
      others.map { index -> [String] in
        [rows[index].name]
          + zip(rows[index].differences, metrics).map { difference, metric in
            difference.map { Self.figure($0, of: metric) } ?? "–"
          }
      }
    )
  }

  private static func solved(_ curve: KaplanMeier?) -> [String] {
    guard let curve, let last = curve.steps.last else { return ["–", "–", "–"] }
    let count = curve.observations.count(where: \.isSolved)
    return [
      "\(count)/\(curve.observations.count)",
      "\(Figure.fixed(last.share, 2)) [\(Figure.fixed(last.lower, 2)), \(Figure.fixed(last.upper, 2))]",
      curve.median.map { Figure.short($0) } ?? "–",
    ]
  }

  /// Sentences on the meaning of the columns.
  package var notes: [String] {
    var notes: [String] = [
      "Values are means ± standard deviation over the seeds (number of runs), at the end of each run."
    ]
    if rows.count > 1 {
      notes.append("“against”: the difference of the first value, with its 95 % confidence interval (Welch).")
    }
    if hasMemory {
      notes.append("“memory”: what a run needs, as “foretop plan” computes it.")
    }
    if !until.isEmpty {
      notes.append(
        "“solved”: runs that reached \(until). The share and its 95 % interval are Kaplan and Meier's: runs that ended unsolved "
          + "are censored. “half after”: the samples after which half of the runs had solved it.")
    }
    return notes
  }
}
