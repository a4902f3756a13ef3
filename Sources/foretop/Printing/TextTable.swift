// Rows of cells as lines of text, for the commands that print lists.
import Foundation
import Run
import TerminalUI

enum TextTable {
  /// The terminal's width; nil if standard output is not a terminal.
  static var terminalColumns: Int? { terminalSize?.columns }

  /// The terminal's size; nil if standard output is not a terminal.
  static var terminalSize: (columns: Int, rows: Int)? {
    var size = winsize()
    guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return nil
    }
    return (Int(size.ws_col), max(Int(size.ws_row), 1))
  }

  /// The table; each column is as wide as its widest cell.
  /// - Parameters:
  ///   - rows: the header first; all rows have the same number of cells.
  ///   - right: columns that are aligned to the right.
  ///   - most: cells of the screen that a cell of the table may take; longer ones are cut with “…”. Nil cuts none.
  static func text(_ rows: [[String]], right: Set<Int>, cutTo most: Int? = nil) -> String {
    // Cells hold text from files and names of folders, which may steer a terminal.
    let rows = rows.map { $0.map { cell in most.map { cell.harmlessLine.cut(to: $0) } ?? cell.harmlessLine } }
    guard let header = rows.first else { return "" }
    let widths = header.indices.map { column in rows.map { $0[column].width }.max() ?? 0 }
    return rows.map { row in
      let cells = row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.width)
        return right.contains(column) ? space + cell : cell + space
      }
      return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed())
    }.joined(separator: "\n")
  }

  /// As much of a row as a cell may take on a terminal, so that a long name does not break the lines of all others; nil elsewhere.
  static var usualCut: Int? { terminalColumns.map { max($0 / 3, 16) } }

  /// A shape: `4096×256`.
  static func shape(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "×") }
}
