// The ladder of characters a terminal can show: braille → half blocks → ASCII.

/// Which characters are drawn.
package enum Glyphs: String, Sendable, CaseIterable {
  /// Everything: plots of 2 × 4 points a cell.
  case braille
  /// What the Linux console has: plots of 1 × 2 points a cell, square corners.
  case blocks
  /// Bytes below 128: for locales without UTF-8.
  case ascii

  /// Points of a plot in a cell.
  package var points: (across: Int, down: Int) {
    switch self {
    case .braille: (2, 4)
    case .blocks: (1, 2)
    case .ascii: (1, 1)
    }
  }

  /// Blocks of rising height for sparklines, lowest first.
  package var heights: [Character] {
    self == .ascii ? ["_", ".", "-", "=", "+", "*", "#"] : ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
  }

  /// Blocks of rising length for the end of a bar, shortest first; the last is a whole cell.
  package var lengths: [Character] {
    switch self {
    case .braille: ["▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]
    case .blocks: ["▌", "█"]
    case .ascii: ["#"]
    }
  }

  /// What stands for a character that is not in this set.
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
    "⏎": "¶", "␠": "_", "␊": "¶", "−": "-", "…": "·", "▸": ">", "▴": "▲", "▾": "▼", "╌": "-", "⚑": "!",
  ]

  private static let bytes: [Character: Character] = [
    "╭": ".", "╮": ".", "╰": "'", "╯": "'", "─": "-", "│": "|", "┤": "+", "┴": "+", "━": "*", "┅": "+", "‖": "=",
    "●": "*", "○": "o", "◇": "o", "◆": "S", "▲": "^", "▼": "v", "▸": ">", "✓": "v", "✗": "x", "★": "*", "·": ".",
    "…": "~", "×": "x", "▴": "^", "▾": "v", "╌": "-", "⚑": "!",
    "÷": "/", "µ": "u", "║": "|", "∅": "0", "σ": "s", "Δ": "D", "²": "2", "−": "-", "±": "~", "τ": "t", "λ": "w",
    "▏": "|", "▎": "|", "▍": "#", "▌": "#", "▋": "#", "▊": "#",
    "▉": "#",
    "█": "#", "░": ":", "▁": "_", "▂": ".", "▃": "-", "▄": "=", "▅": "+", "▆": "*", "▇": "#", "▀": "\"", "⏎": "$",
    "␠": "_", "␊": "$", "→": ">", "←": "<", "↑": "^", "↓": "v", "⟨": "<", "⟩": ">", "“": "\"", "”": "\"", "‘": "'",
    "’": "'", "–": "-", "—": "-", "∞": "I", "■": "#", "□": "o", "ä": "a", "ö": "o", "ü": "u", "ß": "s", "é": "e",
  ]
}

extension Canvas {
  /// Replaces characters that a terminal with these glyphs cannot show.
  package mutating func reduce(to glyphs: Glyphs) {
    guard glyphs != .braille else { return }
    replaceCharacters(glyphs.character(for:))
  }
}
