// Text that somebody else may have written, on its way to a terminal: it is shown, and the terminal does not obey it. The one
// place that says which characters are meant; names of runs, JSON, YAML and the canvas go by it too.

extension String {
  /// The same text with `·` for every character that steers terminals; line ends stay.
  package var harmless: String { harmless(keeping: "\n") }

  /// The same text on one line.
  package var harmlessLine: String { harmless(keeping: nil) }

  private func harmless(keeping kept: Unicode.Scalar?) -> String {
    // Nearly every text is harmless, and stays as it is.
    guard unicodeScalars.contains(where: { $0.steersTerminals && $0 != kept }) else { return self }
    return String(String.UnicodeScalarView(unicodeScalars.map { $0.steersTerminals && $0 != kept ? "·" : $0 }))
  }
}

extension Unicode.Scalar {
  /// True if the scalar may mislead a terminal or a reader: it moves, erases, colours, reorders or answers (C0, DEL, C1, formats
  /// and direction marks), has no width (tags, fillers), ends a line, or is not a character. False for the variation selectors of
  /// emoji.
  package var steersTerminals: Bool {
    switch value {
    case 0x20..<0x7F: return false
    case 0..<0xA0: return true
    case 0xFE00...0xFE0F: return false
    default: break
    }
    let properties = properties
    switch properties.generalCategory {
    case .control, .format, .surrogate, .lineSeparator, .paragraphSeparator: return true
    default: return properties.isDefaultIgnorableCodePoint || properties.isNoncharacterCodePoint
    }
  }

  /// As JSON and YAML write it where it may not stand for itself: `\u202e`. Above the first 65 536 JSON needs two.
  package var escapedForJSON: String { String(self).utf16.map { Self.escape("u", UInt32($0), 4) }.joined() }

  /// The same for YAML, which has one word for all of them.
  package var escapedForYAML: String { value <= 0xFFFF ? Self.escape("u", value, 4) : Self.escape("U", value, 8) }

  private static func escape(_ letter: String, _ value: UInt32, _ digits: Int) -> String {
    let text = String(value, radix: 16)
    return "\\" + letter + String(repeating: "0", count: digits - text.count) + text
  }
}

/// Text that comes in pieces of bytes, made harmless as it comes: a character may be split among several of them.
package struct HarmlessStream: Sendable {
  /// The beginning of a character whose end has not come.
  private var rest: [UInt8] = []

  package init() {}

  /// What can be shown once these bytes have come. Bytes that are no UTF-8 become �.
  package mutating func take(_ bytes: [UInt8]) -> String {
    rest += bytes
    let whole = rest.count - Self.unfinished(rest)
    defer { rest.removeFirst(whole) }
    return String(decoding: rest[..<whole], as: UTF8.self).harmless
  }

  /// What is left at the end.
  package mutating func finish() -> String {
    defer { rest = [] }
    return String(decoding: rest, as: UTF8.self).harmless
  }

  /// How many of the last bytes begin a character that may go on.
  private static func unfinished(_ bytes: [UInt8]) -> Int {
    for length in 1...3 where length <= bytes.count {
      let byte = bytes[bytes.count - length]
      guard byte & 0xC0 != 0x80 else { continue }
      let needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
      return needed > length ? length : 0
    }
    return 0
  }
}
