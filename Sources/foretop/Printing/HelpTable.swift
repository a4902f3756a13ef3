// Tables within help texts.
import TerminalUI

enum HelpTable {
  /// The argument parser wraps longer lines, and knows no columns.
  private static let columns = 79

  /// A line per row, indented by two; a description that is too long continues below its own column.
  static func text(_ rows: [(name: String, about: String)]) -> String {
    let width = rows.map(\.name.width).max() ?? 0
    return rows.flatMap { row in
      row.about.wrapped(to: columns - width - 4).enumerated().map { index, line in
        "  " + (index == 0 ? row.name : "").padded(to: width) + "  " + line
      }
    }.joined(separator: "\n")
  }
}
