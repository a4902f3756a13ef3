// Runs beside each other: which of them differ in their seed alone, their curves along one axis, and the recipe keys in
// which they differ. Text, JSON and the screen are made from this.
import Run
import TerminalUI

/// A run that is compared.
package struct ComparedRun: Sendable {
  package let name: String
  package private(set) var recipe: Recipe
  /// A word: `finished`, `training`.
  package var state: String
  package private(set) var parameters = 0
  private(set) var history: History

  /// - Parameter events: of the run, as a dashboard takes them.
  package init(name: String, recipe: Recipe, state: String, events: [Event], smoothing: Double = 0.9) {
    self.name = name
    self.recipe = recipe
    self.state = state
    history = History(smoothing: smoothing)
    for event in events { receive(event) }
  }

  /// Takes an event: a step, an evaluation; others change nothing.
  package mutating func receive(_ event: Event) {
    switch event {
    case .began(let beginning):
      parameters = beginning.parameters
      history.cut(after: beginning.step)
    case .stepped(let report): history.append(report)
    case .summedUp(let steps): history.append(steps)
    case .evaluated(let evaluation): history.append(evaluation)
    default: break
    }
  }

  mutating func smooth(_ factor: Double) { history.smooth(factor) }

  /// The last step that it knows of.
  package var step: Int { history.last?.step ?? 0 }
  /// Seconds of training.
  package var active: Double { history.last?.active ?? 0 }
}

/// What is one line of a comparison: a run, or runs that differ in their seed alone.
package struct ComparedLine: Sendable {
  package let name: String
  /// Places of its runs in the comparison.
  package let members: [Int]
  /// The number over the axis, of each run and their mean.
  let values: [ComparedCurve]
  let mean: ComparedCurve
  /// What is drawn and compared: the same, or the costs of the values where these are aligned.
  package let curves: [ComparedCurve]
  package let curve: ComparedCurve
}

