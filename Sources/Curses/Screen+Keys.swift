// Reads keys from the terminal: characters, keys that terminfo names, and bracketed pastes. Unknown sequences are dropped whole.
import CCurses
import Glibc
import TerminalUI

extension Screen {
  /// Waits for the next key.
  /// - Parameters:
  ///   - milliseconds: the longest wait; 0 does not wait.
  ///   - wake: a descriptor that ends the wait when it becomes readable, or -1.
  /// - Returns: the key, or nil if none came; `isGone` is then true if the terminal is gone for good.
  package mutating func nextKey(waiting milliseconds: Int, wake: CInt = -1) -> Key? {
    // Curses may have read ahead.
    if let key = waitingKey() { return key }
    if paste?.isOver == true { return finishPaste() }
    var descriptors = [
      pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0), pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
    ]
    guard poll(&descriptors, 2, CInt(milliseconds)) > 0 else { return nil }
    let happened = CInt(descriptors[0].revents)
    if happened & (POLLERR | POLLNVAL) != 0 { isGone = true }
    // A readable descriptor without bytes means the end of the input.
    if happened & (POLLIN | POLLHUP) != 0, waitingBytes == 0 { isGone = true }
    return isGone ? nil : waitingKey()
  }

  /// The next key that has already arrived, or nil. Unknown sequences are skipped.
  private mutating func waitingKey() -> Key? {
    if paste != nil { return pasted() }
    for _ in 0..<64 {
      var code: wint_t = 0
      switch wget_wch(keyboard, &code) {
      case KEY_CODE_YES:
        if CInt(bitPattern: code) == KEY_MOUSE {
          if let key = mouseReport() { return key }
        } else if let key = named(CInt(bitPattern: code)) {
          return key
        }
      case OK:
        if code == 27 {
          if let key = escaped() { return key }
          if paste != nil { return pasted() }
        } else if let key = character(code) {
          return key
        }
      default: return nil
      }
    }
    return nil
  }

  private func character(_ code: wint_t) -> Key? {
    switch code {
    case 9: .tab
    case 10, 13: .enter
    case 8, 127: .backspace
    case 1...26: Unicode.Scalar(code + 96).map { .control(Character($0)) }
    case 0..<32, 0x80..<0xA0: nil
    default: Unicode.Scalar(code).map { .character(Character($0)) }
    }
  }

  private func named(_ code: CInt) -> Key? {
    switch code {
    case KEY_UP: .up
    case KEY_DOWN: .down
    case KEY_LEFT: .left
    case KEY_RIGHT: .right
    case KEY_HOME: .home
    case KEY_END: .end
    case KEY_PPAGE: .pageUp
    case KEY_NPAGE: .pageDown
    case KEY_BTAB: .backTab
    case KEY_BACKSPACE: .backspace
    case KEY_DC: .delete
    case KEY_IC: .insert
    case KEY_ENTER: .enter
    case KEY_RESIZE: .resize
    case (KEY_F0 + 1)...(KEY_F0 + 63): .function(Int(code - KEY_F0))
    default: nil
    }
  }

  /// Reads the rest of a sequence after an escape byte. The escape key has no rest; a bracketed paste and the arrows of the
  /// terminal's other mode are recognised; any other sequence is dropped, and the result is nil.
  private mutating func escaped() -> Key? {
    guard let next = follower() else { return .escape }
    if "]PX^_".unicodeScalars.contains(next) {
      let text = controlString()
      if next == "]", text.hasPrefix("11;rgb:") { background = Self.colour(text.dropFirst("11;rgb:".count)) }
      return nil
    }
    guard next == "[" || next == "O" else { return nil }
    var parameters = ""
    while let scalar = follower() {
      guard ("\u{40}"..."\u{7E}").contains(scalar) else {
        if parameters.utf8.count < 32 { parameters.unicodeScalars.append(scalar) }
        continue
      }
      if parameters.hasPrefix("<"), scalar == "M" || scalar == "m" {
        return Self.mouseKey(String(parameters.dropFirst()), isPress: scalar == "M")
      }
      switch (scalar, parameters) {
      case ("~", "200"):
        beginPaste()
        return nil
      case ("A", ""): return .up
      case ("B", ""): return .down
      case ("C", ""): return .right
      case ("D", ""): return .left
      case ("H", ""), ("~", "1"), ("~", "7"): return .home
      case ("F", ""), ("~", "4"), ("~", "8"): return .end
      case ("Z", ""): return .backTab
      case ("~", "3"): return .delete
      case ("~", "5"): return .pageUp
      case ("~", "6"): return .pageDown
      default: return nil
      }
    }
    return nil
  }

  /// Reads a control string (an answer of the terminal), up to BEL or the terminator ESC \ (ECMA-48).
  /// - Returns: the beginning of the string.
  private func controlString() -> String {
    var text = ""
    while let scalar = follower() {
      if scalar == "\u{7}" { break }
      if scalar == "\u{1B}" {
        _ = follower()
        break
      }
      if text.utf8.count < 64 { text.unicodeScalars.append(scalar) }
    }
    return text
  }

  /// Parses a colour in a terminal's answer, `RRRR/GGGG/BBBB` with one to four hexadecimal digits each; nil for other text.
  private static func colour(_ text: Substring) -> RGB? {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    let channels = parts.compactMap { part -> UInt8? in
      guard (1...4).contains(part.count), let value = Int(part, radix: 16) else { return nil }
      return UInt8(value * 255 / ((1 << (4 * part.count)) - 1))
    }
    guard parts.count == 3, channels.count == 3 else { return nil }
    return RGB(channels[0], channels[1], channels[2])
  }

  /// The next character of a sequence; nil if none comes within `milliseconds`.
  func follower(waiting milliseconds: CInt = 25) -> Unicode.Scalar? {
    wtimeout(keyboard, milliseconds)
    defer { wtimeout(keyboard, 0) }
    var code: wint_t = 0
    return wget_wch(keyboard, &code) == OK ? Unicode.Scalar(code) : nil
  }
}
