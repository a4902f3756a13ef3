// A comparison of runs as tables and as JSON.
import Dashboard
import Run
import TerminalUI

enum ComparisonText {
  /// All tables, separated by empty lines.
  static func tables(_ comparison: Comparison) -> String {
    let heading = [heading(comparison), comparison.tokenizerHint].compactMap { $0 }.joined(separator: "\n")
    let parts =
      comparison.runs.count == 1
      ? [heading, values(comparison), points(comparison)]
      : [heading, values(comparison), reaches(comparison), keys(comparison)]
    return parts.filter { !$0.isEmpty }.joined(separator: "\n\n")
  }

  private static func heading(_ comparison: Comparison) -> String {
    let smoothing = comparison.metric.isSmoothed ? ", smoothed by \(Figure.factor(comparison.smoothing))" : ""
    let name = comparison.lines[comparison.against].name
    if comparison.runs.count == 1 { return "\(comparison.yTitle) of \(name)\(smoothing)" }
    guard let common = comparison.common else {
      return "\(comparison.metric.label)\(smoothing): the runs have no common \(word(comparison.axis)) to compare at"
    }
    let place = comparison.axis.figure(common, of: comparison.metric)
    return
      "\(comparison.metric.label)\(smoothing), compared with \(name) at equal \(word(comparison.axis)): \(place)"
  }

  private static func word(_ axis: CompareAxis) -> String {
    switch axis {
    case .step: "steps"
    case .tokens: "tokens"
    case .time: "training time"
    case .loss: "value"
    }
  }

  private static func figure(_ value: MeanDeviation?, _ figure: (Double) -> String) -> String {
    guard let value else { return "–" }
    return figure(value.mean) + (value.deviation.flatMap { $0 > 0 ? " ± " + figure($0) : nil } ?? "")
  }

  private static func values(_ comparison: Comparison) -> String {
    let (axis, metric) = (comparison.axis, comparison.metric)
    let isAlone = comparison.runs.count == 1
    let header =
      ["RUN", "STATE", axis.unit.uppercased(), "LAST", "BEST", "BEST AT"] + (isAlone ? [] : ["EQUAL", "DIFFERENCE"])
    let rows = comparison.lines.indices.map { line -> [String] in
      let states = comparison.lines[line].members.map { comparison.runs[$0].state }
      let common = comparison.common
      let difference = common.flatMap { comparison.difference(line, at: $0) }
      let equal = common.flatMap { comparison.value(line, at: $0) }
      let own = [
        comparison.lines[line].name, Set(states).sorted().joined(separator: ","),
        figure(comparison.end(line), axis.costFigure), figure(comparison.last(line), metric.figure),
        figure(comparison.best(line), metric.figure), figure(comparison.bestPlace(line), axis.costFigure),
      ]
      guard !isAlone else { return own }
      return own + [
        figure(equal, axis == .loss ? axis.costFigure : metric.figure),
        line == comparison.against
          ? "" : difference.map { axis == .loss ? CompareAxis.percent($0) : metric.difference($0) } ?? "–",
      ]
    }
    return TextTable.text([header] + rows, right: Set(2..<header.count), cutTo: TextTable.usualCut)
  }

  /// The most values of a run alone that are printed.
  private static let mostPoints = 24

  /// The values of a run alone, evenly chosen where there are many.
  private static func points(_ comparison: Comparison) -> String {
    let (axis, metric, curve) = (comparison.axis, comparison.metric, comparison.lines[0].curve)
    let places = curve.xs.indices.spread(most: mostPoints)
    guard !places.isEmpty else { return "" }
    let isCost = axis == .loss
    let header = [isCost ? metric.label.uppercased() : axis.unit.uppercased(), isCost ? "TOKENS" : "VALUE"]
    let rows = places.map { index in
      [
        axis.figure(curve.xs[index], of: metric),
        isCost ? axis.costFigure(curve.values[index]) : metric.figure(curve.values[index]),
      ]
    }
    let rest = places.count < curve.xs.count ? "\n\(places.count) of \(curve.xs.count) values; --json has all" : ""
    return TextTable.text([header] + rows, right: [0, 1]) + rest
  }

