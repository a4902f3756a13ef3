// A comparison of runs: groups of runs that differ only in their seed, curves along one axis, and the recipe keys that differ.
// Text, JSON and the screen are made from it.
import Run
import TerminalUI

/// A run of a comparison.
package struct ComparedRun: Sendable {
  package let name: String
  package private(set) var recipe: Recipe
  /// The run's state in a word: `finished`, `training`.
  package var state: String
  package private(set) var parameters = 0
  /// The number of tokens that the run knows; nil before its first session.
  private var vocabulary: Int?
  private(set) var history: History

  /// - Parameter events: the run's events, as for a dashboard.
  package init(name: String, recipe: Recipe, state: String, events: [Event], smoothing: Double = 0.9) {
    self.name = name
    self.recipe = recipe
    self.state = state
    history = History(smoothing: smoothing)
    for event in events { receive(event) }
  }

  /// Takes an event; only steps and evaluations have an effect.
  package mutating func receive(_ event: Event) {
    switch event {
    case .began(let beginning):
      parameters = beginning.parameters
      vocabulary = beginning.vocabulary
      history.cut(after: beginning.step)
    case .stepped(let report): history.append(report)
    case .summedUp(let steps): history.append(steps)
    case .evaluated(let evaluation): history.append(evaluation)
    default: break
    }
  }

  mutating func smooth(_ factor: Double) { history.smooth(factor) }

  /// The tokenizer and the size of its vocabulary, `characters 68`; nil before the first session.
  var tokenizer: String? { vocabulary.map { "\(recipe.tokenizer.kind.rawValue) \($0)" } }

  /// The last known step.
  package var step: Int { history.last?.step ?? 0 }
  /// Seconds of training.
  package var active: Double { history.last?.active ?? 0 }
}

/// A line of a comparison: one run, or runs that differ only in their seed.
package struct ComparedLine: Sendable {
  package let name: String
  /// The indices of its runs in the comparison.
  package let members: [Int]
  /// The metric over the axis: of each run, and their mean.
  let values: [ComparedCurve]
  let mean: ComparedCurve
  /// The same curves as they are drawn and compared: unchanged, or with aligned values their costs.
  package let curves: [ComparedCurve]
  package let curve: ComparedCurve
}

