// Tokens as readable text: the text before a position, and single tokens in lists.
import Run
import TerminalUI

enum TokenText {
  /// The end of the text before a position, at most `columns` cells wide, with a mark at the position.
  static func context(_ tokens: [String], columns: Int) -> [Span] {
    // Spaces are visible signs in lists only.
    [Span(tokens.joined().replacing("␠", with: " ").cutFront(to: max(columns - 1, 1))), Span("▏", .accent)]
  }

  static func label(_ token: String) -> String { token.tokenLabel }

  /// Entries side by side, wrapped into as many lines as needed; an entry is never divided.
  /// - Parameter sign: stands between two entries of a line.
  static func wrapped(_ entries: [[Span]], to columns: Int, between sign: Span = .gap(3)) -> [[Span]] {
    var lines: [[Span]] = []
    for entry in entries {
      if let last = lines.last, last.width + sign.width + entry.width <= columns {
        lines[lines.count - 1] += [sign] + entry
      } else {
        lines.append(entry)
      }
    }
    return lines
  }
}

extension Span {
  /// So many empty cells.
  static func gap(_ cells: Int) -> Span { Span(String(repeating: " ", count: cells)) }
}

extension Dashboard {
  /// The first choice and its probability of each MTP head, in lines of at most `columns` cells: `mtp-2 was .20`.
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

  /// Draws the first `most` lines beside a label; an ellipsis stands for further lines.
  /// - Parameter line: the first line; afterwards the line after the last one drawn.
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
