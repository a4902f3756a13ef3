// Makes arbitrary bytes safe for a screen: the result has only characters with a known width and no effect on others.
import Run

/// Makes text visible: replaces control characters, direction and joining marks, and invalid bytes.
///
/// Control characters become pictures (␊ ␉ ␛), invalid UTF-8 becomes ⟨E2⟩, and characters that are invisible, combine
/// with their neighbours, or have no agreed width become ⟨U+200F⟩. Ordinary spaces stay.
package enum Visible {
  /// The visible form of bytes that may be UTF-8.
  package static func text(_ bytes: [UInt8]) -> String {
    bytes.withUnsafeBytes { text($0) }
  }

  static func text(_ bytes: UnsafeRawBufferPointer) -> String {
    var visible = ""
    var index = 0
    while index < bytes.count {
      let decoded = bytes.scalar(at: index)
      if let scalar = decoded.value.flatMap(Unicode.Scalar.init) {
        append(scalar, isFirst: index == 0, to: &visible)
      } else {
        visible += "⟨\(hexadecimal(UInt32(bytes[index]), digits: 2))⟩"
      }
      index += decoded.length
    }
    return visible
  }

  /// The visible form of a special piece's name: `<unk>` becomes ⟨unk⟩.
  static func special(_ name: [UInt8]) -> String {
    let bare =
      name.first == UInt8(ascii: "<") && name.last == UInt8(ascii: ">") ? Array(name.dropFirst().dropLast()) : name
    return "⟨\(text(bare))⟩"
  }

  private static func append(_ scalar: Unicode.Scalar, isFirst: Bool, to visible: inout String) {
    switch scalar.value {
    case 0x20...0x7E: visible.unicodeScalars.append(scalar)
    case 0x00..<0x20: visible.unicodeScalars.append(Unicode.Scalar(0x2400 + scalar.value)!)
    case 0x7F: visible += "␡"
    default:
      if isPlain(scalar, isFirst: isFirst) {
        visible.unicodeScalars.append(scalar)
      } else {
        visible += "⟨U+\(hexadecimal(scalar.value, digits: 4))⟩"
      }
    }
  }

  private static func isPlain(_ scalar: Unicode.Scalar, isFirst: Bool) -> Bool {
    let properties = scalar.properties
    if scalar.steersTerminals || properties.isDefaultIgnorableCodePoint { return false }
    switch properties.generalCategory {
    case .privateUse, .unassigned, .spaceSeparator: return false
    case .nonspacingMark, .enclosingMark, .spacingMark:
      return !isFirst  // Alone it would sit on the neighbouring cell.
    default:
      return true
    }
  }

  private static func hexadecimal(_ value: UInt32, digits: Int) -> String {
    let text = String(value, radix: 16, uppercase: true)
    return String(repeating: "0", count: max(0, digits - text.count)) + text
  }
}
