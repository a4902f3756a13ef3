// The panels of diagnostics, each a chart of some numbers and a table of more: tokens (losses by function and content tokens),
// collapse (neural collapse, NC1 to NC4), and what they share with the panel of all others.
import Run
import TerminalUI

extension Dashboard {
  /// The panel that shows a diagnostic.
  private static func panel(of kind: DiagnosticKind) -> Panel {
    switch kind.name {
    case DiagnosticKind.function.name: .tokens
    case DiagnosticKind.collapse.name: .collapse
    default: .diagnostics
    }
  }

  /// The diagnostics that a panel shows.
  static func diagnostics(on shown: Panel) -> [DiagnosticKind] { DiagnosticKind.all.filter { panel(of: $0) == shown } }

  // MARK: Values

  /// The number of evaluations up to the cursor; of all without a cursor.
  var readEvaluations: Int {
    let places = history.evaluations.places
    return cursorPlace.map { places[.step].lowerBound(of: $0.step.nextUp) } ?? places.count
  }

  /// True if an evaluation has a number.
  private func isMeasured(_ path: String) -> Bool {
    history.evaluations[.diagnostic(path)]?.values.contains { !$0.isNaN } ?? false
  }

  /// The newest value of a number up to the cursor, as text.
  func figure(_ path: String, _ words: (Double) -> String) -> String {
    let values = history.evaluations[.diagnostic(path)]?.values.prefix(readEvaluations)
    return values?.last { !$0.isNaN }.map { words(Double($0)) } ?? "—"
  }

  /// The values that were measured of a number, oldest first.
  /// - Parameter most: if there are more values, the means of so many equal parts.
  func measuredValues(_ path: String, most: Int = .max) -> [Double] {
    let values = (history.evaluations[.diagnostic(path)]?.values ?? []).filter { !$0.isNaN }.map { Double($0) }
    guard values.count > most, most > 0 else { return values }
    return (0..<most).map { index in
      let part = values[index * values.count / most..<(index + 1) * values.count / most]
      return part.reduce(0, +) / Double(part.count)
    }
  }

  /// The first value that was measured of a number, as text.
  func firstFigure(_ path: String, _ words: (Double) -> String) -> String {
    history.evaluations[.diagnostic(path)]?.values.first { !$0.isNaN }.map { words(Double($0)) } ?? "—"
  }

  // MARK: Function and content tokens

