// The table of a panel of diagnostics: a row per number, with its course over the evaluations and its values.
import Run
import TerminalUI

/// A table of numbers that evaluations measure.
struct DiagnosticTable: Sendable {
  /// A number: its name, the path of the values whose course is drawn, and a cell per column.
  struct DiagnosticRow: Sendable {
    let name: String
    let path: String
    let cells: [String]
  }

  let titles: [String]
  let rows: [DiagnosticRow]
  private let nameWidth: Int
  private let widths: [Int]

  init(titles: [String], rows: [DiagnosticRow]) {
    (self.titles, self.rows) = (titles, rows)
    nameWidth = rows.map(\.name.width).max() ?? 0
    widths = titles.indices.map { index in max(titles[index].width, rows.map { $0.cells[index].width }.max() ?? 0) }
  }

  /// The columns without courses, with room for the arrow that says that there are more rows.
  var width: Int { widths.reduce(nameWidth) { $0 + 2 + $1 } + 2 }

  /// The columns of a course between two gaps, if the table has so many columns more than its width; 0 if they are too few.
  static func course(in spare: Int) -> Int { spare >= 8 ? min(spare - 2, 24) : 0 }

  /// A line: a name, a blank course and cells.
  private func line(_ name: String, _ cells: [String], course: Int) -> String {
    let gap = course > 0 ? String(repeating: " ", count: course + 2) : ""
    return zip(widths, cells).reduce(name.padded(to: nameWidth) + gap) { $0 + "  " + $1.1.padded(to: $1.0, .right) }
  }

  /// Draws the titles, and as many rows as there is room for.
  /// - Parameters:
  ///   - course: columns of each course; 0 draws none.
  ///   - first: the first row that is shown.
  ///   - chosen: the row that is chosen; nil where none can be.
  ///   - measured: the measured values of a path, oldest first, at most so many.
  func draw(
    course: Int, from first: Int, chosen: Int? = nil, glyphs: Glyphs, in area: Rectangle, on canvas: inout Canvas,
    values measured: (_ path: String, _ most: Int) -> [Double]
  ) {
    canvas.write(line("", titles, course: course), style: .faint, line: 0, of: area)
    let room = max(area.rows - 1, 0)
    let first = max(0, min(first, rows.count - room))
    for (index, row) in rows.dropFirst(first).prefix(room).enumerated() {
      let isCut = index == room - 1 && first + room < rows.count
      let text = line(row.name, row.cells, course: course)
      let name = String(text.prefix(row.name.count))
      let style = first + index == chosen ? Style.accent : .plain
      canvas.write(
        [Span(name, style), Span(String(text.dropFirst(name.count))), Span(isCut ? " ↓" : "", .faint)],
        line: 1 + index, of: area)
      guard course > 0 else { continue }
      let values = measured(row.path, course)
      let finite = values.filter(\.isFinite)
      guard let low = finite.min(), let high = finite.max() else { continue }
      // The newest value is beside the cells.
      let chart = Rectangle(
        column: area.column + nameWidth + 2 + course - values.count, row: area.row, columns: values.count,
        rows: area.rows)
      canvas.sparkline(
        values, scale: Scale(from: low - (high - low) * 0.1, to: high), style: Style(.first), line: 1 + index,
        of: chart, glyphs: glyphs)
    }
  }
}
