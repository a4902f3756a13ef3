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
    /// Difference of the first metric from that of the setting `against`, with Welch's interval; nil for that setting itself,
    /// and with fewer than two seeds.
    package let difference: WelchInterval?
    /// Kaplan–Meier curve: the share of cells that solved the task, over rows trained on; nil without `stop.until`.
    package let solved: KaplanMeier?
    package let parameters: Int
    /// Mean training time of a cell in seconds.
    package let active: Double
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
    let baseValues = metrics.first.map { values(base, $0) } ?? []
    rows = file.settings.indices.map { setting in
      let members = members(setting)
      let over = members.filter(\.isOver)
      let difference =
        setting == base ? nil : metrics.first.flatMap { WelchInterval(values(setting, $0), minus: baseValues) }
      return SettingRow(
        name: file.settings[setting].name, over: over.count, cells: members.count,
        diverged: over.count { $0.fate == .diverged }, values: metrics.map { MeanDeviation(values(setting, $0)) },
        difference: difference,
        solved: until.isEmpty || over.isEmpty ? nil : KaplanMeier(over.compactMap(\.observation)),
        parameters: members.map(\.parameters).max() ?? 0, active: MeanDeviation(over.map(\.active))?.mean ?? 0)
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
    header += ["parameters", "time"]
    let lines = rows.enumerated().map { index, row -> [String] in
      var line = [row.name, row.over == row.cells ? "\(row.cells)" : "\(row.over)/\(row.cells)"]
      if row.diverged > 0 { line[1] += " (\(row.diverged) diverged)" }
      line += zip(row.values, metrics).map(Self.figure)
      if rows.count > 1 {
        line.append(row.difference.map { Self.figure($0, of: metrics[0]) } ?? (index == against ? "" : "–"))
      }
      if !until.isEmpty { line += Self.solved(row.solved) }
      return line + [
        row.parameters > 0 ? Figure.short(Double(row.parameters)) : "–",
        row.over > 0 ? Figure.duration(row.active) : "–",
      ]
    }
    return (header, lines)
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
    if !until.isEmpty {
      notes.append(
        "“solved”: runs that reached \(until). The share and its 95 % interval are Kaplan and Meier's: runs that ended unsolved "
          + "are censored. “half after”: the samples after which half of the runs had solved it.")
    }
    return notes
  }

  // MARK: Charts

  /// The share of runs that solved the task, over rows trained on; nil without `stop.until`.
  package var solvedChart: ChartData? {
    guard !until.isEmpty else { return nil }
    let end = rows.compactMap { $0.solved?.end }.max() ?? 0
    let curves = rows.compactMap { row -> ChartData.DataCurve? in
      guard let curve = row.solved, let last = curve.steps.last else { return nil }
      // The last share holds up to the end of the longest run.
      let tail = min(curve.end, end) > last.place ? [curve.end] : []
      return ChartData.DataCurve(
        "\(row.name) (\(curve.observations.count))", xs: curve.steps.map(\.place) + tail,
        ys: curve.steps.map(\.share) + tail.map { _ in last.share },
        lower: curve.steps.map(\.lower) + tail.map { _ in last.lower },
        upper: curve.steps.map(\.upper) + tail.map { _ in last.upper }, isStepped: true)
    }
    guard !curves.isEmpty else { return nil }
    return ChartData(
      title: "\(name): share of runs with \(until)", xLabel: "samples", yLabel: "share of runs", curves: curves,
      notes: [seedWords, "bands: 95 % intervals (Kaplan–Meier)"])
  }

  /// The mean of the first metric over a recipe key that the settings vary, such as the rate; nil if fewer than two settings
  /// have results and a number for the key.
  package func sweepChart(over key: String) -> ChartData? {
    guard let metric = metrics.first, let field = Recipe.fields.first(where: { $0.key == key }) else { return nil }
    var points: [(x: Double, value: MeanDeviation)] = []
    for (setting, row) in rows.enumerated() {
      guard let recipe = recipe(of: setting),
        case .number(let x) = field.read(recipe),
        let value = row.values.first ?? nil
      else { continue }
      points.append((x, value))
    }
    guard points.count > 1 else { return nil }
    points.sort { $0.x < $1.x }
    let hasBand = points.allSatisfy { $0.value.deviation != nil }
    var chart = ChartData(
      title: "\(name): \(metric) over \(key)", xLabel: key, yLabel: metric,
      curves: [
        ChartData.DataCurve(
          metric, xs: points.map(\.x), ys: points.map(\.value.mean),
          lower: hasBand ? points.map { $0.value.mean - ($0.value.deviation ?? 0) } : [],
          upper: hasBand ? points.map { $0.value.mean + ($0.value.deviation ?? 0) } : [])
      ],
      notes: [seedWords] + (hasBand ? ["band: ± standard deviation"] : []))
    chart.isXLogarithmic = true
    return chart
  }
}
