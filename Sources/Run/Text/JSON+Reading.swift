// JSON from outside: strict (RFC 8259), with members in their order and keys that come twice still there, so that whoever
// reads can refuse them. Bytes in, a value out.

extension JSON {
  /// The reason why bytes are not valid JSON.
  package struct Damage: Error, Equatable, CustomStringConvertible {
    /// Bytes before it.
    package let place: Int
    /// What is wrong, to follow “at byte N ”.
    package let what: String

    package var description: String { "at byte \(place) \(what)" }
  }

  /// Reads one value and nothing after it but white space.
  package static func read(_ bytes: some Collection<UInt8>) throws(Damage) -> JSON {
    var reader = JSONReader(Array(bytes))
    return try reader.whole()
  }

  /// An object's members.
  package var members: [Member]? { if case .object(let members) = self { members } else { nil } }
  package var elements: [JSON]? { if case .array(let elements) = self { elements } else { nil } }
  package var string: String? { if case .text(let text) = self { text } else { nil } }
  package var isTrue: Bool? { if case .flag(let flag) = self { flag } else { nil } }
  package var whole: Int? { if case .integer(let number) = self { number } else { nil } }

  /// Any number.
  package var number: Double? {
    switch self {
    case .integer(let number): Double(number)
    case .unsigned(let number): Double(number)
    case .double(let number): number
    case .float(let number): Double(number)
    default: nil
    }
  }

  /// The value of an object's key, the first where it comes twice; nil where there is none, and for null.
  package subscript(key: String) -> JSON? {
    guard let value = members?.first(where: { $0.key == key })?.value, value != .null else { return nil }
    return value
  }

  /// A key that an object has twice.
  package var repeatedKey: String? {
    var seen: Set<String> = []
    return members?.first { !seen.insert($0.key).inserted }?.key
  }
}

private struct JSONReader {
  private let bytes: [UInt8]
  private var index = 0
  /// More would be a trap for the stack.
  private static let deepest = 64

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    // A byte order mark may be passed over (RFC 8259, 8.1).
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
  }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private func damage(_ what: String, at place: Int? = nil) -> JSON.Damage {
    JSON.Damage(place: place ?? index, what: what)
  }

  mutating func whole() throws(JSON.Damage) -> JSON {
    let value = try value(depth: 0)
    skipSpace()
    guard next == nil else { throw damage("something follows the value") }
    return value
  }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { index += 1 }
  }

  private mutating func value(depth: Int) throws(JSON.Damage) -> JSON {
    guard depth <= Self.deepest else { throw damage("values are nested deeper than \(Self.deepest) levels") }
    skipSpace()
    switch next {
    case nil: throw damage("the text ends where a value is needed")
    case UInt8(ascii: "{"): return try object(depth)
    case UInt8(ascii: "["): return try array(depth)
    case UInt8(ascii: "\""): return .text(try text())
    case UInt8(ascii: "t"): return try word("true", .flag(true))
    case UInt8(ascii: "f"): return try word("false", .flag(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return try number()
    }
  }

  private mutating func word(_ word: String, _ value: JSON) throws(JSON.Damage) -> JSON {
    guard bytes[index...].starts(with: word.utf8) else { throw damage("there is no JSON value") }
    index += word.utf8.count
    return value
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    skipSpace()
    guard next == byte else { return false }
    index += 1
    return true
  }

  private mutating func object(_ depth: Int) throws(JSON.Damage) -> JSON {
    index += 1
    var members: [JSON.Member] = []
    if take(UInt8(ascii: "}")) { return .object(members) }
    repeat {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw damage("a key in quotation marks is needed") }
      let key = try text()
      guard take(UInt8(ascii: ":")) else { throw damage("a colon is needed") }
      members.append(JSON.Member(key, try value(depth: depth + 1)))
    } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "}")) else { throw damage("a comma or the end of the object is needed") }
    return .object(members)
  }

  private mutating func array(_ depth: Int) throws(JSON.Damage) -> JSON {
    index += 1
    var elements: [JSON] = []
    if take(UInt8(ascii: "]")) { return .array(elements) }
    repeat { elements.append(try value(depth: depth + 1)) } while take(UInt8(ascii: ","))
    guard take(UInt8(ascii: "]")) else { throw damage("a comma or the end of the list is needed") }
    return .array(elements)
  }

  private mutating func digits() -> Int {
    let start = index
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
    return index - start
  }

  private mutating func number() throws(JSON.Damage) -> JSON {
    let start = index
    if next == UInt8(ascii: "-") { index += 1 }
    let isZero = next == UInt8(ascii: "0")
    let count = digits()
    guard count == 1 || (count > 1 && !isZero) else { throw damage("there is no JSON value", at: start) }
    var isWhole = true
    if next == UInt8(ascii: ".") {
      index += 1
      isWhole = false
      guard digits() > 0 else { throw damage("digits are missing") }
    }
    if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
      index += 1
      isWhole = false
      if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { index += 1 }
      guard digits() > 0 else { throw damage("digits are missing") }
    }
    let word = String(decoding: bytes[start..<index], as: UTF8.self)
    if isWhole, let number = Int(word) { return .integer(number) }
    if isWhole, let number = UInt64(word) { return .unsigned(number) }
    guard let number = Double(word), number.isFinite else { throw damage("the number is too large", at: start) }
    return .double(number)
  }

  private mutating func text() throws(JSON.Damage) -> String {
    let start = index
    index += 1
    var content: [UInt8] = []
    while true {
      let first = index
      while index < bytes.count, bytes[index] >= 0x20, bytes[index] != UInt8(ascii: "\""),
        bytes[index] != UInt8(ascii: "\\")
      { index += 1 }
      content += bytes[first..<index]
      guard let byte = next else { throw damage("a string does not end", at: start) }
      index += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: content, as: UTF8.self) else {
          throw damage("a string is not UTF-8", at: start)
        }
        return text
      case UInt8(ascii: "\\"): content += Array(String(try escaped()).utf8)
      default: throw damage("a string has a control character", at: index - 1)
      }
    }
  }

  /// What a backslash and the characters after it stand for.
  private mutating func escaped() throws(JSON.Damage) -> Unicode.Scalar {
    let start = index - 1
    guard let byte = next else { throw damage("a string does not end", at: start) }
    index += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      var value = try unit()
      if (0xD800..<0xDC00).contains(value), bytes[index...].starts(with: [UInt8(ascii: "\\"), UInt8(ascii: "u")]) {
        index += 2
        let low = try unit()
        guard (0xDC00..<0xE000).contains(low) else { throw damage("half of a surrogate pair is missing", at: start) }
        value = 0x10000 + (value - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(value) else { throw damage("half of a surrogate pair is missing", at: start) }
      return scalar
    default: throw damage("there is an invalid escape", at: start)
    }
  }

  private mutating func unit() throws(JSON.Damage) -> UInt32 {
    guard index + 4 <= bytes.count else { throw damage("four hexadecimal digits are needed") }
    var value: UInt32 = 0
    for byte in bytes[index..<index + 4] {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "a")...UInt8(ascii: "f"): digit = byte - UInt8(ascii: "a") + 10
      case UInt8(ascii: "A")...UInt8(ascii: "F"): digit = byte - UInt8(ascii: "A") + 10
      default: throw damage("four hexadecimal digits are needed")
      }
      value = value << 4 | UInt32(digit)
    }
    index += 4
    return value
  }
}
