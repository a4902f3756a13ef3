// A chart of one number of the steps, with both axes: what the panels of gradients and of throughput draw.
import Run
import TerminalUI

extension Dashboard {
  /// Draws a series over the visible part of the x axis: the means as a line, a band of all values, and the value at the cursor.
  /// - Parameters:
  ///   - level: a value with a dashed line across the chart; nil for a chart without one.
  ///   - figure: a value as text, with its unit.
  func drawSteps(
    _ series: Series, _ y: Scale, _ pen: Pen, level: Double? = nil, figure: (Double) -> String, in chart: Rectangle,
    on canvas: inout Canvas
  ) {
    let axisRows = chart.rows >= 6 ? 2 : chart.rows >= 4 ? 1 : 0
    let rows = chart.rows - axisRows
    let down = glyphs.points.down
    guard rows > 0, let (y, left, columns) = canvas.drawEvenScale(y, rows: rows, points: down, in: chart)
    else { return }
    let x = visibleX
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    if let level, level <= y.upper, level >= y.lower {
      let row = plot.height - 1 - y.point(of: level, among: plot.height)
      let pen = Pen(style: Style(.warning), dash: Pen.Dash(on: 3, off: 3), symbol: "-")
      plot.line(from: (0, row), to: (plot.width - 1, row), pen)
    }
    Self.drawBand(series, history.places.ranges(axis, x, plot.width, covering: true), y, pen.style.behind, &plot)
    Self.drawLine(series, history.places.ranges(axis, x, plot.width), y, pen, &plot)
    let plotArea = Rectangle(column: left, row: chart.row, columns: columns, rows: rows)
    drawCursor(x, in: plotArea, on: &canvas)
    plot.draw(on: &canvas, column: left, row: chart.row)
    canvas.note(.chart(x), in: plotArea)
    if let entry = cursorEntry, rows >= 3 {
      let words = [
        Span("step \(Figure.grouped(Int(history.places[entry].step)))  "),
        Span(figure(Double(series.values[entry])), pen.style.bold),
      ]
      drawBox([words], in: plotArea, on: &canvas)
    }
    guard axisRows > 0 else { return }
    let area = Rectangle(column: chart.column, row: chart.row + rows, columns: chart.columns, rows: axisRows)
    drawAxis(x, left: left, columns: columns, in: area, on: &canvas)
  }
}
