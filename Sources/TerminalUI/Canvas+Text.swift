// Text on a canvas: clipped, with an ellipsis for omitted text, and never with a raw control byte.
import Run

extension Canvas {
  /// Writes text from a place to the right. Control and bidirectional characters become `·`.
  /// - Returns: the column after the text.
  @discardableResult
  package mutating func write(_ text: String, style: Style = .plain, column: Int, row: Int, in clip: Rectangle) -> Int {
    var column = column
    guard row >= max(clip.row, 0), row < min(clip.bottom, rows) else { return column + text.width }
    for scalar in text.unicodeScalars {
      let width = scalar.width
      if scalar.steersTerminals, width > 0 {
        for cell in 0..<width { put("·", style: style, column: column + cell, row: row, in: clip) }
        column += width
        continue
      }
      if width == 0 {
        // Joiners and variation selectors are omitted: some terminals draw them wider than they count them.
        if scalar.properties.generalCategory == .nonspacingMark, !(0xFE00...0xFE0F).contains(scalar.value) {
          join(scalar, before: column, row: row, in: clip)
        }
        continue
      }
      put(Character(scalar), width: width, style: style, column: column, row: row, in: clip)
      column += width
    }
    return column
  }

  /// Writes spans on line `line` of a rectangle, from its left edge (after `indent` cells) or up to its right edge. Text that
  /// does not fit is cut, with `…` at the end.
  /// - Returns: the column after the last cell written.
  @discardableResult
  package mutating func write(
    _ spans: [Span], line: Int, of rectangle: Rectangle, indent: Int = 0, _ alignment: Alignment = .left
  ) -> Int {
    guard line >= 0, line < rectangle.rows, indent < rectangle.columns else { return rectangle.column }
    let available = rectangle.columns - indent
    let width = spans.width
    var column = rectangle.column + indent
    if alignment == .right { column = max(rectangle.end - width, column) }
    let row = rectangle.row + line
    guard width > available else {
      for span in spans { column = write(span.text, style: span.style, column: column, row: row, in: rectangle) }
      return column
    }
    var left = available
    for span in spans {
      let needed = span.width
      if needed < left {
        column = write(span.text, style: span.style, column: column, row: row, in: rectangle)
        left -= needed
      } else {
        // The ellipsis has the style of the span that is cut, or of the last span before omitted ones.
        let text = span.text.beginning(in: left - 1) + "…"
        column = write(text, style: span.style, column: column, row: row, in: rectangle)
        break
      }
    }
    return column
  }

  /// Writes one piece of text on a line of a rectangle.
  @discardableResult
  package mutating func write(
    _ text: String, style: Style = .plain, line: Int, of rectangle: Rectangle, indent: Int = 0,
    _ alignment: Alignment = .left
  ) -> Int {
    write([Span(text, style)], line: line, of: rectangle, indent: indent, alignment)
  }
}
