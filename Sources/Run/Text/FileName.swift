// Names of files as text: a name is bytes, which need not be UTF-8, and nothing of it may be lost on the way through a recipe.

/// A byte of a name that is part of no UTF-8 is kept as the character U+10FE00 + byte, of the last plane for private use. A name
/// that has such a character itself is kept byte by byte in the same way, so that every name has one text and comes back as it was.
extension String {
  private static let firstEscape: UInt32 = 0x10FE00
  private static let escapes = firstEscape + 0x80...firstEscape + 0xFF

  /// The text of a name's bytes.
  /// - Parameter isText: whether the bytes may be any text, such as an argument: then a character of the kind above stays.
  package init(fileName bytes: some Collection<UInt8>, isText: Bool = false) {
    if let text = String(validating: bytes, as: UTF8.self),
      isText || !text.unicodeScalars.contains(where: Self.isEscape)
    {
      self = text
      return
    }
    var text = String.UnicodeScalarView()
    var rest = Array(bytes)[...]
    while let first = rest.first {
      let length = first < 0x80 ? 1 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
      let character = rest.prefix(length)
      if let valid = String(validating: character, as: UTF8.self), let scalar = valid.unicodeScalars.first,
        isText || !Self.isEscape(scalar)
      {
        text.append(scalar)
        rest = rest.dropFirst(length)
      } else {
        text.append(Unicode.Scalar(Self.firstEscape + UInt32(first))!)
        rest = rest.dropFirst()
      }
    }
    self = String(text)
  }

  private static func isEscape(_ scalar: Unicode.Scalar) -> Bool { escapes.contains(scalar.value) }

  /// Whether it stands for bytes that are not UTF-8.
  package var hasForeignBytes: Bool { unicodeScalars.contains(where: Self.isEscape) }

  /// The bytes of the name that this text stands for.
  package var fileNameBytes: [UInt8] {
    guard unicodeScalars.contains(where: Self.isEscape) else { return Array(utf8) }
    return unicodeScalars.flatMap { scalar in
      Self.isEscape(scalar) ? [UInt8(scalar.value - Self.firstEscape)] : Array(String(Character(scalar)).utf8)
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
        text += "\\x" + String(scalar.value - Self.firstEscape, radix: 16, uppercase: true)
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
  }
}
