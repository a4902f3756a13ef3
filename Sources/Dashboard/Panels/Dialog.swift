// A box in the middle of the screen, over what is there.
import TerminalUI

extension Canvas {
  /// Makes a box in the middle for lines of at most this size; returns its inside. On a canvas too small for a box, all of it.
  mutating func dialog(_ title: String, columns: Int, rows: Int) -> Rectangle {
    guard self.columns >= 24, self.rows >= rows + 2 else {
      clear(bounds)
      return bounds
    }
    let width = min(columns + 6, self.columns - 2)
    let area = Rectangle(
      column: (self.columns - width) / 2, row: (self.rows - rows - 2) / 2, columns: width, rows: rows + 2)
    // A free column around it, so that it does not run into what is behind.
    clear(area.inset(columns: -1))
    return box(area, title: title, isFocused: true).inset(columns: 1)
  }
}
