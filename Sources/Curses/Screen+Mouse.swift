// Clicks and the wheel, where the terminal's description has a mouse: reports of buttons (mode 1000), written as numbers (mode
// 1006, “SGR”). Terminals let people select text with shift while a program has the mouse.
import CCurses
import TerminalUI

extension Screen {
  static let mouseOn = "\u{1B}[?1000h\u{1B}[?1006h"
  static let mouseOff = "\u{1B}[?1006l\u{1B}[?1000l"

  /// Whether the terminal's description has mouse reports.
  static var knowsMouse: Bool { foretop_string("kmous") != nil }

  /// Reads the rest of a mouse report, whose beginning curses has taken: numbers and a letter after `ESC [ <`, three bytes after
  /// `ESC [ M`.
  func mouseReport() -> Key? {
    let isNumbers = foretop_string("kmous").map { String(cString: $0).hasSuffix("<") } ?? false
    guard isNumbers else {
      // Three bytes that cannot tell all places: a terminal that does not know numbers.
      for _ in 0..<3 { _ = follower() }
      return nil
    }
    var numbers = ""
    while let scalar = follower() {
      if ("\u{40}"..."\u{7E}").contains(scalar) { return Self.mouseKey(numbers, isPress: scalar == "M") }
      if numbers.utf8.count < 32 { numbers.unicodeScalars.append(scalar) }
    }
    return nil
  }

  /// The key of a report: `button;column;row`, counted from 1. Releases, other buttons and buttons with shift, alt or ctrl are none.
  static func mouseKey(_ numbers: String, isPress: Bool) -> Key? {
    let parts = numbers.split(separator: ";", omittingEmptySubsequences: false).map { Int($0) }
    guard isPress, parts.count == 3, let button = parts[0], let column = parts[1], let row = parts[2],
      (1...10_000).contains(column), (1...10_000).contains(row)
    else { return nil }
    switch button {
    case 0: return .click(column: column - 1, row: row - 1)
    case 64: return .wheel(isUp: true, column: column - 1, row: row - 1)
    case 65: return .wheel(isUp: false, column: column - 1, row: row - 1)
    default: return nil
    }
  }
}
