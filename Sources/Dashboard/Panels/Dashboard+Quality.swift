// The quality panel, one point per evaluation on the held-out part: each head's accuracy (the share of positions at which its
// first choice is right), and the quality of TOP's rankings.
import Run
import TerminalUI

extension Dashboard {
  /// A line of the chart: one quantity of all evaluations that have it.
  private struct QualityLine {
    let name: String
    let sign: String
    let pen: Pen
    let values: Series
  }

  private var qualityLines: [QualityLine] {
    func line(_ name: String, _ sign: String, _ pen: Pen, _ quantity: EvaluationHistory.Quantity) -> QualityLine? {
      guard let values = history.evaluations[quantity], values.summary.count > 0 else { return nil }
      return QualityLine(name: name, sign: sign, pen: pen, values: values)
    }
    func order(_ name: String, _ role: Role, _ dash: Pen.Dash?, _ symbol: Character, _ part: Int) -> QualityLine? {
      line(name, String(symbol), Pen(style: Style(role), dash: dash, symbol: symbol), .order(part))
    }
    let accuracies = history.evaluations.heads.map { head in
      line("acc \(head.name)", head.hasBlock ? String(head.look.symbol) : head.look.sign, pen(head), .accuracy(head))
    }
    let orders = [
      order("ndcg@8", .second, nil, "+", 0), order("τ", .fourth, Pen.Dash(on: 2, off: 1), "%", 1),
      order("recall@8", .second, Pen.Dash(on: 4, off: 2), "o", 2), order("mrr", .fourth, nil, "#", 3),
    ]
    let paths = [line("whole paths", "*", Pen(style: Style(.good), dash: nil, symbol: "*"), .path)]
    return (paths + accuracies + orders).compactMap { $0 }
  }

  func drawQuality(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(.quality, notes: ["held-out · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    let lines = qualityLines
    guard !lines.isEmpty else {
      let every = beginning?.recipe.evaluate.every ?? 0
      return drawNothing(
        history.evaluations.isEmpty
          ? every > 0
            ? "accuracies and rank quality come every \(Figure.grouped(every)) steps" : "no evaluation yet: e makes one"
          : "this run was evaluated without accuracies", in: inside, on: &canvas)
    }
    let legend = legend(of: lines, columns: inside.columns, rows: inside.rows >= 7 ? 2 : inside.rows >= 4 ? 1 : 0)
    let (chart, below) = inside.splitTop(inside.rows - legend.count)
    for (index, row) in legend.enumerated() { canvas.write(row, line: index, of: below) }
    drawChart(lines, in: chart, on: &canvas)
  }

  private func drawChart(_ lines: [QualityLine], in chart: Rectangle, on canvas: inout Canvas) {
    let axisRows = chart.rows >= 6 ? 2 : chart.rows >= 4 ? 1 : 0
    let rows = chart.rows - axisRows
    let summaries = lines.map(\.values.summary)
    guard rows > 0, let low = summaries.map(\.minimum).min(), let high = summaries.map(\.maximum).max() else { return }
    let y = Scale(from: min(Double(low), 0), to: Double(high))
    guard let (left, columns) = canvas.drawScale(y, rows: rows, in: chart) else { return }
    let x = visibleX
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    let ranges = history.evaluations.places.ranges(axis, x, plot.width)
    for line in lines.reversed() { Self.drawLine(line.values, ranges, y, line.pen, &plot) }
    plot.draw(on: &canvas, column: left, row: chart.row)
    if axisRows > 0 {
      let area = Rectangle(column: chart.column, row: chart.row + rows, columns: chart.columns, rows: axisRows)
      drawAxis(x, left: left, columns: columns, in: area, on: &canvas)
    }
  }

  /// The names of the lines with their newest values, in at most `rows` rows; the last ones are left out if there is no room.
  private func legend(of lines: [QualityLine], columns: Int, rows: Int) -> [[Span]] {
    var legend: [[Span]] = []
    for line in lines {
      let style = line.pen.style.bold
      let value = line.values.last.map { Figure.share(Double($0), 3) } ?? ""
      let entry = [Span(line.sign, style), Span(" \(line.name) "), Span(value, style)]
      if let row = legend.last, row.width + 3 + entry.width <= columns {
        legend[legend.count - 1] += [Span("   ")] + entry
      } else if legend.count < rows {
        legend.append(entry)
      }
    }
    return legend
  }
}
