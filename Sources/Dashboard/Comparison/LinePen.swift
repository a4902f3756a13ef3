// How lines of a comparison look: each has a colour, a pattern and a mark of its own, so that no two need colour to be told
// apart.
import TerminalUI

/// The looks of a line.
struct LinePen: Sendable {
  let pen: Pen
  private let mark: Character

  /// The line with this place; from the ninth on they begin again.
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

  /// Its mark in these characters.
  func sign(_ glyphs: Glyphs) -> Character { glyphs == .ascii ? pen.symbol : mark }
}
