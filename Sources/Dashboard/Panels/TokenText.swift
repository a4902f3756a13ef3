// Tokens as people read them: running text before a position, and single tokens of a list.
import Run
import TerminalUI

enum TokenText {
  /// The text before a position, its end always shown, and the place where something is expected.
  static func context(_ tokens: [String], columns: Int) -> [Span] {
    // In running text a space is a space.
    [Span(tokens.joined().replacing("␠", with: " ").cutFront(to: max(columns - 1, 1))), Span("▏", .accent)]
  }

  /// A token of a list: one that is nothing but spaces would not be seen.
  static func label(_ token: String) -> String {
    token.allSatisfy { $0 == " " } ? String(repeating: "␠", count: token.count) : token
  }

  /// What each MTP head expects: `mtp-2 was .20`.
  static func further(_ choices: [Expectation.FurtherChoice], _ pen: (String) -> Style) -> [[Span]] {
    choices.map { further in
      [
        Span(further.head + " ", .faint), Span(label(further.choice.token), pen(further.head)),
        Span(" " + Figure.share(Double(further.choice.probability))),
      ]
    }
  }

  /// Entries side by side, on as many lines as they need.
  static func wrapped(_ entries: [[Span]], to columns: Int, gap: Int = 3) -> [[Span]] {
    var lines: [[Span]] = []
    for entry in entries {
      if let last = lines.last, last.width + gap + entry.width <= columns {
        lines[lines.count - 1] += [Span(String(repeating: " ", count: gap))] + entry
      } else {
        lines.append(entry)
      }
    }
    return lines
  }
}
