// True colours through curses, whose terminal descriptions rarely have them. Curses gets numbers of the 256-colour palette; on
// the way to the terminal, numbers that stand for true colours are replaced (`38;5;N` becomes `38;2;R;G;B`).
import TerminalUI

/// The palette numbers that stand for true colours, and the translation of the output.
struct TrueColours: Sendable {
  /// Lower numbers are the 16 colours of the terminal's theme.
  private static let first = 16
  private var colours: [RGB] = []
  private var numbers: [RGB: UInt8] = [:]
  /// The beginning of a sequence whose end has not been written yet.
  private var rest: [UInt8] = []

  /// The palette number for a true colour; nil if all numbers are taken.
  mutating func number(of colour: RGB) -> UInt8? {
    if let number = numbers[colour] { return number }
    guard colours.count < 256 - Self.first else { return nil }
    let number = UInt8(Self.first + colours.count)
    colours.append(colour)
    numbers[colour] = number
    return number
  }

  /// Replaces the palette numbers in colour sequences.
  /// - Returns: the new bytes; nil if no number stands for a colour, so that nothing changes.
  mutating func translate(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
    guard !colours.isEmpty else { return nil }
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + rest.count + 256)
    var sequence = rest
    rest = []
    for byte in bytes {
      if sequence.isEmpty {
        if byte == 0x1B { sequence = [byte] } else { result.append(byte) }
        continue
      }
      if byte == 0x1B {
        result += sequence
        sequence = [byte]
        continue
      }
      sequence.append(byte)
      // A colour sequence is ESC [ parameters m; all else passes unchanged.
      if sequence.count == 2, byte != UInt8(ascii: "[") || sequence.count > 64 {
        result += sequence
        sequence = []
      } else if sequence.count > 2, !(0x20...0x3F).contains(byte) {
        result += byte == UInt8(ascii: "m") ? translated(sequence) : sequence
        sequence = []
      } else if sequence.count > 64 {
        result += sequence
        sequence = []
      }
    }
    rest = sequence
    return result[...]
  }

  /// A colour sequence with true colours instead of their numbers.
  private func translated(_ sequence: [UInt8]) -> [UInt8] {
    let text = String(decoding: sequence.dropFirst(2).dropLast(), as: UTF8.self)
    var words = text.split(separator: ";", omittingEmptySubsequences: false).map(String.init)
    guard let place = words.firstIndex(of: "38"), place + 2 < words.count, words[place + 1] == "5",
      let number = Int(words[place + 2]), number >= Self.first, number - Self.first < colours.count
    else { return sequence }
    let colour = colours[number - Self.first]
    words.replaceSubrange(place...place + 2, with: ["38", "2", "\(colour.red)", "\(colour.green)", "\(colour.blue)"])
    return Array("\u{1B}[\(words.joined(separator: ";"))m".utf8)
  }
}