/// Several runs compared along one axis by one metric, or the metrics of one run.
package struct Comparison: Sendable {
  package private(set) var runs: [ComparedRun]
  package var axis: CompareAxis { didSet { measure() } }
  package var metric: ComparedMetric {
    didSet {
      isMetricChosen = true
      measure()
    }
  }
  /// True if somebody chose the metric, which then stays.
  private var isMetricChosen = false
  /// The index of the line with which the others are compared.
  package var against = 0
  /// True if runs that differ only in their seed are one line.
  package var joinsSeeds = true { didSet { measure() } }
  /// The smoothing β of losses over steps.
  package private(set) var smoothing = 0.9
  package private(set) var lines: [ComparedLine] = []
  private var groups: [[Int]] = []

  /// The most lines that can be told apart on a chart.
  package static let mostLines = 8

  /// - Parameter metric: nil takes a held-out loss that all runs have, or else a loss, and another one if new numbers leave a run
  ///   without it.
  package init(_ runs: [ComparedRun], axis: CompareAxis = .tokens, metric: ComparedMetric? = nil) {
    precondition(!runs.isEmpty, "there is nothing to compare")
    self.runs = runs
    self.axis = axis
    metrics = Self.metrics(of: runs)
    self.metric = metric ?? metrics.first ?? .loss(.ntp)
    isMetricChosen = metric != nil
    groups = Self.groups(of: runs)
    measure()
  }

  // MARK: Metrics and lines

  /// The metrics that all runs have; if there are none, those that some runs have.
  package private(set) var metrics: [ComparedMetric]

  private static func metrics(of runs: [ComparedRun]) -> [ComparedMetric] {
    // There may be thousands: a number of a diagnostic for every token of a vocabulary.
    var all: [ComparedMetric] = []
    var counts: [ComparedMetric: Int] = [:]
    for run in runs {
      for metric in run.history.comparedMetrics {
        if counts[metric] == nil { all.append(metric) }
        counts[metric, default: 0] += 1
      }
    }
    let shared = all.filter { counts[$0] == runs.count }
    return shared.isEmpty ? all : shared
  }

  /// A metric by its name.
  /// - Throws: `UserError` that names the nearest metric.
  package func metric(named name: String) throws -> ComparedMetric {
    if let metric = metrics.first(where: { $0.name == name }) { return metric }
    let names = metrics.map(\.name)
    let (who, them) = runs.count == 1 ? ("this run has", "it has") : ("these runs have", "they have")
    let similar = names.filter { $0.lowercased().contains(name.lowercased()) }
    let meant =
      names.nearest(to: name).map { "did you mean \($0)?" }
      ?? (names.isEmpty
        ? "\(them) no numbers yet" : "\(them) \((similar.isEmpty ? names : similar).joined(separator: ", "))")
    throw UserError(
      .usage, "--metric: \(who) no \(name.quotation)\(runs.count == 1 ? "" : " in common"); \(meant)")
  }

  /// Groups the runs whose recipes differ only in the seed, whatever their names.
  private static func groups(of runs: [ComparedRun]) -> [[Int]] {
    var groups: [[Int]] = []
    for (index, run) in runs.enumerated() {
      let isSame = { (other: Int) in runs[other].recipe.withoutSeed == run.recipe.withoutSeed }
      if let group = groups.firstIndex(where: { isSame($0[0]) }) {
        groups[group].append(index)
      } else {
        groups.append([index])
      }
    }
    return groups
  }

  // MARK: Changes

  /// Takes new events of a run.
  package mutating func receive(_ events: [Event], ofRun index: Int, state: String) {
    for event in events { runs[index].receive(event) }
    runs[index].state = state
    guard !events.isEmpty else { return }
    metrics = Self.metrics(of: runs)
    // A run without numbers gets some, and the first metric may not be one of them.
    if !isMetricChosen, !metrics.contains(metric), let first = metrics.first {
      metric = first
      isMetricChosen = false
    } else {
      measure()
    }
  }

  package mutating func smooth(_ factor: Double) {
    smoothing = factor
    for index in runs.indices { runs[index].smooth(factor) }
    measure()
  }

  private mutating func measure() {
    let members = joinsSeeds ? groups : runs.indices.map { [$0] }
    lines = members.map { members in
      let values = members.map { runs[$0].history.curve(metric, over: axis.axis) }
      let mean = ComparedCurve.mean(of: values)
      let costs = axis == .loss ? values.map(\.costs) : []
      return ComparedLine(
        name: Self.name(of: members.map { runs[$0].name }), members: members, values: values, mean: mean,
        curves: costs.isEmpty ? values : costs, curve: costs.isEmpty ? mean : .mean(of: costs))
    }
    against = min(against, lines.count - 1)
  }

  /// The common beginning of the names of some runs: `kjv-s1`, `kjv-s2` are `kjv ×2`.
  private static func name(of names: [String]) -> String {
    guard names.count > 1, var common = names.first else { return names.first ?? "" }
    for name in names { common = common.commonPrefix(with: name) }
    for ending in ["seed", "s"] where common.hasSuffix("-" + ending) { common.removeLast(ending.count) }
    while let last = common.last, "-_.~ ".contains(last) || last.isNumber { common.removeLast() }
    return "\(common.isEmpty ? names[0] : common) ×\(names.count)"
  }

  // MARK: Numbers

  /// The range from the first to the last place of any line.
  package var extent: (first: Double, last: Double)? {
    let ends = lines.compactMap(\.curve.ends)
    guard let first = ends.map(\.first).min(), let last = ends.map(\.last).max() else { return nil }
    return (first, last)
  }

  /// The farthest place that all lines reach: the end of the shortest, or the best value that all have reached.
  package var common: Double? {
    let ends = lines.compactMap(\.curve.ends)
    guard ends.count == lines.count, let first = ends.map(\.first).max(), let last = ends.map(\.last).min(),
      first <= last
    else { return nil }
    return axis == .loss && metric.aim == .low ? first : last
  }

  /// The values of a line's runs at a place; nil if one of them has none there.
  package func value(_ line: Int, at x: Double) -> MeanDeviation? {
    let values = lines[line].curves.compactMap { $0.value(at: x) }
    return values.count == lines[line].curves.count ? MeanDeviation(values) : nil
  }

  /// The difference of a line from the reference line at a place; with aligned values, as a share of the reference's cost.
  package func difference(_ line: Int, at x: Double) -> Double? {
    guard let own = value(line, at: x), let other = value(against, at: x) else { return nil }
    if axis == .loss { return other.mean > 0 ? own.mean / other.mean - 1 : nil }
    return own.mean - other.mean
  }

  package func last(_ line: Int) -> MeanDeviation? { MeanDeviation(lines[line].values.compactMap(\.last)) }
  package func best(_ line: Int) -> MeanDeviation? { MeanDeviation(lines[line].values.compactMap { $0.best?.value }) }
  package func bestPlace(_ line: Int) -> MeanDeviation? { MeanDeviation(lines[line].values.compactMap { $0.best?.x }) }
  package func end(_ line: Int) -> MeanDeviation? { MeanDeviation(lines[line].values.compactMap { $0.ends?.last }) }

  /// The place where a line first reaches a value; nil if it never does.
  package func place(_ line: Int, reaching value: Double) -> Double? { lines[line].mean.place(reaching: value) }

  /// How much earlier (below 0) or later a line reaches a value than the reference line, as a share of the reference's place.
  package func change(_ line: Int, reaching value: Double, against other: Int) -> Double? {
    guard let own = place(line, reaching: value), let its = place(other, reaching: value), its > 0 else { return nil }
    return own / its - 1
  }

  /// The place where a line reaches another line's last value, and how much earlier (below 0) or later than that line.
  package func reach(_ line: Int, lastOf other: Int) -> (place: Double, change: Double?)? {
    guard let target = lines[other].mean.last, let place = place(line, reaching: target) else { return nil }
    return (place, change(line, reaching: target, against: other))
  }

  // MARK: Recipes

  /// A line that names the tokenizers, if they differ and the metric is a number per token; nil otherwise.
  package var tokenizerHint: String? {
    guard let per = metric.perToken else { return nil }
    var tokenizers: [String] = []
    for case let tokenizer? in runs.map(\.tokenizer) where !tokenizers.contains(tokenizer) {
      tokenizers.append(tokenizer)
    }
    guard tokenizers.count > 1 else { return nil }
    return "\(per) per token are not comparable: \(tokenizers.joined(separator: ", "))"
  }

  /// The recipe keys that differ, with one value per line; differing seeds of a line are joined.
  package var differences: [(key: String, values: [String])] {
    Recipe.fields.filter { field in runs.contains { field.read($0.recipe) != field.read(runs[0].recipe) } }.map {
      field in
      (
        field.key,
        lines.map { line in
          var words: [String] = []
          for member in line.members {
            let word = Self.words(of: field, in: runs[member].recipe)
            if !words.contains(word) { words.append(word) }
          }
          return words.joined(separator: " ")
        }
      )
    }
  }

  /// A recipe's value as text for a table on the screen: rates as everywhere, all others as the recipe has them.
  static func words(of field: Recipe.Field, in recipe: Recipe) -> String {
    let value = field.read(recipe)
    if case .number(let number) = value, !field.key.lowercased().hasSuffix("rate") { return JSON.double(number).line }
    return words(value)
  }

  /// A recipe's value as text for a table.
  package static func words(_ value: Recipe.Field.Content) -> String {
    switch value {
    case .text(let text): text.isEmpty ? "–" : text
    case .number(let number) where number != 0 && abs(number) < 0.01: Figure.rate(number)
    default: value.json.line
    }
  }
}

extension Recipe {
  /// The recipe without its seed.
  fileprivate var withoutSeed: Recipe {
    var recipe = self
    recipe.seed = 0
    return recipe
  }
}

extension CompareAxis {
  /// A place as text.
  package func figure(_ place: Double, of metric: ComparedMetric) -> String {
    switch self {
    case .step: Figure.grouped(Int(place.rounded()))
    case .tokens: Figure.short(place)
    case .time: Figure.duration(place)
    case .loss: metric.figure(place)
    }
  }

  /// A place where a value was reached, as text; with aligned values, their cost.
  package func costFigure(_ place: Double) -> String {
    axis == .tokens ? Figure.short(place) : figure(place, of: .rate)
  }

  /// `tokens`, `steps`, `time`.
  package var unit: String {
    switch self {
    case .step: "steps"
    case .tokens, .loss: "tokens"
    case .time: "time"
    }
  }

  /// A relative difference, such as `−6 % tokens` without its unit.
  package static func percent(_ share: Double) -> String {
    let percent = share * 100
    let text = Figure.fixed(abs(percent), abs(percent) < 9.95 ? 1 : 0)
    return (percent < 0 ? "−" : "+") + (text == "0.0" ? "0" : text) + " %"
  }
}
