// The sets of characters that a terminal can show, from rich to poor: braille, half blocks, ASCII.

/// A set of characters for pictures.
package enum Glyphs: String, Sendable, CaseIterable {
  /// All of Unicode: plots of 2 × 4 points per cell.
  case braille
  /// The characters of the Linux console: plots of 1 × 2 points per cell, square corners.
  case blocks
  /// ASCII, for locales without UTF-8.
  case ascii

  /// The points of a plot per cell.
  package var points: (across: Int, down: Int) {
    switch self {
    case .braille: (2, 4)
    case .blocks: (1, 2)
    case .ascii: (1, 1)
    }
  }

  /// Blocks of rising height for sparklines, the lowest first.
  package var heights: [Character] {
    self == .ascii ? ["_", ".", "-", "=", "+", "*", "#"] : ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
  }

  /// Blocks of rising length for the end of a bar, the shortest first; the last one is a whole cell.
  package var lengths: [Character] {
    switch self {
    case .braille: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]
    case .blocks: ["▌", "█"]
    case .ascii: ["#"]
    }
  }

  /// Names of keys as this set can write them: `<` and `>` are keys of their own, so arrows are words in ASCII.
  package func keys(_ names: String) -> String {
    guard self == .ascii else { return names }
    return names.replacing("←", with: "left").replacing("→", with: "right").replacing("↑", with: "up")
      .replacing("↓", with: "down")
  }

  /// The substitute in this set for a character that the set lacks.
  package func character(for character: Character) -> Character {
    switch self {
    case .braille: return character
    case .blocks: return Self.console[character] ?? character
    case .ascii:
      if character.isASCII { return character }
      return Self.bytes[character] ?? "?"
    }
  }

  private static let console: [Character: Character] = [
    "╭": "┌", "╮": "┐", "╰": "└", "╯": "┘", "━": "═", "┅": "-", "‖": "║", "✓": "√", "✗": "x", "★": "*", "▏": "│",
    "⏎": "¶", "␠": "_", "␊": "¶", "−": "-", "…": "·", "▸": ">", "▴": "▲", "▾": "▼", "╌": "-", "⚑": "!", "┄": "-",
    "┈": "·", "╍": "=", "◐": "@",
  ]

  private static let bytes: [Character: Character] = [
    "╭": ".", "╮": ".", "╰": "'", "╯": "'", "─": "-", "│": "|", "┤": "+", "┴": "+", "━": "*", "┅": "+", "‖": "=",
    "●": "*", "○": "o", "◇": "o", "◆": "S", "▲": "^", "▼": "v", "▸": ">", "✓": "v", "✗": "x", "★": "*", "·": ".",
    "…": "~", "×": "x", "▴": "^", "▾": "v", "╌": "-", "⚑": "!", "┄": "~", "┈": "#", "╍": ",", "◐": "@",
    "÷": "/", "µ": "u", "║": "|", "∅": "0", "σ": "s", "Δ": "D", "²": "2", "−": "-", "±": "~", "τ": "t", "λ": "w",
    "▏": "|", "▎": "|", "▍": "#", "▌": "#", "▋": "#", "▊": "#",
    "▉": "#",
    "█": "#", "░": ":", "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "+", "▆": "*", "▇": "#", "▀": "\"", "⏎": "$",
    "␠": "_", "␊": "$", "→": ">", "←": "<", "↑": "^", "↓": "v", "⟨": "<", "⟩": ">", "“": "\"", "”": "\"", "‘": "'",
    "’": "'", "–": "-", "—": "-", "∞": "I", "■": "#", "□": "o", "ä": "a", "ö": "o", "ü": "u", "ß": "s", "é": "e",
    "≤": "<", "≥": ">", "↳": "'", "Σ": "S", "β": "b", "ⁿ": "n", "▒": "+", "▓": "#", "△": "^", "▶": ">",
  ]
}

extension Canvas {
  /// Replaces characters that a terminal with these glyphs cannot show.
  package mutating func reduce(to glyphs: Glyphs) {
    guard glyphs != .braille else { return }
    replaceCharacters(glyphs.character(for:))
  }
}