  func drawTokens(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(
      .tokens, notes: ["function f, content c · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    let heads = history.evaluations.heads.filter { isMeasured("function/\($0.name)-ff-count") }
    guard let head = heads.first else { return drawOff(.tokens, in: inside, on: &canvas) }
    func pen(_ group: TokenGroup) -> (String, Pen) {
      switch group {
      case .fc: ("━", Pen(style: Style(.second), symbol: "*"))
      case .cc: ("╌", Pen(style: Style(.fourth), dash: Pen.Dash(on: 2, off: 1), symbol: "c"))
      case .ff: ("┅", Pen(style: Style(.first), dash: Pen.Dash(on: 4, off: 2), symbol: "f"))
      case .cf: ("─", Pen(style: Style(.third), symbol: "+"))
      }
    }
    let order: [TokenGroup] = [.fc, .cc, .ff, .cf]
    let lines = order.compactMap { group in
      evaluationLine(
        "\(head.name) \(group.name)", pen(group).0, pen(group).1, .diagnostic("function/\(head.name)-\(group.name)"))
    }
    let rows = heads.flatMap { head in
      order.map { group -> DiagnosticTable.DiagnosticRow in
        let path = "function/\(head.name)-\(group.name)"
        return DiagnosticTable.DiagnosticRow(
          name: "\(head.name) \(group.name)", path: path,
          cells: [
            figure(path, Figure.loss), figure("function/train-\(head.name)-\(group.name)", Figure.loss),
            figure("\(path)-share") { Figure.fixed(100 * $0, 0) + " %" }, figure("\(path)-count", Figure.short),
          ])
      }
    }
    let table = DiagnosticTable(titles: ["held-out", "training", "of loss", "count"], rows: rows)
    drawDiagnostic(.tokens, lines, table, figure: Figure.loss, in: inside, on: &canvas)
  }

  // MARK: Neural collapse

  func drawCollapse(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(
      .collapse, notes: ["NC1–NC4 · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    guard isMeasured("collapse/classes-count") else { return drawOff(.collapse, in: inside, on: &canvas) }
    let lines = [
      evaluationLine(
        "NC4 agreement", "━", Pen(style: Style(.first), symbol: "*"), .diagnostic("collapse/nc4-agreement")),
      evaluationLine(
        "NC3 cosine", "╌", Pen(style: Style(.second), dash: Pen.Dash(on: 2, off: 1), symbol: "+"),
        .diagnostic("collapse/nc3-cosine")),
      evaluationLine("GNC2", "─", Pen(style: Style(.fourth), symbol: "2"), .diagnostic("collapse/gnc2-uniformity")),
      evaluationLine(
        "UNC3", "┅", Pen(style: Style(.third), dash: Pen.Dash(on: 4, off: 2), symbol: "3"),
        .diagnostic("collapse/unc3-uniformity")),
    ].compactMap { $0 }
    let names = [
      ("NC1 log CDNV", "nc1-log-cdnv"), ("NC1 scaled", "nc1-scaled"), ("NC2 norms", "nc2-norms"),
      ("NC2 cosines", "nc2-cosines"), ("GNC2 uniformity", "gnc2-uniformity"), ("NC3 cosine", "nc3-cosine"),
      ("UNC3 uniformity", "unc3-uniformity"), ("NC4 agreement", "nc4-agreement"), ("NC4 accuracy", "nc4-accuracy"),
      ("classes", "classes-count"),
    ]
    let rows = names.map { name, part -> DiagnosticTable.DiagnosticRow in
      let path = "collapse/\(part)"
      func words(_ value: Double) -> String { part.hasSuffix("count") ? Figure.short(value) : Figure.fixed(value, 3) }
      return DiagnosticTable.DiagnosticRow(
        name: name, path: path, cells: [figure(path, words), firstFigure(path, words)])
    }
    let table = DiagnosticTable(titles: [cursorPlace == nil ? "now" : "cursor", "first"], rows: rows)
    drawDiagnostic(.collapse, lines, table, figure: { Figure.fixed($0, 3) }, in: inside, on: &canvas)
  }

  // MARK: All panels

  /// Says how a panel's diagnostics are measured, where no evaluation has them.
  func drawOff(_ panel: Panel, in inside: Rectangle, on canvas: inout Canvas) {
    let names = Self.diagnostics(on: panel).map(\.name)
    let due = names.first { (beginning?.recipe.measure[every: $0] ?? 0) > 0 }
    let words = due.map {
      beginning?.remarkOnDiagnostics
        ?? "comes with an evaluation: measure.\($0) is \(beginning?.recipe.measure[every: $0] ?? 0)"
    }
    drawNothing(words ?? Self.notMeasured(names), in: inside, on: &canvas)
  }

  /// Says that the diagnostics with these names are not measured.
  static func notMeasured(_ names: [String]) -> String {
    guard let last = names.last, names.count > 1 else { return "not measured: measure.\(names.first ?? "") is 0" }
    return "not measured: measure.\(names.dropLast().joined(separator: ", ")) and \(last) are 0"
  }

  /// The chart, and where there is room the table, beside it or below.
  private func drawDiagnostic(
    _ panel: Panel, _ lines: [EvaluationLine], _ table: DiagnosticTable, figure: (Double) -> String,
    in inside: Rectangle, on canvas: inout Canvas
  ) {
    let count = table.rows.count
    var (chart, rows) = (inside, Rectangle?.none)
    var course = 0
    if inside.columns >= table.width + 2 + 30, inside.rows >= 4 {
      // Courses take what a wide chart leaves.
      course = DiagnosticTable.course(in: inside.columns - table.width - 2 - 48)
      let width = table.width + (course > 0 ? course + 2 : 0)
      let (left, right) = inside.splitLeft(inside.columns - width - 2)
      (chart, rows) = (left, right.splitLeft(2).1)
    } else if inside.columns >= table.width, min(count + 1, inside.rows - 6) >= 3 {
      course = DiagnosticTable.course(in: inside.columns - table.width)
      let (above, below) = inside.splitTop(inside.rows - min(count + 1, inside.rows / 2, inside.rows - 6))
      (chart, rows) = (above, below)
    }
    if !lines.isEmpty { drawEvaluations(lines, beginsAtZero: true, figure: figure, in: chart, on: &canvas) }
    guard let rows else { return }
    table.draw(
      course: course, from: scroll[panel, default: 0], glyphs: glyphs, in: rows, on: &canvas, values: measuredValues)
  }

  /// Rows of a panel's table, by which it can be scrolled.
  func diagnosticRows(of panel: Panel) -> Int {
    switch panel {
    case .collapse: 10
    case .diagnostics: chartedNumbers.count
    default: 4 * history.evaluations.heads.count
    }
  }
}
