// A chart of one number of the steps, with both axes: what the panels of gradients and of throughput draw.
import Run
import TerminalUI

extension Dashboard {
  /// Draws a series over the visible part of the x axis: the means as a line, and a band of all values.
  /// - Parameter level: a value with a dashed line across the chart; nil for a chart without one.
  func drawSteps(
    _ series: Series, _ y: Scale, _ pen: Pen, level: Double? = nil, in chart: Rectangle, on canvas: inout Canvas
  ) {
    let axisRows = chart.rows >= 6 ? 2 : chart.rows >= 4 ? 1 : 0
    let rows = chart.rows - axisRows
    guard rows > 0, let (left, columns) = canvas.drawScale(y, rows: rows, in: chart) else { return }
    let x = visibleX
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    if let level, level <= y.upper, level >= y.lower {
      let row = plot.height - 1 - y.point(of: level, among: plot.height)
      let pen = Pen(style: Style(.warning), dash: Pen.Dash(on: 3, off: 3), symbol: "-")
      plot.line(from: (0, row), to: (plot.width - 1, row), pen)
    }
    Self.drawBand(series, history.places.ranges(axis, x, plot.width, covering: true), y, pen.style.behind, &plot)
    Self.drawLine(series, history.places.ranges(axis, x, plot.width), y, pen, &plot)
    plot.draw(on: &canvas, column: left, row: chart.row)
    canvas.note(.chart(x), in: Rectangle(column: left, row: chart.row, columns: columns, rows: rows))
    guard axisRows > 0 else { return }
    let area = Rectangle(column: chart.column, row: chart.row + rows, columns: chart.columns, rows: axisRows)
    drawAxis(x, left: left, columns: columns, in: area, on: &canvas)
  }
}
