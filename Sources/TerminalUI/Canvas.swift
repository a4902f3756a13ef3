// A grid of styled characters: panels draw on it, tests read it, and the terminal shows it.

/// A character with its style. A wide character is followed by a cell of width 0.
package struct Cell: Equatable, Sendable {
  /// One spacing scalar with its combining marks; a space in the second half of a wide character.
  package var character: Character
  package var style: Style
  /// The character's width in cells: 1, 2, or 0 for the second half of the wide character before.
  package var width: UInt8

  package init(_ character: Character = " ", _ style: Style = .plain, width: UInt8 = 1) {
    self.character = character
    self.style = style
    self.width = width
  }

  package static let blank = Cell()
}

/// A picture of cells. Drawing is clipped to the canvas and to the given rectangle.
package struct Canvas: Equatable, Sendable {
  package let columns: Int
  package let rows: Int
  /// The cells, row after row: columns × rows.
  package private(set) var cells: [Cell]
  /// The place of the terminal's cursor; nil hides the cursor.
  package var cursor: (column: Int, row: Int)?
  /// What clicks mean, later ones over earlier ones.
  var clicks: [(area: Rectangle, meaning: ClickMeaning)] = []

  package static func == (one: Canvas, other: Canvas) -> Bool {
    one.columns == other.columns && one.rows == other.rows && one.cells == other.cells
      && one.cursor?.column == other.cursor?.column && one.cursor?.row == other.cursor?.row
  }

  /// A blank canvas; a size below 1 × 1 counts as 1 × 1.
  package init(columns: Int, rows: Int) {
    self.columns = max(columns, 1)
    self.rows = max(rows, 1)
    cells = Array(repeating: .blank, count: self.columns * self.rows)
  }

  /// The whole canvas.
  package var bounds: Rectangle { Rectangle(column: 0, row: 0, columns: columns, rows: rows) }

  /// The cell at a place; the place must be inside.
  package subscript(column: Int, row: Int) -> Cell {
    precondition(column >= 0 && column < columns && row >= 0 && row < rows, "a cell outside of the canvas was read")
    return cells[row * columns + column]
  }

  /// Puts a scalar of width 1 or 2 at a place. Outside of `clip` nothing happens. A wide scalar that `clip` would halve becomes
  /// a space, and so does the other half of a wide character that is overwritten in part.
  package mutating func put(
    _ character: Character, width: Int = 1, style: Style, column: Int, row: Int, in clip: Rectangle
  ) {
    guard row >= max(clip.row, 0), row < min(clip.bottom, rows) else { return }
    let left = max(clip.column, 0)
    let right = min(clip.end, columns)
    guard column >= left, column < right else { return }
    let index = row * columns + column
    if width == 1 {
      if cells[index].width != 1 { separate(index, column) }
      cells[index] = Cell(character, style)
      return
    }
    guard column + 1 < right else {
      separate(index, column)
      cells[index] = Cell(" ", style)
      return
    }
    separate(index, column)
    separate(index + 1, column + 1)
    cells[index] = Cell(character, style, width: 2)
    cells[index + 1] = Cell(" ", style, width: 0)
  }

  /// Puts a character of width 1 at a place.
  package mutating func put(_ character: Character, style: Style, column: Int, row: Int) {
    put(character, style: style, column: column, row: row, in: bounds)
  }

  /// Adds a scalar of width 0, a combining mark, to the cell before `column`.
  mutating func join(_ scalar: Unicode.Scalar, before column: Int, row: Int, in clip: Rectangle) {
    guard row >= max(clip.row, 0), row < min(clip.bottom, rows) else { return }
    guard column > max(clip.column, 0), column <= min(clip.end, columns) else { return }
    var index = row * columns + column - 1
    if cells[index].width == 0 { index -= 1 }
    // At most two marks, since more would reach into other rows.
    guard cells[index].character.unicodeScalars.count < 3 else { return }
    var scalars = cells[index].character.unicodeScalars
    scalars.append(scalar)
    let joined = String(scalars)
    if joined.count == 1 { cells[index].character = Character(joined) }
  }

  /// Replaces a wide character that covers this cell by two spaces.
  private mutating func separate(_ index: Int, _ column: Int) {
    switch cells[index].width {
    case 2:
      cells[index] = Cell(" ", cells[index].style)
      if column + 1 < columns { cells[index + 1] = Cell(" ", cells[index + 1].style) }
    case 0:
      cells[index] = Cell(" ", cells[index].style)
      if column > 0 { cells[index - 1] = Cell(" ", cells[index - 1].style) }
    default: break
    }
  }

  /// Makes every cell of a rectangle blank.
  package mutating func clear(_ rectangle: Rectangle) {
    let area = rectangle.intersection(bounds)
    guard !area.isEmpty else { return }
    for row in area.row..<area.bottom {
      separate(row * columns + area.column, area.column)
      separate(row * columns + area.end - 1, area.end - 1)
      for column in area.column..<area.end { cells[row * columns + column] = .blank }
    }
  }

  /// Changes the style of every cell of a rectangle.
  package mutating func restyle(_ rectangle: Rectangle, _ change: (inout Style) -> Void) {
    let area = rectangle.intersection(bounds)
    guard !area.isEmpty else { return }
    for row in area.row..<area.bottom {
      for column in area.column..<area.end { change(&cells[row * columns + column].style) }
    }
  }

  /// Replaces each character of the canvas by another one of the same width.
  mutating func replaceCharacters(_ replacement: (Character) -> Character) {
    for index in cells.indices where cells[index].width != 0 {
      let character = cells[index].character
      guard character != " " else { continue }
      let new = replacement(character)
      guard new != character else { continue }
      cells[index].character = new
      if cells[index].width == 2 {
        cells[index].width = 1
        if index + 1 < cells.count { cells[index + 1] = Cell(" ", cells[index].style) }
      }
    }
  }

  /// The picture as lines of text without trailing spaces.
  package var text: String {
    (0..<rows).map { row in
      var line = ""
      for column in 0..<columns where cells[row * columns + column].width != 0 {
        line.append(cells[row * columns + column].character)
      }
      while line.last == " " { line.removeLast() }
      return line
    }.joined(separator: "\n")
  }
}
