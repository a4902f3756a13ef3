// The panel of all diagnostics that have no panel of their own: a table with the course of each number, a chart of the chosen one and of
// those that belong to it, and the reliability diagram.
import Run
import TerminalUI

/// A number of that panel.
struct ChartedNumber: Sendable {
  let number: DiagnosticNumber
  /// The name in the table: `calibration ece`.
  let name: String
  /// The name in the legend: `ece`.
  let short: String
  /// What it has in common with the numbers that are on one chart with it.
  let group: String

  /// - Parameter recipe: the recipe of the run.
  init(_ number: DiagnosticNumber, of kind: DiagnosticKind, in recipe: Recipe) {
    let part = kind.part(of: number)
    // Bins are charted head by head.
    let head = recipe.heads.map { $0.name + "-" }.filter { part.hasPrefix($0) }.max { $0.count < $1.count }
    self.number = number
    (name, short) = ("\(kind.name) \(part)", part)
    group = [kind.name, head ?? "", number.unit, kind.hasOwnScale(number) ? part : ""].joined(separator: " ")
  }

  var isLoss: Bool { number.unit == "nats" }

  func figure(_ value: Double) -> String { isLoss ? Figure.loss(value) : Figure.fixed(value, 3) }
}

extension Dashboard {
  /// Lists the numbers of the panel: those that were measured. Diagnostics with few numbers come first.
  mutating func listChartedNumbers() {
    guard let recipe = beginning?.recipe else { return }
    let lists = Self.diagnostics(on: .diagnostics).map { kind in
      kind.charted(recipe).filter { history.evaluations[.diagnostic($0.path)] != nil }
        .map { ChartedNumber($0, of: kind, in: recipe) }
    }
    chartedNumbers = lists.enumerated().sorted { ($0.element.count, $0.offset) < ($1.element.count, $1.offset) }
      .flatMap(\.element)
  }

  func drawDiagnostics(in rectangle: Rectangle, on canvas: inout Canvas) {
    let index = min(scroll[.diagnostics, default: 0], max(chartedNumbers.count - 1, 0))
    let chosen = chartedNumbers.indices.contains(index) ? chartedNumbers[index] : nil
    let notes = chosen.map { ["↑ ↓ \($0.name) · x \(axis.label)", "↑ ↓ \($0.name)", $0.name] } ?? []
    let inside = frame(.diagnostics, notes: notes, in: rectangle, on: &canvas)
    guard let chosen else { return drawOff(.diagnostics, in: inside, on: &canvas) }
    var table = chartedTable(hasFirst: true)
    if table.width > inside.columns { table = chartedTable(hasFirst: false) }
    var (chart, rows) = (Rectangle?.none, inside)
    var course = DiagnosticTable.course(in: inside.columns - table.width)
    if inside.columns >= table.width + 10 + 2 + 30, inside.rows >= 6 {
      course = max(DiagnosticTable.course(in: inside.columns - table.width - 2 - 40), 8)
      let (left, right) = inside.splitLeft(inside.columns - table.width - course - 4)
      (chart, rows) = (left, right.splitLeft(2).1)
    } else if inside.rows >= 11 {
      let (above, below) = inside.splitTop(
        inside.rows - min(chartedNumbers.count + 1, max(inside.rows * 2 / 5, 5)))
      (chart, rows) = (above, below)
    }
    if let chart { drawCharts(of: chosen, in: chart, on: &canvas) }
    // The chosen row is in the middle.
    table.draw(
      course: course, from: index - max(rows.rows - 1, 0) / 2, chosen: index, glyphs: glyphs, in: rows, on: &canvas,
      values: measuredValues)
  }

