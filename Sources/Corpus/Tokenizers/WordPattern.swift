// The pre-tokenization of byte-level BPE: scanners for the regular expressions that tokenizer.json files name. Invalid
// UTF-8 counts as signs.

/// The rule by which a tokenizer splits text into words (pre-tokenization).
package enum WordPattern: Sendable, Equatable {
  /// GPT-2: a word with the space before it, a number, signs, white space.
  case gpt2
  /// SmolLM: every digit is a word, and the text between digits is split as by GPT-2.
  case smolLM
  /// Llama 3 and Qwen: a word with any sign before it, line ends with the signs before them, numbers of so many digits at
  /// most.
  case llama3(digits: Int)

  /// The expression that `llama3` stands for (tokenizers' syntax, which is Oniguruma's).
  static func expression(digits: Int) -> String {
    let number = digits == 1 ? #"\p{N}"# : #"\p{N}{1,\#(digits)}"#
    return #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"# + number
      + #"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  }
}

/// Iterates over the words of a text.
struct PatternScanner: WordScanner {
  private let pattern: WordPattern
  private let bytes: UnsafeRawBufferPointer
  private let end: Int
  /// For `smolLM`: where the next digit is.
  private var nextNumber: Int

  init(_ pattern: WordPattern, _ bytes: UnsafeRawBufferPointer, in block: Range<Int>) {
    self.pattern = pattern
    self.bytes = bytes
    end = block.upperBound
    nextNumber = block.lowerBound
  }

  mutating func end(ofWordAt start: Int) -> Int {
    switch pattern {
    case .gpt2: return gpt2(start, before: end)
    case .llama3(let digits): return llama3(start, digits)
    case .smolLM:
      let first = look(start)
      if first.kind == .number { return start + first.length }
      if nextNumber <= start { nextNumber = self.end(ofRun: start, before: end) { $0 != .number } }
      return gpt2(start, before: nextNumber)
    }
  }

  /// True if text may be cut before `index`: no pattern has a word across this place or looks across it. That is so
  /// only between a letter and a space that a letter follows, and after a line end.
  static func mayCut(_ bytes: UnsafeRawBufferPointer, at index: Int) -> Bool {
    switch bytes[index] {
    case UInt8(ascii: " "):
      return index + 1 < bytes.count && CharacterKind.at(index + 1, of: bytes).kind == .letter
        && CharacterKind.before(index, of: bytes) == .letter
    default:
      return bytes[index - 1] == UInt8(ascii: "\n") && index > 1 && CharacterKind.at(index, of: bytes).kind != .space
        && CharacterKind.before(index - 1, of: bytes) != .space
    }
  }

  private static func isASCIILetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }

  // MARK: Patterns

  /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
  private func gpt2(_ start: Int, before end: Int) -> Int {
    if let contraction = contraction(start, before: end, isAnyCase: false) { return contraction }
    let isSpace = bytes[start] == UInt8(ascii: " ")
    let first = isSpace && start + 1 < end ? start + 1 : start
    let kind = look(first).kind
    if kind != .space { return self.end(ofRun: first, before: end) { $0 == kind } }
    return spaces(start, before: end)
  }

  /// See `WordPattern.expression`.
  private func llama3(_ start: Int, _ digits: Int) -> Int {
    if let contraction = contraction(start, before: end, isAnyCase: true) { return contraction }
    let first = look(start)
    let next = start + first.length
    switch first.kind {
    case .letter: return letters(start)
    case .number:
      var last = next
      for _ in 1..<max(1, digits) where last < end && look(last).kind == .number { last += look(last).length }
      return last
    case .sign, .space:
      if !isLineEnd(start), next < end, look(next).kind == .letter { return letters(next) }
      let sign = bytes[start] == UInt8(ascii: " ") ? next : start
      if sign < end, look(sign).kind == .sign {
        var last = self.end(ofRun: sign, before: end) { $0 == .sign }
        while last < end, isLineEnd(last) { last += 1 }
        return last
      }
      let last = self.end(ofRun: start, before: end) { $0 == .space }
      return (start..<last).last(where: isLineEnd).map { $0 + 1 } ?? spaces(start, before: end)
    }
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`
  private func contraction(_ start: Int, before end: Int, isAnyCase: Bool) -> Int? {
    guard bytes[start] == UInt8(ascii: "'") else { return nil }
    func letter(_ place: Int) -> UInt8 {
      guard place < end else { return 0 }
      return isAnyCase && Self.isASCIILetter(bytes[place]) ? bytes[place] | 0x20 : bytes[place]
    }
    switch (letter(start + 1), letter(start + 2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    // ſ is a small s too.
    case (0xC5, 0xBF) where isAnyCase: return start + 3
    default: return nil
    }
  }

  /// `\s+(?!\S)|\s+`: all white space up to the end of the text; before other text, all but the last character, or the
  /// only one.
  private func spaces(_ start: Int, before end: Int) -> Int {
    var last = start
    var index = start
    while index < end {
      let scalar = look(index)
      guard scalar.kind == .space else { return last > start ? last : index }
      last = index
      index += scalar.length
    }
    return index
  }

  private func letters(_ start: Int) -> Int { self.end(ofRun: start, before: end) { $0 == .letter } }

  private func end(ofRun start: Int, before end: Int, _ belongs: (CharacterKind) -> Bool) -> Int {
    var index = start
    while index < end {
      let scalar = look(index)
      guard belongs(scalar.kind) else { break }
      index += scalar.length
    }
    return index
  }

  private func isLineEnd(_ place: Int) -> Bool { bytes[place] == 0x0A || bytes[place] == 0x0D }

  private func look(_ place: Int) -> (kind: CharacterKind, length: Int) { CharacterKind.at(place, of: bytes) }
}

/// The class of a character in a pattern.
enum CharacterKind: UInt8 {
  /// `\p{L}`, `\p{N}`, `\s`, and all others.
  case letter, number, space, sign

  /// The class of the scalar at a place, and its length in bytes.
  static func at(_ place: Int, of bytes: UnsafeRawBufferPointer) -> (kind: CharacterKind, length: Int) {
    let decoded = bytes.scalar(at: place)
    guard let value = decoded.value else { return (.sign, decoded.length) }
    return (Int(value) < table.count ? table[Int(value)] : CharacterKind(value), decoded.length)
  }

  /// The class of the scalar that ends before a place, which is not the first; `sign` for invalid UTF-8.
  static func before(_ place: Int, of bytes: UnsafeRawBufferPointer) -> CharacterKind {
    var start = place - 1
    while start > 0, start > place - 4, bytes[start] & 0xC0 == 0x80 { start -= 1 }
    let scalar = at(start, of: bytes)
    return start + scalar.length == place ? scalar.kind : .sign
  }

  private init(_ value: UInt32) {
    guard let properties = Unicode.Scalar(value)?.properties else {
      self = .sign
      return
    }
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = properties.isWhitespace ? .space : .sign
    }
  }

  /// The classes of all scalars below U+10000.
  private static let table: [CharacterKind] = (0..<0x1_0000).map { CharacterKind(UInt32($0)) }
}
