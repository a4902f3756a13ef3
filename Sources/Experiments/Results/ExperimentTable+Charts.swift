// An experiment's results as charts, for the terminal and for pictures.
import Run

extension ExperimentTable {
  /// The share of runs that solved the task, over rows trained on; nil without `stop.until`.
  package var solvedChart: ChartData? {
    guard !until.isEmpty else { return nil }
    let end = rows.compactMap { $0.solved?.end }.max() ?? 0
    let curves = rows.compactMap { row -> ChartData.DataCurve? in
      guard let curve = row.solved, let last = curve.steps.last else { return nil }
      // The last share holds up to the end of the longest run.
      let tail = min(curve.end, end) > last.place ? [curve.end] : []
      var line = ChartData.DataCurve(
        "\(row.name) (\(curve.observations.count))", xs: curve.steps.map(\.place) + tail,
        ys: curve.steps.map(\.share) + tail.map { _ in last.share },
        lower: curve.steps.map(\.lower) + tail.map { _ in last.lower },
        upper: curve.steps.map(\.upper) + tail.map { _ in last.upper }, isStepped: true)
      line.ticks = curve.observations.filter { !$0.isSolved }.map(\.place).sorted()
      return line
    }
    guard !curves.isEmpty else { return nil }
    return ChartData(
      title: "\(name): share of runs with \(until)", xLabel: "samples", yLabel: "share of runs", curves: curves,
      notes: [seedWords, "bands: 95 % intervals (Kaplan–Meier); ticks: runs that ended unsolved"])
  }

  /// The chart of the results: `solvedChart`, or else `metricChart(of:)`.
  /// - Parameter readings: what is stored of each cell.
  package func resultChart(of readings: [CellReading?]) -> ChartData? { solvedChart ?? metricChart(of: readings) }

  /// The first metric over rows trained on: a curve per setting, the mean of its cells that ended without diverging, at the
  /// steps at which all of these have an evaluation; nil without values.
  /// - Parameter readings: what is stored of each cell.
  package func metricChart(of readings: [CellReading?]) -> ChartData? {
    precondition(readings.count == cells.count)
    guard let metric = metrics.first else { return nil }
    let curves = rows.indices.compactMap { meanCurve(of: metric, setting: $0, readings) }
    guard !curves.isEmpty else { return nil }
    let hasBand = curves.contains { !$0.lower.isEmpty }
    return ChartData(
      title: "\(name): \(metric)", xLabel: "samples", yLabel: metric, curves: curves,
      notes: [seedWords] + (hasBand ? ["bands: ± standard deviation over seeds"] : []))
  }

  private func meanCurve(of metric: String, setting: Int, _ readings: [CellReading?]) -> ChartData.DataCurve? {
    let members = cells.indices.filter {
      cells[$0].setting == setting && results[$0].isOver && results[$0].fate != .diverged
    }
    guard let first = members.first else { return nil }
    var values: [Int: [Double]] = [:]
    for member in members {
      for evaluation in readings[member]?.evaluations ?? [] {
        guard let value = evaluation.number(named: metric), value.isFinite else { continue }
        values[evaluation.step, default: []].append(value)
      }
    }
    let points = values.filter { $0.value.count == members.count }.sorted { $0.key < $1.key }
    let means = points.compactMap { MeanDeviation($0.value) }
    guard !means.isEmpty else { return nil }
    let samples = Double(cells[first].recipe.samplesPerStep)
    let bands = members.count > 1 ? means.map { $0.deviation ?? 0 } : []
    return ChartData.DataCurve(
      "\(rows[setting].name) (\(members.count))", xs: points.map { Double($0.key) * samples }, ys: means.map(\.mean),
      lower: zip(means, bands).map { $0.mean - $1 }, upper: zip(means, bands).map { $0.mean + $1 })
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
