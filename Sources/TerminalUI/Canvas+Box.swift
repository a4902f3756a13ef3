// Boxes with rounded corners, a title at the left of the upper edge and notes at its right.

extension Canvas {
  /// Draws a box along the edge of a rectangle.
  /// - Parameters:
  ///   - title: the text after the upper left corner; cut if it is too long.
  ///   - notes: alternatives for the text before the upper right corner, of which the longest that fits is drawn.
  ///   - isFocused: true draws the box in the style of the focus.
  /// - Returns: the area inside, without its first and last column.
  @discardableResult
  package mutating func box(
    _ rectangle: Rectangle, title: String = "", notes: [String] = [], isFocused: Bool = false
  ) -> Rectangle {
    guard rectangle.columns >= 2, rectangle.rows >= 2 else { return rectangle }
    let style = isFocused ? Style(.accent, .bold) : Style.frame
    let (left, right) = (rectangle.column, rectangle.end - 1)
    let (top, bottom) = (rectangle.row, rectangle.bottom - 1)
    if right > left + 1 {
      for column in (left + 1)..<right {
        put("─", style: style, column: column, row: top)
        put("─", style: style, column: column, row: bottom)
      }
    }
    if bottom > top + 1 {
      for row in (top + 1)..<bottom {
        put("│", style: style, column: left, row: row)
        put("│", style: style, column: right, row: row)
      }
    }
    put("╭", style: style, column: left, row: top)
    put("╮", style: style, column: right, row: top)
    put("╰", style: style, column: left, row: bottom)
    put("╯", style: style, column: right, row: bottom)

    // ╭─ title ──── note ─╮: two cells of edge at each side, a space around each text.
    let edge = Rectangle(column: left + 2, row: top, columns: rectangle.columns - 4, rows: 1)
    var used = 0
    if !title.isEmpty, edge.columns >= 3 {
      let text = " " + title.cut(to: edge.columns - 2) + " "
      used = write(text, style: isFocused ? .accent : .bold, column: edge.column, row: top, in: edge) - edge.column
    }
    if let note = notes.first(where: { used + $0.width + 4 <= edge.columns }), !note.isEmpty {
      write(" " + note + " ", style: .faint, column: edge.end - note.width - 2, row: top, in: edge)
    }
    return rectangle.inset(columns: 2, rows: 1)
  }
}
