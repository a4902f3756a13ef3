// Keys. The terminal decodes them from bytes; screens act on them.

/// A key, a paste, or a change of the terminal's size.
package enum Key: Hashable, Sendable {
  case character(Character)
  case enter, escape, tab, backTab, backspace, delete, insert
  case up, down, left, right, home, end, pageUp, pageDown
  /// A function key; F1 is 1.
  case function(Int)
  /// A letter with the control key, in lower case.
  case control(Character)
  /// Pasted text, all at once.
  case paste(String)
  /// The terminal's size has changed.
  case resize
  /// The left button of the mouse, on a cell counted from 0.
  case click(column: Int, row: Int)
  /// A notch of the mouse's wheel above a cell.
  case wheel(isUp: Bool, column: Int, row: Int)

  package static let space = Key.character(" ")

  /// The key's name in help and footer: `space`, `]`, `ctrl-c`, `F1`.
  package var name: String {
    switch self {
    case .character(" "): "space"
    case .character(let character): String(character)
    case .enter: "enter"
    case .escape: "esc"
    case .tab: "tab"
    case .backTab: "shift-tab"
    case .backspace: "backspace"
    case .delete: "delete"
    case .insert: "insert"
    case .up: "↑"
    case .down: "↓"
    case .left: "←"
    case .right: "→"
    case .home: "home"
    case .end: "end"
    case .pageUp: "page up"
    case .pageDown: "page down"
    case .function(let number): "F\(number)"
    case .control(let character): "ctrl-\(character)"
    case .paste: "paste"
    case .resize: "resize"
    case .click: "click"
    case .wheel: "wheel"
    }
  }
}
