// Draws `ChartData`, such as results of experiments, with axes and a legend, on a canvas or as text.
import Run
import TerminalUI

extension ChartData {
  /// The chart as lines of text.
  package func text(columns: Int, rows: Int, glyphs: Glyphs) -> String {
    var canvas = Canvas(columns: columns, rows: rows)
    let inside = canvas.box(canvas.bounds, title: "\(yLabel) over \(xLabel)")
    draw(in: inside, glyphs: glyphs, on: &canvas)
    canvas.reduce(to: glyphs)
    return canvas.text
  }

  /// Draws the curves, the axes and a legend below them.
  func draw(in inside: Rectangle, glyphs: Glyphs, on canvas: inout Canvas) {
    guard let xs = xRange, let ys = valueRange else {
      canvas.write("there are no values yet", style: .faint, line: inside.rows / 2, of: inside, indent: 1)
      return
    }
    let legend = curves.count > 1 ? legendLines(columns: inside.columns, glyphs: glyphs) : []
    let legendRows = inside.rows - legend.count >= 6 ? legend.count : 0
    let axisRows = inside.rows - legendRows >= 5 ? 2 : 0
    let rows = inside.rows - legendRows - axisRows
    guard rows > 0 else { return }
    let x = Scale(from: xs.low, to: xs.high, isLogarithmic: isXLogarithmic)
    let range = Scale(from: ys.low, to: ys.high)
    let down = glyphs.points.down
    guard let (y, left, columns) = canvas.drawEvenScale(range, rows: rows, points: down, in: inside) else { return }
    var plot = Plot(columns: columns, rows: rows, glyphs: glyphs)
    for (index, curve) in curves.enumerated() { draw(curve, LinePen(index), x, y, glyphs, &plot) }
    plot.draw(on: &canvas, column: left, row: inside.row)
    if axisRows > 0 {
      let ticks = x.ticks(atMost: max(3, columns / 10))
      let area = Rectangle(column: inside.column, row: inside.row + rows, columns: inside.columns, rows: axisRows)
      canvas.drawAxis(
        x, ticks: zip(ticks, Figure.labels(ticks)).map { (place: $0, label: $1) }, left: left, columns: columns,
        in: area)
    }
    for (index, line) in legend.prefix(legendRows).enumerated() {
      canvas.write(line, line: rows + axisRows + index, of: inside)
    }
  }

  private func draw(
    _ curve: DataCurve, _ pen: LinePen, _ x: Scale, _ y: Scale, _ glyphs: Glyphs, _ plot: inout Plot
  ) {
    func point(_ place: Double, _ value: Double) -> (x: Int, y: Int) {
      (x.point(of: place, among: plot.width), plot.height - 1 - y.point(of: value, among: plot.height))
    }
    var last: (x: Int, y: Int)?
    for (place, value) in zip(curve.xs, curve.ys) where place.isFinite && value.isFinite {
      let next = point(place, value)
      if let last {
        let corner = curve.isStepped ? (x: next.x, y: last.y) : last
        plot.line(from: last, to: corner, pen.pen)
        plot.line(from: corner, to: next, pen.pen)
      }
      plot.mark(x: next.x, y: next.y, pen.sign(glyphs), style: pen.style)
      last = next
    }
  }

  /// The legend's marks and names, with as many on a line as fit.
  private func legendLines(columns: Int, glyphs: Glyphs) -> [[Span]] {
    var lines: [[Span]] = [[]]
    for (index, curve) in curves.enumerated() {
      let pen = LinePen(index)
      let entry = [Span(String(pen.sign(glyphs)) + " ", pen.style), Span(curve.name.harmlessLine + "   ")]
      if !lines[lines.count - 1].isEmpty, lines[lines.count - 1].width + entry.width > columns { lines.append([]) }
      lines[lines.count - 1] += entry
    }
    return lines
  }
}