  /// Where each run reaches the last value of each run: a row per run that gets there, a column per run whose value it is.
  private static func reaches(_ comparison: Comparison) -> String {
    let lines = comparison.lines.indices
    guard lines.count > 1 else { return "" }
    let header =
      ["REACHES"]
      + lines.map { line in
        comparison.lines[line].name + (comparison.last(line).map { " \(comparison.metric.figure($0.mean))" } ?? "")
      }
    let rows = lines.map { line in
      [comparison.lines[line].name]
        + lines.map { other -> String in
          guard let reach = comparison.reach(line, lastOf: other) else { return "never" }
          let change = line == other ? nil : reach.change.map { "  \(CompareAxis.percent($0))" }
          return comparison.axis.costFigure(reach.place) + (change ?? "")
        }
    }
    return TextTable.text([header] + rows, right: Set(1..<header.count), cutTo: TextTable.usualCut)
      + "\n(each cell: \(comparison.axis.unit) until the row's run reaches the last value of the column's run, and the difference "
      + "from the column's run)"
  }

  private static func keys(_ comparison: Comparison) -> String {
    let differences = comparison.differences
    guard !differences.isEmpty else { return "the recipes are the same" }
    let rows = differences.map { [$0.key] + $0.values.map { $0.cut(to: 40) } }
    return TextTable.text(
      [["RECIPE"] + comparison.lines.map(\.name)] + rows, right: [], cutTo: TextTable.usualCut)
  }
}

extension Comparison {
  /// One object per curve, per run and per differing key; the first object says what is compared. The curve of a run alone has all
  /// its places and values.
  var json: [JSON] {
    let first = JSON.object([
      JSON.Member("metric", .text(metric.name)), JSON.Member("align", .text(axis.rawValue)),
      JSON.Member("against", .text(lines[against].name)),
      JSON.Member("smoothing", metric.isSmoothed ? .double(smoothing) : .null),
      JSON.Member("at", common.map(JSON.double) ?? .null),
    ])
    return [first] + lines.indices.map(json(ofLine:)) + runs.map(json(of:)) + differences.map(json(of:))
  }

  private func json(ofLine line: Int) -> JSON {
    let members = lines[line].members
    let reaches = lines.indices.filter { $0 != line }.map { other -> JSON in
      let reach = reach(line, lastOf: other)
      return .object([
        JSON.Member("line", .text(lines[other].name)), JSON.Member("value", last(other).json),
        JSON.Member("at", reach.map { JSON.double($0.place) } ?? .null),
        JSON.Member("change", reach?.change.map(JSON.double) ?? .null),
      ])
    }
    let own: [JSON.Member] = [
      JSON.Member("line", .text(lines[line].name)),
      JSON.Member("runs", .array(members.map { .text(runs[$0].name) })),
      JSON.Member("seeds", .array(members.map { .unsigned(runs[$0].recipe.seed) })),
      JSON.Member("end", end(line).json), JSON.Member("last", last(line).json), JSON.Member("best", best(line).json),
      JSON.Member("bestAt", bestPlace(line).json),
      JSON.Member("equal", common.flatMap { value(line, at: $0) }.json),
      JSON.Member("difference", common.flatMap { difference(line, at: $0) }.map(JSON.double) ?? .null),
      JSON.Member("reaches", .array(reaches)),
    ]
    return .object(own + points)
  }

  /// The places and values of a run alone; nothing of several runs.
  private var points: [JSON.Member] {
    guard runs.count == 1 else { return [] }
    let curve = lines[0].curve
    return [JSON.Member("points", .array(zip(curve.xs, curve.values).map { JSON.array([.double($0), .double($1)]) }))]
  }

  private func json(of run: ComparedRun) -> JSON {
    .object([
      JSON.Member("run", .text(run.name)), JSON.Member("state", .text(run.state)),
      JSON.Member("step", .integer(run.step)), JSON.Member("active", .double(run.active)),
      JSON.Member("parameters", .integer(run.parameters)),
    ])
  }

  private func json(of difference: (key: String, values: [String])) -> JSON {
    let field = Recipe.fields.first { $0.key == difference.key }
    return .object([
      JSON.Member("key", .text(difference.key)),
      JSON.Member("values", .object(runs.map { JSON.Member($0.name, field?.read($0.recipe).json ?? .null) })),
    ])
  }
}

extension MeanDeviation? {
  fileprivate var json: JSON {
    guard let self else { return .null }
    return .object(
      [JSON.Member("mean", .double(self.mean))]
        + (self.deviation.map { [JSON.Member("deviation", .double($0))] } ?? [])
        + (self.count > 1 ? [JSON.Member("count", .integer(self.count))] : []))
  }
}
