// A chart of numbers of evaluations, a point each, with a legend: what the panels of quality and of diagnostics draw.
import Run
import TerminalUI

/// A line of the chart: one quantity of all evaluations that have it.
struct EvaluationLine {
  let name: String
  let sign: String
  let pen: Pen
  let values: Series
}

extension Dashboard {
  /// - Returns: nil if no evaluation has the quantity.
  func evaluationLine(
    _ name: String, _ sign: String, _ pen: Pen, _ quantity: EvaluationHistory.Quantity
  ) -> EvaluationLine? {
    guard let values = history.evaluations[quantity], values.summary.count > 0 else { return nil }
    return EvaluationLine(name: name, sign: sign, pen: pen, values: values)
  }

  /// The legend below the chart, as far as there is room.
  /// - Parameter beginsAtZero: whether the vertical axis has its zero.
  func drawEvaluations(
    _ lines: [EvaluationLine], beginsAtZero: Bool, figure: (Double) -> String, in inside: Rectangle,
    on canvas: inout Canvas
  ) {
    let legend = legend(
      of: lines, figure: figure, columns: inside.columns,
      rows: inside.rows >= 7 ? max(2, inside.rows / 4) : inside.rows >= 4 ? 1 : 0)
    let (chart, below) = inside.splitTop(inside.rows - legend.count)
    for (index, row) in legend.enumerated() { canvas.write(row, line: index, of: below) }
    drawChart(lines, beginsAtZero: beginsAtZero, in: chart, on: &canvas)
  }

  private func drawChart(
    _ lines: [EvaluationLine], beginsAtZero: Bool, in chart: Rectangle, on canvas: inout Canvas
  ) {
    let axisRows = chart.rows >= 6 ? 2 : chart.rows >= 4 ? 1 : 0
    let rows = chart.rows - axisRows
    let summaries = lines.map(\.values.summary)
    guard rows > 0, let low = summaries.map(\.minimum).min(), let high = summaries.map(\.maximum).max() else { return }
    let range = Scale(from: beginsAtZero ? min(Double(low), 0) : Double(low), to: Double(high))
    let down = glyphs.points.down
    guard let (y, left, columns) = canvas.drawEvenScale(range, rows: rows, points: down, in: chart) else { return }
    let x = visibleX
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    let plotArea = Rectangle(column: left, row: chart.row, columns: columns, rows: rows)
    drawCursor(x, in: plotArea, on: &canvas)
    let ranges = history.evaluations.places.ranges(axis, x, plot.width)
    for line in lines.reversed() { Self.drawLine(line.values, ranges, y, line.pen, &plot) }
    plot.draw(on: &canvas, column: left, row: chart.row)
    canvas.note(.chart(x), in: plotArea)
    if axisRows > 0 {
      let area = Rectangle(column: chart.column, row: chart.row + rows, columns: chart.columns, rows: axisRows)
      drawAxis(x, left: left, columns: columns, in: area, on: &canvas)
    }
  }

  /// The names of the lines with their newest values up to the cursor, in at most `rows` rows; the last ones are counted if there
  /// is no room: `+3`.
  private func legend(
    of lines: [EvaluationLine], figure: (Double) -> String, columns: Int, rows: Int
  ) -> [[Span]] {
    let read = readEvaluations
    var entries = lines.map { line -> [Span] in
      let style = line.pen.style.bold
      let value = line.values.values.prefix(read).last { !$0.isNaN }.map { figure(Double($0)) } ?? "–"
      return [Span(line.sign, style), Span(" \(line.name) "), Span(value, style)]
    }
    if cursorPlace != nil, read > 0 {
      let step = Int(history.evaluations.places[.step][read - 1])
      entries.insert([Span("step \(Figure.grouped(step))", .faint)], at: 0)
    }
    return LossLegend.fitted(entries, columns: columns, rows: rows, gap: 3)
  }
}
