// Reads the fields of protocol buffers, as far as tokenizer models need them.

/// The fields of a protocol buffer, one after the other.
struct ProtocolBufferFields {
  struct ProtocolBufferField {
    var number: UInt64
    /// The value of an integer field, or the bits of a fixed32 or fixed64 field.
    var value: UInt64 = 0
    /// The bytes of a string, bytes or message field.
    var bytes: ArraySlice<UInt8>?
  }

  private var rest: ArraySlice<UInt8>
  /// True if reading stopped at bytes that are not a field.
  private(set) var isDamaged = false

  init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  mutating func next() -> ProtocolBufferField? {
    guard !rest.isEmpty, !isDamaged else { return nil }
    guard let tag = number(), let field = field(tag) else {
      isDamaged = true
      return nil
    }
    return field
  }

  private mutating func field(_ tag: UInt64) -> ProtocolBufferField? {
    var field = ProtocolBufferField(number: tag >> 3)
    guard field.number > 0 else { return nil }
    switch tag & 7 {
    case 0:
      guard let value = number() else { return nil }
      field.value = value
    case 1:
      guard let bits = taken(8) else { return nil }
      field.value = Self.whole(bits)
    case 2:
      guard let length = number(), let content = taken(length) else { return nil }
      field.bytes = content
    case 5:
      guard let bits = taken(4) else { return nil }
      field.value = Self.whole(bits)
    default: return nil
    }
    return field
  }

  /// The little-endian integer in some bytes.
  private static func whole(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }

  private mutating func number() -> UInt64? {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 70, by: 7) {
      guard let byte = rest.popFirst() else { return nil }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    return nil
  }

  private mutating func taken(_ length: UInt64) -> ArraySlice<UInt8>? {
    guard length <= UInt64(rest.count) else { return nil }
    let content = rest.prefix(Int(length))
    rest = rest.dropFirst(Int(length))
    return content
  }
}
