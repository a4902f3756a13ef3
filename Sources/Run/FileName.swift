// Names of files as text: a name is bytes, which need not be UTF-8, and nothing of it may be lost on the way through a recipe.

/// A byte of a name that is part of no UTF-8 is kept as the character U+F0000 + byte, of a plane for private use. A name that
/// has such a character itself is kept byte by byte in the same way, so that every name has one text and comes back as it was.
extension String {
  private static let escapes: ClosedRange<UInt32> = 0xF0080...0xF00FF

  /// The text of a name's bytes.
  package init(fileName bytes: some Collection<UInt8>) {
    if let text = String(validating: bytes, as: UTF8.self), !text.unicodeScalars.contains(where: Self.isEscape) {
      self = text
      return
    }
    var text = String.UnicodeScalarView()
    var rest = Array(bytes)[...]
    while let first = rest.first {
      let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      let character = rest.prefix(length)
      if let valid = String(validating: character, as: UTF8.self), let scalar = valid.unicodeScalars.first,
        !Self.isEscape(scalar)
      {
        text.append(scalar)
        rest = rest.dropFirst(length)
      } else {
        text.append(Unicode.Scalar(0xF0000 + UInt32(first))!)
        rest = rest.dropFirst()
      }
    }
    self = String(text)
  }

  private static func isEscape(_ scalar: Unicode.Scalar) -> Bool { escapes.contains(scalar.value) }

  /// The bytes of the name that this text stands for.
  package var fileNameBytes: [UInt8] {
    guard unicodeScalars.contains(where: Self.isEscape) else { return Array(utf8) }
    return unicodeScalars.flatMap { scalar in
      Self.isEscape(scalar) ? [UInt8(scalar.value - 0xF0000)] : Array(String(Character(scalar)).utf8)
    }
  }

  /// Calls `body` with the name as the system takes it.
  package func withFileName<Result>(_ body: (UnsafePointer<CChar>) -> Result) -> Result {
    (fileNameBytes.map { CChar(bitPattern: $0) } + [0]).withUnsafeBufferPointer { body($0.baseAddress!) }
  }

  /// The same text for a person: bytes that are no UTF-8 as `\xE9`.
  package var showingFileNames: String {
    guard unicodeScalars.contains(where: Self.isEscape) else { return self }
    return unicodeScalars.reduce(into: "") { text, scalar in
      if Self.isEscape(scalar) {
        text += "\\x" + String(scalar.value - 0xF0000, radix: 16, uppercase: true)
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
  }
}
