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

extension Dashboard {
  /// What each MTP head expects, on lines of so many columns: `mtp-2 was .20`.
  func furtherLines(_ choices: [Expectation.FurtherChoice], columns: Int) -> [[Span]] {
    TokenText.wrapped(
      choices.map { further in
        let style = Head.all.first { $0.name == further.head }.map { pen($0).style } ?? .plain
        return [
          Span(further.head + " ", .faint), Span(TokenText.label(further.choice.token), style),
          Span(" " + Figure.share(Double(further.choice.probability))),
        ]
      }, to: columns)
  }

  /// Draws the first lines of some beside a word; an ellipsis says that there are more.
  /// - Parameter line: goes on to the line after them.
  func draw(
    _ lines: [[Span]], most count: Int, beside word: String, line: inout Int, indent: Int, in inside: Rectangle,
    on canvas: inout Canvas
  ) {
    for index in 0..<count {
      if index == 0 { canvas.write(word, style: .faint, line: line, of: inside) }
      let isCut = index == count - 1 && lines.count > count
      canvas.write(lines[index] + (isCut ? [Span(" …", .faint)] : []), line: line, of: inside, indent: indent)
      line += 1
    }
  }
}
