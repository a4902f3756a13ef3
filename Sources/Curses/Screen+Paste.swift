// Text from the clipboard, which comes in brackets: taken in pieces, so that megabytes of it hold nobody up.
import CCurses
import Glibc
import TerminalUI

/// A text from the clipboard whose end has not come yet.
struct PasteBuffer {
  private var text = ""
  /// How much of the closing bracket has come.
  private var matched = 0
  private var lastAt = ContinuousClock.now

  private static let closing = Array("\u{1B}[201~".unicodeScalars)
  /// More than a command line can use: what comes after is read and left out.
  private static let mostBytes = 1 << 16

  /// Whether nothing has come for so long that the closing bracket is not expected any more.
  var isOver: Bool { ContinuousClock.now - lastAt > .milliseconds(500) }

  /// Takes a character.
  /// - Returns: whether it ends the text.
  mutating func take(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == Self.closing[matched] {
      matched += 1
      return matched == Self.closing.count
    }
    for begun in Self.closing[..<matched] { append(begun) }
    matched = 0
    if scalar == Self.closing[0] { matched = 1 } else { append(scalar) }
    return false
  }

  /// A piece has come.
  mutating func note() { lastAt = .now }

  private mutating func append(_ scalar: Unicode.Scalar) {
    if text.utf8.count < Self.mostBytes { text.unicodeScalars.append(scalar) }
  }

  /// The text so far.
  var key: Key { .paste(text) }
}

extension Screen {
  /// Characters that are taken at a time.
  private static var mostAtOnce: Int { 4096 }

  mutating func beginPaste() {
    paste = PasteBuffer()
    keypad(keyboard, false)
  }

  /// Takes what has come of the text.
  /// - Returns: all of it when its end has come.
  mutating func pasted() -> Key? {
    var code: wint_t = 0
    var hasCome = false
    for _ in 0..<Self.mostAtOnce {
      guard wget_wch(keyboard, &code) == OK, let scalar = Unicode.Scalar(code) else { break }
      hasCome = true
      if paste!.take(scalar) { return finishPaste() }
    }
    if hasCome { paste!.note() }
    return nil
  }

  mutating func finishPaste() -> Key? {
    keypad(keyboard, true)
    defer { paste = nil }
    return paste?.key
  }

  /// Bytes of keys that wait to be read.
  package var waitingBytes: Int {
    var bytes: CInt = 0
    return ioctl(STDIN_FILENO, UInt(FIONREAD), &bytes) == 0 ? Int(bytes) : 0
  }

  /// Throws away the keys that wait.
  package mutating func dropKeys() {
    flushinp()
    tcflush(STDIN_FILENO, TCIFLUSH)
  }
}
