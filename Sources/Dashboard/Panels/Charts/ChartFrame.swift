// The frame of a chart's plot: numbers beside the y axis, and the x axis with its ticks.
import Run
import TerminalUI

extension Canvas {
  /// Draws round numbers and ticks, equally many rows apart, beside the first `rows` rows of a chart.
  /// - Parameter points: points of the plot per row.
  /// - Returns: the scale of the plot, whose bounds moved outward for the ticks, the plot's first column and its width in
  ///   columns; nil if there is no room for a plot.
  mutating func drawEvenScale(
    _ y: Scale, rows: Int, points: Int, in chart: Rectangle
  ) -> (y: Scale, left: Int, columns: Int)? {
    let (y, ticks) = y.evened(rows: rows, points: points)
    return drawScale(y, ticks: ticks, rows: rows, points: points, in: chart).map { (y, $0.left, $0.columns) }
  }

  /// Draws the given ticks and their numbers beside the first `rows` rows of a chart.
  /// - Parameter points: points of the plot per row.
  /// - Returns: the plot's first column and its width in columns; nil if there is no room for a plot.
  mutating func drawScale(
    _ y: Scale, ticks: [Double], rows: Int, points: Int, in chart: Rectangle
  ) -> (left: Int, columns: Int)? {
    let labels = Figure.labels(ticks)
    let margin = (labels.map(\.width).max() ?? 0) + 1
    let columns = chart.columns - margin - 1
    guard columns > 1 else { return nil }
    let left = chart.column + margin + 1
    var lowest = Int.max
    for (value, label) in zip(ticks, labels) {
      let row = chart.row + rows - 1 - y.point(of: value, among: rows * points) / points
      guard row < lowest else { continue }
      lowest = row
      write(label, style: .faint, column: left - 2 - label.width, row: row, in: chart)
      put("┤", style: .frame, column: left - 1, row: row, in: chart)
    }
    return (left, columns)
  }

  /// Draws a cursor's line into a plot. The plot's points are drawn afterwards.
  /// - Parameter column: counted from the plot's first one.
  mutating func drawCursor(at column: Int, in plot: Rectangle) {
    for row in plot.row..<plot.bottom { put("│", style: .frame, column: plot.column + column, row: row, in: plot) }
  }

  /// The first column of a label at a column of the axis: all of it lies inside.
  static func labelStart(_ label: String, at column: Int, from least: Int, in area: Rectangle) -> Int {
    max(min(column - label.width / 2, area.end - label.width), least)
  }

  /// Draws the x axis, and below it, if there is a second row, the ticks' labels.
  /// - Parameter ticks: places on the scale, with their labels.
  mutating func drawAxis(
    _ x: Scale, ticks: [(place: Double, label: String)], left: Int, columns: Int, in area: Rectangle
  ) {
    for column in 0..<columns { put("─", style: .frame, column: left + column, row: area.row, in: area) }
    put("┴", style: .frame, column: left - 1, row: area.row, in: area)
    var free = area.column
    for (tick, label) in ticks {
      let column = left + x.point(of: tick, among: columns)
      put("┴", style: .frame, column: tick == x.lower ? left - 1 : column, row: area.row, in: area)
      guard area.rows > 1 else { continue }
      let least = tick == x.lower ? left - 1 : area.column
      let start = Self.labelStart(label, at: column, from: least, in: area)
      guard start >= free else { continue }
      write(label, style: .faint, column: start, row: area.row + 1, in: area)
      free = start + label.width + 2
    }
  }
}
