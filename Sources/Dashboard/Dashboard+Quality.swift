// What the heads are worth on the held-out part beside their losses: how often each has the right token first, and how well
// TOP ranks what comes. Points are evaluations.
import Run
import TerminalUI

extension Dashboard {
  /// A line of the chart: a number of every evaluation that has it.
  private struct QualityLine {
    let name: String
    let sign: String
    let pen: Pen
    let values: [(at: Moment, value: Double)]
  }

  private var qualityLines: [QualityLine] {
    let last = history.evaluations.last?.evaluation
    let accuracies = (last?.losses ?? []).filter { $0.accuracy != nil }.map { loss in
      line("acc \(loss.head.name)", Self.sign(loss.head), Self.pen(loss.head)) { evaluation in
        evaluation.losses.first { $0.head == loss.head }?.accuracy
      }
    }
    guard last?.order != nil else { return accuracies }
    func order(
      _ name: String, _ role: Role, _ dash: Pen.Dash?, _ symbol: Character, _ path: KeyPath<OrderQuality, Float>
    ) -> QualityLine {
      line(name, String(symbol), Pen(style: Style(role), dash: dash, symbol: symbol)) { $0.order?[keyPath: path] }
    }
    return accuracies + [
      order("ndcg@8", .second, nil, "+", \.ndcg8), order("τ", .fourth, Pen.Dash(on: 2, off: 1), "%", \.tau),
      order("recall@8", .second, Pen.Dash(on: 4, off: 2), "o", \.recall8),
      order("mrr", .fourth, nil, "#", \.reciprocalRank),
    ]
  }

  private func line(
    _ name: String, _ sign: String, _ pen: Pen, _ value: (Evaluation) -> Float?
  ) -> QualityLine {
    QualityLine(
      name: name, sign: sign, pen: pen,
      values: history.evaluations.compactMap { point in
        value(point.evaluation).flatMap { $0.isFinite ? (point.at, Double($0)) : nil }
      })
  }

  func drawQuality(in rectangle: Rectangle, on canvas: inout Canvas) {
    let inside = frame(.quality, notes: ["held-out · x \(axis.label)", "x \(axis.label)"], in: rectangle, on: &canvas)
    let lines = qualityLines.filter { !$0.values.isEmpty }
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
    let values = lines.flatMap { $0.values.map(\.value) }
    guard rows > 0, let low = values.min(), let high = values.max() else { return }
    let y = Scale(from: min(low, 0), to: high)
    guard let (left, columns) = drawScale(y, rows: rows, in: chart, on: &canvas) else { return }
    let xs = history.column(axis)
    let x = Scale(from: firstX(xs), to: max(xs.last ?? 1, history.evaluations.last?.at[axis] ?? 0))
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    for line in lines.reversed() {
      let points = line.values.map { point in
        (
          x: x.point(of: point.at[axis], among: plot.width),
          y: plot.height - 1 - y.point(of: point.value, among: plot.height)
        )
      }
      for (before, point) in zip(points.prefix(1) + points, points) { plot.line(from: before, to: point, line.pen) }
    }
    plot.draw(on: &canvas, column: left, row: chart.row)
    if axisRows > 0 {
      let area = Rectangle(column: chart.column, row: chart.row + rows, columns: chart.columns, rows: axisRows)
      drawAxis(x, left: left, columns: columns, in: area, on: &canvas)
    }
  }

  /// The lines with their newest values, in as many rows as there are; what does not fit is left out from the end.
  private func legend(of lines: [QualityLine], columns: Int, rows: Int) -> [[Span]] {
    var legend: [[Span]] = []
    for line in lines {
      let style = Style(line.pen.style.role, .bold)
      let value = line.values.last.map { Figure.share($0.value, 3) } ?? ""
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
