// Rows of cells as lines of text: what the commands that list something print.
import Foundation
import Run
import TerminalUI

enum TextTable {
  /// How wide the terminal is; nil where standard output is none.
  static var terminalColumns: Int? { terminalSize?.columns }

  /// How large the terminal is; nil where standard output is none.
  static var terminalSize: (columns: Int, rows: Int)? {
    var size = winsize()
    guard isatty(STDOUT_FILENO) == 1, ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else {
      return nil
    }
    return (Int(size.ws_col), max(Int(size.ws_row), 1))
  }

  /// Columns as wide as their widest cell.
  /// - Parameters:
  ///   - rows: the header first; as many cells in each.
  ///   - right: columns that are aligned to the right.
  static func text(_ rows: [[String]], right: Set<Int>) -> String {
    // Cells hold what somebody wrote into a file or called a folder.
    let rows = rows.map { $0.map(\.harmlessLine) }
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

  /// A shape: `4096×256`.
  static func shape(_ shape: [Int]) -> String { shape.map(String.init).joined(separator: "×") }
}
