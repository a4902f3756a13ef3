// What can be pressed. The terminal makes these from bytes; the dashboard acts on them.

/// A key, or something else that comes from the keyboard's side.
package enum Key: Hashable, Sendable {
  case character(Character)
  case enter, escape, tab, backTab, backspace, delete, insert
  case up, down, left, right, home, end, pageUp, pageDown
  /// F1 is 1.
  case function(Int)
  /// A letter with the control key, lower case.
  case control(Character)
  /// Text from the clipboard, all at once.
  case paste(String)
  /// The terminal has another size now.
  case resize
  /// The left button of the mouse, on a cell counted from 0.
  case click(column: Int, row: Int)
  /// A notch of the mouse's wheel above a cell.
  case wheel(isUp: Bool, column: Int, row: Int)

  package static let space = Key.character(" ")

  /// How it is written in help and footer: `space`, `]`, `ctrl-c`, `F1`.
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
