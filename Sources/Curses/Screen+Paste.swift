// Bracketed pastes: text from the clipboard, read in pieces so that megabytes of it delay nothing else.
import CCurses
import Glibc
import TerminalUI

/// A paste whose end has not arrived yet.
struct PasteBuffer {
  private var text = ""
  /// The number of characters of the closing bracket that have arrived.
  private var matched = 0
  private var lastAt = ContinuousClock.now

  private static let closing = Array("\u{1B}[201~".unicodeScalars)
  /// The longest paste in bytes, more than a command line can use. Text beyond it is read and dropped.
  private static let mostBytes = 1 << 16

  /// True if no text has arrived for half a second, so that the closing bracket is not expected any more.
  var isOver: Bool { ContinuousClock.now - lastAt > .milliseconds(500) }

  /// Adds a character.
  /// - Returns: true if it completes the closing bracket.
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

  /// Notes that text has arrived now.
  mutating func note() { lastAt = .now }

  private mutating func append(_ scalar: Unicode.Scalar) {
    if text.utf8.count < Self.mostBytes { text.unicodeScalars.append(scalar) }
  }

  /// The text so far, as a key.
  var key: Key { .paste(text) }
}

extension Screen {
  /// Characters read at a time.
  private static var mostAtOnce: Int { 4096 }

  mutating func beginPaste() {
    paste = PasteBuffer()
    keypad(keyboard, false)
  }

  /// Reads the text that has arrived.
  /// - Returns: the whole paste if its end has arrived, otherwise nil.
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

  /// The number of bytes of keys that wait to be read.
  package var waitingBytes: Int {
    var bytes: CInt = 0
    return ioctl(STDIN_FILENO, UInt(FIONREAD), &bytes) == 0 ? Int(bytes) : 0
  }

  /// Discards the keys that wait to be read.
  package mutating func dropKeys() {
    flushinp()
    tcflush(STDIN_FILENO, TCIFLUSH)
  }
}
