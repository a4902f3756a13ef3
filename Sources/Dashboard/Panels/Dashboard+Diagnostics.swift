// The panels of diagnostics, each a chart of some numbers and a table of more: tokens (losses by function and content tokens) and
// collapse (neural collapse, NC1 to NC4).
import Run
import TerminalUI

extension Dashboard {
  /// A row of a panel's table: a name and its cells.
  private typealias DiagnosticRow = (name: String, cells: [String])

  /// The newest value that was measured of a diagnostic's number; nil if none was.
  private func newest(_ path: String) -> Double? {
    history.evaluations[.diagnostic(path)]?.values.last { !$0.isNaN }.map { Double($0) }
  }

  private func figure(_ path: String, _ words: (Double) -> String) -> String { newest(path).map(words) ?? "—" }

  // MARK: Function and content tokens

  func drawTokens(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(
      .tokens, notes: ["function f, content c · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    let heads = history.evaluations.heads.filter { newest("function/\($0.name)-ff-count") != nil }
    guard let head = heads.first else { return drawOff("function", in: inside, on: &canvas) }
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
      order.map { group -> DiagnosticRow in
        let path = "function/\(head.name)-\(group.name)"
        return (
          "\(head.name) \(group.name)",
          [
            figure(path, Figure.loss), figure("function/train-\(head.name)-\(group.name)", Figure.loss),
            figure("\(path)-share") { Figure.fixed(100 * $0, 0) + " %" }, figure("\(path)-count", Figure.short),
          ]
        )
      }
    }
    drawDiagnostic(
      .tokens, lines, titles: ["held-out", "training", "of loss", "count"], rows, beginsAtZero: true,
      figure: Figure.loss, in: inside, on: &canvas)
  }

  // MARK: Neural collapse

  func drawCollapse(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(
      .collapse, notes: ["NC1–NC4 · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    guard newest("collapse/classes-count") != nil else { return drawOff("collapse", in: inside, on: &canvas) }
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
    let rows = names.map { name, part -> DiagnosticRow in
      let path = "collapse/\(part)"
      func words(_ value: Double) -> String { part.hasSuffix("count") ? Figure.short(value) : Figure.fixed(value, 3) }
      let first = history.evaluations[.diagnostic(path)]?.values.first { !$0.isNaN }
      return (name, [figure(path, words), first.map { words(Double($0)) } ?? "—"])
    }
    drawDiagnostic(
      .collapse, lines, titles: ["now", "first"], rows, beginsAtZero: true, figure: { Figure.fixed($0, 3) }, in: inside,
      on: &canvas)
  }

  // MARK: Both

  /// Says how a diagnostic is measured, where no evaluation has it.
  private func drawOff(_ name: String, in inside: Rectangle, on canvas: inout Canvas) {
    let every = beginning?.recipe.measure[every: name] ?? 0
    drawNothing(
      every > 0 ? "comes with an evaluation: measure.\(name) is \(every)" : "not measured: measure.\(name) is 0",
      in: inside,
      on: &canvas)
  }

  /// The chart, and where there is room the table, beside it or below.
  private func drawDiagnostic(
    _ panel: Panel, _ lines: [EvaluationLine], titles: [String], _ rows: [DiagnosticRow], beginsAtZero: Bool,
    figure: (Double) -> String, in inside: Rectangle, on canvas: inout Canvas
  ) {
    let name = rows.map(\.name.width).max() ?? 0
    let widths = titles.indices.map { index in max(titles[index].width, rows.map { $0.cells[index].width }.max() ?? 0) }
    // With room for the arrow that says that there are more rows.
    let width = widths.reduce(name) { $0 + 2 + $1 } + 2
    var (chart, table) = (inside, Rectangle?.none)
    if inside.columns >= width + 2 + 30, inside.rows >= 4 {
      let (left, right) = inside.splitLeft(inside.columns - width - 2)
      (chart, table) = (left, right.splitLeft(2).1)
    } else if inside.columns >= width, min(rows.count + 1, inside.rows - 6) >= 3 {
      let (above, below) = inside.splitTop(inside.rows - min(rows.count + 1, inside.rows / 2, inside.rows - 6))
      (chart, table) = (above, below)
    }
    if !lines.isEmpty {
      drawEvaluations(lines, beginsAtZero: beginsAtZero, figure: figure, in: chart, on: &canvas)
    }
    guard let table else { return }
    func line(_ first: String, _ cells: [String]) -> String {
      zip(widths, cells).reduce(first.padded(to: name)) { $0 + "  " + $1.1.padded(to: $1.0, .right) }
    }
    canvas.write(line("", titles), style: .faint, line: 0, of: table)
    let room = max(table.rows - 1, 0)
    let first = min(scroll[panel, default: 0], max(rows.count - room, 0))
    for (index, row) in rows.dropFirst(first).prefix(room).enumerated() {
      let isCut = index == room - 1 && first + room < rows.count
      canvas.write(
        [Span(line(row.name, row.cells)), Span(isCut ? " ↓" : "", .faint)], line: 1 + index, of: table)
    }
  }

  /// Rows of a panel's table, by which it can be scrolled.
  func diagnosticRows(of panel: Panel) -> Int {
    panel == .collapse ? 10 : 4 * history.evaluations.heads.count
  }
}
