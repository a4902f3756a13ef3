// The values of GGUF's keys, and their encoding as little-endian bytes.

extension GGUF {
  enum GGUFValue: Sendable {
    case whole(UInt32)
    case signed([Int32])
    case number(Float)
    case numbers([Float])
    case flag(Bool)
    case text(String)
    /// Texts that need not be UTF-8.
    case texts([[UInt8]])
    case bytes([UInt8])
  }

  /// A buffer to which values are appended.
  struct Bytes {
    private(set) var bytes: [UInt8] = []

    mutating func put(_ content: [UInt8]) { bytes += content }

    mutating func put(_ value: some FixedWidthInteger) {
      withUnsafeBytes(of: value.littleEndian) { bytes += $0 }
    }

    mutating func put(_ text: String) { putText(Array(text.utf8)) }

    private mutating func putText(_ text: [UInt8]) {
      put(UInt64(text.count))
      bytes += text
    }

    mutating func pad(to alignment: Int) {
      bytes += [UInt8](repeating: 0, count: (alignment - bytes.count % alignment) % alignment)
    }

    /// The number of the type in `gguf_metadata_value_type`, which precedes the value.
    mutating func put(_ value: GGUFValue) {
      switch value {
      case .whole(let number):
        put(UInt32(4))
        put(number)
      case .number(let number):
        put(UInt32(6))
        put(number.bitPattern)
      case .flag(let flag):
        put(UInt32(7))
        put(UInt8(flag ? 1 : 0))
      case .text(let text):
        put(UInt32(8))
        put(text)
      case .signed(let numbers): putArray(of: 5, numbers) { $0.put($1) }
      case .numbers(let numbers): putArray(of: 6, numbers) { $0.put($1.bitPattern) }
      case .texts(let texts): putArray(of: 8, texts) { $0.putText($1) }
      case .bytes(let content): putArray(of: 0, content) { $0.put($1) }
      }
    }

    private mutating func putArray<Element>(
      of type: UInt32, _ elements: [Element], _ putElement: (inout Bytes, Element) -> Void
    ) {
      put(UInt32(9))
      put(type)
      put(UInt64(elements.count))
      for element in elements { putElement(&self, element) }
    }

    mutating func put(_ numbers: Slice<UnsafeBufferPointer<Float>>, as storage: ElementType) {
      switch storage {
      case .f32: for number in numbers { put(number.bitPattern) }
      case .f16: for number in numbers { put(Float16(number).bitPattern) }
      case .bf16: for number in numbers { put(Self.upperHalf(number)) }
      }
    }

    /// Rounded to the nearest bf16, ties to even.
    private static func upperHalf(_ number: Float) -> UInt16 {
      let bits = number.bitPattern
      guard !number.isNaN else { return UInt16(bits >> 16) | 0x40 }
      return UInt16((bits + 0x7FFF + (bits >> 16 & 1)) >> 16)
    }
  }
}
