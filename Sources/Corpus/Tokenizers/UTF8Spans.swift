// Decodes UTF-8 without losing invalid bytes.

/// One Unicode scalar in bytes, or an invalid byte.
struct DecodedScalar {
  /// The scalar's value; nil if the byte does not start a well-formed sequence.
  var value: UInt32?
  /// Length in bytes: 1…4; 1 for an invalid byte.
  var length: Int
}

extension UnsafeRawBufferPointer {
  /// Decodes the scalar at `index` (Unicode 15, table 3-7: no overlong forms, no surrogates, at most U+10FFFF).
  func scalar(at index: Int) -> DecodedScalar {
    let first = UInt32(self[index])
    if first < 0x80 { return DecodedScalar(value: first, length: 1) }
    let (length, lowest): (Int, UInt32)
    switch first {
    case 0xC2...0xDF: (length, lowest) = (2, 0x80)
    case 0xE0...0xEF: (length, lowest) = (3, 0x800)
    case 0xF0...0xF4: (length, lowest) = (4, 0x1_0000)
    default: return DecodedScalar(value: nil, length: 1)
    }
    guard index + length <= count else { return DecodedScalar(value: nil, length: 1) }
    var value = first & (0x7F >> UInt32(length))
    for following in 1..<length {
      let byte = UInt32(self[index + following])
      guard byte & 0xC0 == 0x80 else { return DecodedScalar(value: nil, length: 1) }
      value = value << 6 | byte & 0x3F
    }
    guard value >= lowest, value <= 0x10_FFFF, !(0xD800...0xDFFF).contains(value) else {
      return DecodedScalar(value: nil, length: 1)
    }
    return DecodedScalar(value: value, length: length)
  }

  /// How many bytes there are before a scalar at the end that may go on in bytes to come.
  var wholeScalars: Int {
    for length in 1...3 where length <= count {
      let first = self[count - length]
      if first & 0xC0 == 0x80 { continue }
      let needed = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : first >= 0xC0 ? 2 : 1
      return needed > length ? count - length : count
    }
    return count
  }

  /// The index of the first byte that is not part of well-formed UTF-8; nil if there is none.
  var firstInvalidByte: Int? {
    var index = 0
    while index < count {
      let scalar = scalar(at: index)
      if scalar.value == nil { return index }
      index += scalar.length
    }
    return nil
  }
}
