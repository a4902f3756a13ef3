// The reliability diagram as a picture: for each bin of confidence a bar as high as the accuracy, a mark at the mean confidence, the
// diagonal on which both are equal, and below the axis the number of positions.
import Run
import TerminalUI

extension ReliabilityDiagram {
  /// The least size of a picture in which bars can be told apart.
  static let least = (columns: 24, rows: 7)

  /// Draws the diagram into an area, in about a square.
  func draw(in area: Rectangle, glyphs: Glyphs, on canvas: inout Canvas) {
    let (title, rest) = area.splitTop(area.rows >= 9 ? 1 : 0)
    let words = "accuracy by confidence" + (error.isNaN ? "" : " · ece \(Figure.fixed(error, 3))")
    canvas.write(words, style: .faint, line: 0, of: title)
    // Below the bars are the axis, its numbers, and the counts.
    let (chart, feet) = rest.splitTop(rest.rows - 3)
    let (axis, counts) = feet.splitTop(2)
    let scale = Scale(from: 0, to: 1)
    guard chart.rows >= 2,
      let (left, room) = canvas.drawScale(
        scale, ticks: [0, 0.5, 1], rows: chart.rows, points: glyphs.points.down, in: chart)
    else { return }
    // Bars are equally wide. A cell is about twice as high as it is wide.
    let bins = Self.binCount
    let columns = room < bins ? room : max(min(room, 4 * chart.rows) / bins, 1) * bins
    var plot = Plot(columns: columns, rows: chart.rows, glyphs: glyphs)
    let (width, bottom) = (plot.width, plot.height - 1)
    let bars = self.bins.enumerated().filter { $0.element.count > 0 && $0.element.accuracy.isFinite }
    func top(_ bin: ReliabilityBin) -> Int { bottom - scale.point(of: bin.accuracy, among: bottom + 1) }
    for (index, bin) in bars {
      let (start, end) = (index * width / bins, (index + 1) * width / bins)
      // With a gap before the next bar.
      for x in start..<max(end - (end - start > 2 ? 1 : 0), start + 1) {
        plot.band(x: x, from: top(bin), to: bottom, style: Style(.second).behind)
      }
    }
    plot.line(from: (0, bottom), to: (width - 1, 0), Pen(style: .faint, dash: Pen.Dash(on: 1, off: 1), symbol: "/"))
    for (_, bin) in bars where bin.confidence.isFinite {
      plot.mark(x: scale.point(of: bin.confidence, among: width), y: top(bin), "●", style: Style(.second, .bold))
    }
    plot.draw(on: &canvas, column: left, row: chart.row)
    let below = Rectangle(
      column: axis.column, row: axis.row, columns: left + columns - axis.column, rows: axis.rows)
    canvas.drawAxis(scale, ticks: [(0, "0"), (0.5, "0.5"), (1, "1")], left: left, columns: columns, in: below)
    if room >= bins { drawCounts(left: left, perBin: columns / bins, glyphs: glyphs, in: counts, on: &canvas) }
  }

  /// The number of positions of each bin: in figures if all have room, or else by height.
  private func drawCounts(
    left: Int, perBin columns: Int, glyphs: Glyphs, in area: Rectangle, on canvas: inout Canvas
  ) {
    canvas.write("n", style: .faint, column: left - 2, row: area.row, in: area)
    let words = bins.map { $0.count > 0 ? Figure.short($0.count) : "" }
    let most = bins.map(\.count).max() ?? 0
    for (index, bin) in bins.enumerated() where bin.count > 0 {
      let column = left + index * columns
      if words.allSatisfy({ $0.width < columns }) {
        canvas.write(words[index], style: .faint, column: column, row: area.row, in: area)
        continue
      }
      let heights = glyphs.heights
      let height = min(Int(bin.count / most * Double(heights.count)), heights.count - 1)
      for cell in 0..<max(columns - 1, 1) {
        canvas.put(heights[height], style: Style(.second), column: column + cell, row: area.row, in: area)
      }
    }
  }

  /// The diagram as lines of text, without styles.
  package func picture(columns: Int, rows: Int, glyphs: Glyphs) -> String {
    var canvas = Canvas(columns: columns, rows: rows)
    draw(in: canvas.bounds, glyphs: glyphs, on: &canvas)
    canvas.reduce(to: glyphs)
    return canvas.text
  }
}
