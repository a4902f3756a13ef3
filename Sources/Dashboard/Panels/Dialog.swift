// A dialog: a box in the middle of the screen, over the panels.
import TerminalUI

extension Canvas {
  /// Draws an empty dialog for text of at most this size.
  /// - Returns: the area inside; the whole canvas if it is too small for a box.
  mutating func dialog(_ title: String, columns: Int, rows: Int) -> Rectangle {
    guard self.columns >= 24, self.rows >= rows + 2 else {
      clear(bounds)
      return bounds
    }
    let width = min(columns + 6, self.columns - 2)
    let area = Rectangle(
      column: (self.columns - width) / 2, row: (self.rows - rows - 2) / 2, columns: width, rows: rows + 2)
    // Clears a column around the box as well, which sets it off from the panels behind.
    clear(area.inset(columns: -1))
    return box(area, title: title, isFocused: true).inset(columns: 1)
  }
}
