// foretop inspect NAME diagnostics: what the evaluations of a run measured, as tables with the reliability diagram, and as JSON.
import Dashboard
import Run
import RunFile
import TerminalUI

extension InspectPart {
  /// Prints the first and the newest value of every number and the newest reliability diagram; as JSON, an object per measurement.
  static func showDiagnostics(_ archive: StoredRun, glyphs: Glyphs, isJSON: Bool) throws {
    let measurements = try archive.evaluations().filter { !$0.diagnostics.isEmpty }
    if isJSON {
      for measurement in measurements { print(measurement.measured.line) }
      return
    }
    guard !measurements.isEmpty else {
      print(
        archive.recipe.diagnostics.isEmpty
          ? "run “\(archive.name)” measures no diagnostics: measure.NAME is 0 for all of them"
          : "run “\(archive.name)” has measured no diagnostics yet"
            + (archive.beginning.remarkOnDiagnostics.map { ": \($0)" } ?? ""))
      return
    }
    print(table(of: measurements, by: archive.recipe))
    guard let newest = measurements.last(where: { $0.reliability != nil }), let diagram = newest.reliability else {
      return
    }
    print("\nreliability at step \(Figure.grouped(newest.step))")
    print(diagram.picture(columns: 60, rows: 16, glyphs: glyphs))
    print("\n" + table(of: diagram))
  }

  /// A row per number: the first and the newest value, the step of the newest, and how often the number was measured.
  private static func table(of measurements: [Evaluation], by recipe: Recipe) -> String {
    var courses: [String: [(step: Int, value: Double)]] = [:]
    for measurement in measurements {
      for number in measurement.diagnostics {
        courses[number.path, default: []].append((step: measurement.step, value: number.value))
      }
    }
    let numbers = DiagnosticKind.all.flatMap { kind in kind.listed(recipe).filter { !kind.isInDiagram($0) } }
    let rows = numbers.compactMap { number -> [String]? in
      guard let course = courses[number.path], let first = course.first, let last = course.last else { return nil }
      return [
        number.path, figure(first.value, of: number), figure(last.value, of: number),
        number.unit == "nats" ? number.unit : "", Figure.grouped(last.step), Figure.grouped(course.count),
      ]
    }
    return TextTable.text([["METRIC", "FIRST", "NOW", "", "AT STEP", "TIMES"]] + rows, right: [1, 2, 4, 5])
  }

  private static func figure(_ value: Double, of number: DiagnosticNumber) -> String {
    if number.isCount { return Figure.short(value) }
    switch number.unit {
    case "nats": return Figure.loss(value)
    case "s": return Figure.milliseconds(value)
    default: return Figure.fixed(value, 3)
    }
  }

  /// A row per bin.
  private static func table(of diagram: ReliabilityDiagram) -> String {
    let rows = diagram.bins.map { bin -> [String] in
      let bounds = "\(Figure.fixed(bin.lower, 1))–\(Figure.fixed(bin.upper, 1))"
      guard bin.count > 0 else { return [bounds, "–", "–", "–", "0"] }
      return [
        bounds, Figure.fixed(bin.confidence, 3), Figure.fixed(bin.accuracy, 3),
        Figure.change(bin.accuracy - bin.confidence) { Figure.fixed($0, 3) }, Figure.short(bin.count),
      ]
    }
    return TextTable.text([["CONFIDENCE", "MEAN", "ACCURACY", "DIFFERENCE", "POSITIONS"]] + rows, right: [1, 2, 3, 4])
  }
}

extension Evaluation {
  /// The numbers of its diagnostics, as in a `heldout` event, and the bins of the reliability diagram as an array.
  fileprivate var measured: JSON {
    var object = JSON.object([
      JSON.Member("step", .integer(step)), JSON.Member("tokens", .integer(tokens)), JSON.Member("time", .double(time)),
    ])
    for number in diagnostics {
      let isCount = DiagnosticNumber(number.path).isCount
      object.put(
        isCount ? .double(number.value) : .float(Float(number.value)), at: number.path.split(separator: "/"))
    }
    if let reliability { object.put(reliability.json, at: [DiagnosticKind.calibration.name, "reliability"]) }
    return object
  }
}