  private func chartedTable(hasFirst: Bool) -> DiagnosticTable {
    let now = cursorPlace == nil ? "now" : "cursor"
    return DiagnosticTable(
      titles: [now] + (hasFirst ? ["first"] : []),
      rows: chartedNumbers.map { charted in
        let path = charted.number.path
        let first = hasFirst ? [firstFigure(path, charted.figure)] : []
        return DiagnosticTable.DiagnosticRow(
          name: charted.name, path: path, cells: [figure(path, charted.figure)] + first)
      })
  }

  // MARK: Charts

  /// The chart of a number over the evaluations and the reliability diagram: both if there is room, or else the one that is chosen.
  private func drawCharts(of chosen: ChartedNumber, in area: Rectangle, on canvas: inout Canvas) {
    guard let reliability else { return drawChart(of: chosen, in: area, on: &canvas) }
    let least = ReliabilityDiagram.least
    let isOfDiagram = chosen.number.path.hasPrefix(DiagnosticKind.calibration.name + "/")
    if area.columns >= least.columns + 2 + 36, area.rows > least.rows {
      let width = min(area.columns / 2, max(4 * area.rows, least.columns))
      let (left, right) = area.splitLeft(area.columns - width - 2)
      drawChart(of: chosen, in: left, on: &canvas)
      reliability.draw(in: right.splitLeft(2).1, glyphs: glyphs, on: &canvas)
    } else if area.rows >= 2 * least.rows + 3, area.columns >= least.columns {
      let (above, below) = area.splitTop(area.rows / 2)
      drawChart(of: chosen, in: above, on: &canvas)
      reliability.draw(in: below, glyphs: glyphs, on: &canvas)
    } else if isOfDiagram, area.rows >= least.rows, area.columns >= least.columns {
      reliability.draw(in: area, glyphs: glyphs, on: &canvas)
    } else {
      drawChart(of: chosen, in: area, on: &canvas)
    }
  }

  /// The looks of the chart's lines.
  private static let looks: [(sign: String, pen: Pen)] = [
    ("━", Pen(style: Style(.first), symbol: "*")),
    ("╌", Pen(style: Style(.second), dash: Pen.Dash(on: 2, off: 1), symbol: "+")),
    ("┅", Pen(style: Style(.third), dash: Pen.Dash(on: 4, off: 2), symbol: "o")),
    ("─", Pen(style: Style(.fourth), symbol: "x")),
    ("┄", Pen(style: Style(.plain), dash: Pen.Dash(on: 1, off: 1), symbol: "~")),
  ]

  /// The chosen number and those of its group; of very many, some between the first and the last.
  private func drawChart(of chosen: ChartedNumber, in area: Rectangle, on canvas: inout Canvas) {
    let group = chartedNumbers.filter { $0.group == chosen.group }
    var shown = group.indices.spread(most: Self.looks.count)
    if let own = group.firstIndex(where: { $0.number == chosen.number }), !shown.contains(own),
      let nearest = shown.indices.min(by: { abs(shown[$0] - own) < abs(shown[$1] - own) })
    {
      shown[nearest] = own
    }
    let lines = zip(shown, Self.looks).compactMap { index, look in
      evaluationLine(
        group[index].short, glyphs == .ascii ? String(look.pen.symbol) : look.sign, look.pen,
        .diagnostic(group[index].number.path))
    }
    drawEvaluations(lines, beginsAtZero: !chosen.isLoss, figure: chosen.figure, in: area, on: &canvas)
  }

  /// The reliability diagram as the newest measurement up to the cursor has it; nil if there is none.
  private var reliability: ReliabilityDiagram? {
    let evaluations = history.evaluations
    func values(_ path: String) -> [Float]? { evaluations[.diagnostic(path)]?.values }
    // Every measurement counts the positions of every bin.
    let counts = "\(DiagnosticKind.calibration.name)/\(ReliabilityDiagram.names(ofBin: 0).count)"
    guard let index = values(counts)?.prefix(readEvaluations).lastIndex(where: { !$0.isNaN }) else { return nil }
    return ReliabilityDiagram { path in values(path).map { Double($0[index]) } }
  }
}
