// A raster of points finer than cells, for braille, half blocks or ASCII: lines over dim bands, with marks on top.

/// The look of a plot's line. Lines differ in pattern or symbol as well as in colour.
package struct Pen: Equatable, Sendable {
  package var style: Style
  /// The pattern: a number of drawn columns of points, then a number of omitted ones; nil is unbroken.
  package var dash: Dash?
  /// The character of a point in ASCII.
  package var symbol: Character

  package struct Dash: Equatable, Sendable {
    package var on: Int
    package var off: Int

    package init(on: Int, off: Int) {
      (self.on, self.off) = (on, off)
    }
  }

  package init(style: Style, dash: Dash? = nil, symbol: Character) {
    self.style = style
    self.dash = dash
    self.symbol = symbol
  }
}

/// A raster of `width` × `height` points; (0, 0) is the top left one.
package struct Plot: Sendable {
  private struct Spot {
    var line: UInt8 = 0
    var band: UInt8 = 0
    var symbol: Character = "*"
    var lineStyle = Style.plain
    var bandStyle = Style.faint
    var mark: Character?
    var markStyle = Style.plain
  }

  package let columns: Int
  package let rows: Int
  package let glyphs: Glyphs
  private let across: Int
  private let down: Int
  private var spots: [Spot]

  package init(columns: Int, rows: Int, glyphs: Glyphs) {
    self.columns = max(columns, 0)
    self.rows = max(rows, 0)
    self.glyphs = glyphs
    (across, down) = glyphs.points
    spots = Array(repeating: Spot(), count: self.columns * self.rows)
  }

  package var width: Int { columns * across }
  package var height: Int { rows * down }

  private func bit(_ x: Int, _ y: Int) -> UInt8 {
    switch glyphs {
    case .braille:
      let dots: UInt64 = 0x8020_1008_4004_0201
      return UInt8(truncatingIfNeeded: dots >> UInt64(8 * ((x & 1) * 4 + (y & 3))))
    case .blocks: return y & 1 == 0 ? 1 : 2
    case .ascii: return 1
    }
  }

  /// Fills a column of points between two heights, under every line.
  package mutating func band(x: Int, from top: Int, to bottom: Int, style: Style) {
    guard x >= 0, x < width else { return }
    let (top, bottom) = (max(min(top, bottom), 0), min(max(top, bottom), height - 1))
    guard top <= bottom else { return }
    for y in top...bottom {
      let index = (y / down) * columns + x / across
      spots[index].band |= bit(x, y)
      spots[index].bandStyle = style
    }
  }

  /// Draws a straight line as a part of the bands; both ends may lie outside.
  package mutating func bandLine(from start: (x: Int, y: Int), to end: (x: Int, y: Int), style: Style) {
    Self.walk(from: start, to: end) { x, y in
      guard y >= 0, y < height else { return }
      band(x: x, from: y, to: y, style: style)
    }
  }

  /// Draws one point of a line.
  package mutating func point(x: Int, y: Int, _ pen: Pen) {
    guard x >= 0, x < width, y >= 0, y < height else { return }
    if let dash = pen.dash, x % (dash.on + dash.off) >= dash.on { return }
    let index = (y / down) * columns + x / across
    spots[index].line |= bit(x, y)
    spots[index].lineStyle = pen.style
    spots[index].symbol = pen.symbol
  }

  /// Draws a straight line; both ends may lie outside.
  package mutating func line(from start: (x: Int, y: Int), to end: (x: Int, y: Int), _ pen: Pen) {
    Self.walk(from: start, to: end) { x, y in point(x: x, y: y, pen) }
  }

  /// The points of a straight line.
  private static func walk(from start: (x: Int, y: Int), to end: (x: Int, y: Int), _ body: (Int, Int) -> Void) {
    let (dx, dy) = (end.x - start.x, end.y - start.y)
    let count = max(abs(dx), abs(dy))
    // The ends come from values clipped to the plot, so that the walk is short.
    guard count > 0, count < 1 << 16 else { return body(start.x, start.y) }
    for step in 0...count {
      let x = start.x + (dx * step * 2 + (dx < 0 ? -count : count)) / (2 * count)
      let y = start.y + (dy * step * 2 + (dy < 0 ? -count : count)) / (2 * count)
      body(x, y)
    }
  }

  /// The style of the visible line in a point's cell; nil in a cell without lines.
  package func lineStyle(x: Int, y: Int) -> Style? {
    hasLine(x: x, y: y) ? spots[(y / down) * columns + x / across].lineStyle : nil
  }

  /// True if a line has points in a point's cell.
  package func hasLine(x: Int, y: Int) -> Bool {
    guard x >= 0, x < width, y >= 0, y < height else { return false }
    return spots[(y / down) * columns + x / across].line != 0
  }

  /// True if a character stands over a point's cell.
  package func hasMark(x: Int, y: Int) -> Bool {
    guard x >= 0, x < width, y >= 0, y < height else { return false }
    return spots[(y / down) * columns + x / across].mark != nil
  }

  /// Puts a character over a point's cell.
  package mutating func mark(x: Int, y: Int, _ character: Character, style: Style) {
    guard x >= 0, x < width, y >= 0, y < height else { return }
    let index = (y / down) * columns + x / across
    spots[index].mark = character
    spots[index].markStyle = style
  }

  /// Draws the plot on a canvas with its top left cell at a place; cells without points stay unchanged.
  package func draw(on canvas: inout Canvas, column: Int, row: Int) {
    for y in 0..<rows {
      for x in 0..<columns {
        let spot = spots[y * columns + x]
        if let mark = spot.mark {
          canvas.put(mark, style: spot.markStyle, column: column + x, row: row + y)
        } else if spot.line != 0 {
          canvas.put(character(spot.line, spot.symbol), style: spot.lineStyle, column: column + x, row: row + y)
        } else if spot.band != 0 {
          canvas.put(character(spot.band, "."), style: spot.bandStyle, column: column + x, row: row + y)
        }
      }
    }
  }

  private func character(_ bits: UInt8, _ symbol: Character) -> Character {
    switch glyphs {
    case .braille: Character(Unicode.Scalar(0x2800 + UInt32(bits))!)
    case .blocks: bits == 3 ? "█" : bits == 1 ? "▀" : "▄"
    case .ascii: symbol
    }
  }
}
