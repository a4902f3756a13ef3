// Small charts inside text: sparklines and bars.

extension Canvas {
  /// Draws values as blocks of rising height, one per cell, on a row of a rectangle. `×` stands for a value that is not finite.
  /// - Parameter scale: the values of the lowest and the highest block.
  package mutating func sparkline(
    _ values: [Double], scale: Scale, style: Style, line: Int, of rectangle: Rectangle, glyphs: Glyphs
  ) {
    guard line >= 0, line < rectangle.rows else { return }
    let heights = glyphs.heights
    for (index, value) in values.enumerated() {
      let isBad = !value.isFinite
      let height = isBad ? 0 : scale.point(of: value, among: heights.count)
      put(
        isBad ? "×" : heights[height], style: isBad ? Style(.bad, .bold) : style, column: rectangle.column + index,
        row: rectangle.row + line, in: rectangle)
    }
  }

  /// Draws a bar for a share in 0…1 over `columns` cells, to an eighth of a cell.
  package mutating func bar(
    _ share: Double, columns: Int, style: Style, column: Int, row: Int, in clip: Rectangle, glyphs: Glyphs
  ) {
    guard share.isFinite, share > 0, columns > 0 else { return }
    let lengths = glyphs.lengths
    let parts = Int((min(share, 1) * Double(columns * lengths.count)).rounded())
    for index in 0..<(parts / lengths.count) {
      put(lengths[lengths.count - 1], style: style, column: column + index, row: row, in: clip)
    }
    let rest = parts % lengths.count
    if rest > 0 {
      put(lengths[rest - 1], style: style, column: column + parts / lengths.count, row: row, in: clip)
    }
  }
}