/// Several runs along one axis, by one number.
package struct Comparison: Sendable {
  package private(set) var runs: [ComparedRun]
  package var axis: CompareAxis { didSet { measure() } }
  package var metric: ComparedMetric { didSet { measure() } }
  /// The line that the others are compared with.
  package var against = 0
  /// Whether runs that differ in their seed alone are one line.
  package var joinsSeeds = true { didSet { measure() } }
  /// How smooth losses of steps are.
  package private(set) var smoothing = 0.9
  package private(set) var lines: [ComparedLine] = []
  private var groups: [[Int]] = []

  /// Lines that a chart can tell apart.
  package static let mostLines = 8

  /// - Parameter metric: nil takes the held-out loss that all of them have, or else a loss.
  package init(_ runs: [ComparedRun], axis: CompareAxis = .tokens, metric: ComparedMetric? = nil) {
    precondition(!runs.isEmpty, "there is nothing to compare")
    self.runs = runs
    self.axis = axis
    self.metric = metric ?? Self.metrics(of: runs).first ?? .loss(.ntp)
    groups = Self.groups(of: runs)
    measure()
  }

  // MARK: What there is

  /// The numbers that all runs have; where they share none, those that some have.
  package var metrics: [ComparedMetric] { Self.metrics(of: runs) }

  private static func metrics(of runs: [ComparedRun]) -> [ComparedMetric] {
    var all: [ComparedMetric] = []
    for run in runs { all += run.history.comparedMetrics.filter { !all.contains($0) } }
    let shared = all.filter { metric in runs.allSatisfy { $0.history.comparedMetrics.contains(metric) } }
    return shared.isEmpty ? all : shared
  }

  /// A number by its name.
  /// - Throws: `UserError` that names the nearest one.
  package func metric(named name: String) throws -> ComparedMetric {
    if let metric = metrics.first(where: { $0.name == name }) { return metric }
    let names = metrics.map(\.name)
    let meant =
      names.nearest(to: name).map { "did you mean \($0)?" }
      ?? (names.isEmpty ? "they have no numbers yet" : "they have \(names.joined(separator: ", "))")
    throw UserError(.usage, "--metric: these runs have no \(name.quotation) in common; \(meant)")
  }

  /// Runs that differ in their seed alone, by their recipes: whatever they are called.
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

  /// Takes what happened in a run meanwhile.
  package mutating func receive(_ events: [Event], ofRun index: Int, state: String) {
    for event in events { runs[index].receive(event) }
    runs[index].state = state
    if !events.isEmpty { measure() }
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

  /// What the names of some runs begin with: `kjv-s1`, `kjv-s2` are `kjv ×2`.
  private static func name(of names: [String]) -> String {
    guard names.count > 1, var common = names.first else { return names.first ?? "" }
    for name in names { common = common.commonPrefix(with: name) }
    for ending in ["seed", "s"] where common.hasSuffix("-" + ending) { common.removeLast(ending.count) }
    while let last = common.last, "-_.~ ".contains(last) || last.isNumber { common.removeLast() }
    return "\(common.isEmpty ? names[0] : common) ×\(names.count)"
  }

  // MARK: Numbers

  /// From the first to the last place that some line has.
  package var extent: (first: Double, last: Double)? {
    let ends = lines.compactMap(\.curve.ends)
    guard let first = ends.map(\.first).min(), let last = ends.map(\.last).max() else { return nil }
    return (first, last)
  }

  /// The farthest place that all lines have: the last one, or the best value that all of them reached.
  package var common: Double? {
    let ends = lines.compactMap(\.curve.ends)
    guard ends.count == lines.count, let first = ends.map(\.first).max(), let last = ends.map(\.last).min(),
      first <= last
    else { return nil }
    return axis == .loss && metric.aim == .low ? first : last
  }

  /// The values of a line's runs at a place; nil where one of them has none.
  package func value(_ line: Int, at x: Double) -> MeanDeviation? {
    let values = lines[line].curves.compactMap { $0.value(at: x) }
    return values.count == lines[line].curves.count ? MeanDeviation(values) : nil
  }

  /// How far a line is from the one that it is compared with, at a place: a difference, or a share of its cost where values
  /// are aligned.
  package func difference(_ line: Int, at x: Double) -> Double? {
    guard let own = value(line, at: x), let other = value(against, at: x) else { return nil }
    if axis == .loss { return other.mean > 0 ? own.mean / other.mean - 1 : nil }
    return own.mean - other.mean
  }

  package func last(_ line: Int) -> MeanDeviation? { MeanDeviation(lines[line].values.compactMap(\.last)) }
  package func best(_ line: Int) -> MeanDeviation? { MeanDeviation(lines[line].values.compactMap { $0.best?.value }) }
  package func bestPlace(_ line: Int) -> MeanDeviation? { MeanDeviation(lines[line].values.compactMap { $0.best?.x }) }
  package func end(_ line: Int) -> MeanDeviation? { MeanDeviation(lines[line].values.compactMap { $0.ends?.last }) }

  /// Where a line, or the mean of its runs, first reaches a value; nil where it never does.
  package func place(_ line: Int, reaching value: Double) -> Double? { lines[line].mean.place(reaching: value) }

  /// How much earlier (below 0) or later than the line that it is compared with a line reaches a value, as a share of what
  /// that one took.
  package func change(_ line: Int, reaching value: Double, against other: Int) -> Double? {
    guard let own = place(line, reaching: value), let its = place(other, reaching: value), its > 0 else { return nil }
    return own / its - 1
  }

  /// Where a line reaches another one's last value, and how much earlier (below 0) or later than that one did.
  package func reach(_ line: Int, lastOf other: Int) -> (place: Double, change: Double?)? {
    guard let target = lines[other].mean.last, let place = place(line, reaching: target) else { return nil }
    return (place, change(line, reaching: target, against: other))
  }

  // MARK: Recipes

  /// The recipe keys in which the runs differ, with a value a line; the values of runs that differ in their seed are joined.
  package var differences: [(key: String, values: [String])] {
    Recipe.fields.filter { field in runs.contains { field.read($0.recipe) != field.read(runs[0].recipe) } }.map {
      field in
      (
        field.key,
        lines.map { line in
          var words: [String] = []
          for member in line.members {
            let word = Self.words(field.read(runs[member].recipe))
            if !words.contains(word) { words.append(word) }
          }
          return words.joined(separator: " ")
        }
      )
    }
  }

  /// A recipe's value as a table shows it.
  package static func words(_ value: Recipe.Field.Content) -> String {
    switch value {
    case .text(let text): text.isEmpty ? "–" : text
    case .number(let number) where number != 0 && abs(number) < 0.01: Figure.rate(number)
    default: value.json.line
    }
  }
}

extension Recipe {
  /// The recipe as all of its seeds have it.
  fileprivate var withoutSeed: Recipe {
    var recipe = self
    recipe.seed = 0
    return recipe
  }
}

extension CompareAxis {
  /// A place as people read it.
  package func figure(_ place: Double, of metric: ComparedMetric) -> String {
    switch self {
    case .step: Figure.grouped(Int(place.rounded()))
    case .tokens: Figure.short(place)
    case .time: Figure.duration(place)
    case .loss: metric.figure(place)
    }
  }

  /// A place where a value was reached: of aligned values their cost.
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
