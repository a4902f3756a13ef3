// Tables within help texts.
import TerminalUI

enum HelpTable {
  /// The longest line: the argument parser wraps longer ones, without regard to columns.
  private static let columns = 79

  /// One line per row, indented by two; a description that is too long continues in its own column.
  static func text(_ rows: [(name: String, about: String)]) -> String {
    let width = rows.map(\.name.width).max() ?? 0
    return rows.flatMap { row in
      row.about.wrapped(to: columns - width - 4).enumerated().map { index, line in
        "  " + (index == 0 ? row.name : "").padded(to: width) + "  " + line
      }
    }.joined(separator: "\n")
  }
}
