// The looks of lines in a comparison: each has its own colour, pattern and mark, so that lines can be told apart without colour.
import TerminalUI

/// The looks of a line.
struct LinePen: Sendable {
  let pen: Pen
  private let mark: Character

  /// The looks of the line with this index; they repeat from the ninth on.
  init(_ line: Int) {
    let roles: [Role] = [.first, .second, .third, .fourth, .plain, .bad, .first, .second]
    let dashes: [Pen.Dash?] = [
      nil, Pen.Dash(on: 6, off: 2), Pen.Dash(on: 3, off: 2), Pen.Dash(on: 8, off: 3), Pen.Dash(on: 1, off: 1),
      Pen.Dash(on: 5, off: 5), Pen.Dash(on: 2, off: 4), Pen.Dash(on: 1, off: 3),
    ]
    let marks: [Character] = ["●", "■", "▲", "◆", "○", "□", "★", "◇"]
    let symbols: [Character] = ["*", "+", "x", "#", "o", "=", "%", "@"]
    let index = line % roles.count
    pen = Pen(style: Style(roles[index]), dash: dashes[index], symbol: symbols[index])
    mark = marks[index]
  }

  var style: Style { Style(pen.style.role, .bold) }

  /// The mark in these characters.
  func sign(_ glyphs: Glyphs) -> Character { glyphs == .ascii ? pen.symbol : mark }
}
