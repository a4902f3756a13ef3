// Reads safetensors files of other programs: every offset is checked before a number is read. Bytes in, values out.
import Run

extension SafeTensors {
  /// The number formats.
  package enum NumberType: String, Sendable, CaseIterable {
    case F64, F32, F16, BF16, I64, I32, I16, I8, U64, U32, U16, U8, BOOL
    case F8_E4M3, F8_E5M2

    var bytes: Int {
      switch self {
      case .F64, .I64, .U64: 8
      case .F32, .I32, .U32: 4
      case .F16, .BF16, .I16, .U16: 2
      case .I8, .U8, .BOOL, .F8_E4M3, .F8_E5M2: 1
      }
    }

    /// True if weights of this format can be read.
    package var isRead: Bool { self == .F32 || self == .F16 || self == .BF16 }
  }

  /// A tensor of a file.
  package struct TensorEntry: Sendable, Equatable {
    package let name: String
    package let storage: NumberType
    package let shape: [Int]
    /// The place of its numbers, in bytes from the start of the file.
    package let bytes: Range<Int>

    /// The same tensor under another name.
    package func renamed(_ name: String) -> TensorEntry {
      TensorEntry(name: name, storage: storage, shape: shape, bytes: bytes)
    }
  }

  /// The longest supported header in bytes, enough for a hundred thousand tensors.
  private static let longestHeader = 1 << 24

  /// The header's length, from the file's first eight bytes.
  /// - Parameter size: the file's size, bytes.
  /// - Throws: `UserError` when the file cannot have such a header.
  package static func headerLength(_ start: [UInt8], size: Int, source: String) throws -> Int {
    guard start.count >= 8, size >= 8 else {
      throw UserError(.data, "\(source) has \(size) bytes: it is not a safetensors file, or is truncated")
    }
    let length = start.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= UInt64(longestHeader) || length > UInt64(size - 8) else {
      throw UserError(
        .data, "\(source) has a header of \(length) bytes, and may have at most \(longestHeader)")
    }
    guard length >= 2, length <= UInt64(size - 8) else {
      throw UserError(
        .data,
        "\(source) claims a header of \(length) bytes, but has \(size): it is not a safetensors file, or is truncated"
      )
    }
    return Int(length)
  }

  /// Reads a header.
  /// - Parameters:
  ///   - header: the bytes after the first eight, as many as `headerLength` says.
  ///   - size: the file's size, bytes.
  /// - Returns: the tensors in order of their places, which fill the file without gap or overlap.
  /// - Throws: `UserError` for every violation of the format.
  package static func entries(_ header: [UInt8], size: Int, source: String) throws -> [TensorEntry] {
    func damaged(_ what: String) -> UserError { UserError(.data, "\(source) is damaged: \(what)") }
    let json: JSON
    do {
      json = try JSON.read(header)
    } catch {
      throw damaged("its header is not JSON: \(error)")
    }
    guard header.first == UInt8(ascii: "{"), let members = json.members else {
      throw damaged("its header is not an object")
    }
    if let key = json.repeatedKey { throw damaged("its header has \(key.quotation) twice") }
    let start = 8 + header.count
    var entries: [TensorEntry] = []
    for member in members where member.key != "__metadata__" {
      do throws(Fault) {
        entries.append(try entry(member, start: start, size: size))
      } catch {
        throw damaged("tensor \(member.key.quotation) \(error.what)")
      }
    }
    entries.sort { ($0.bytes.lowerBound, $0.bytes.upperBound) < ($1.bytes.lowerBound, $1.bytes.upperBound) }
    var end = start
    for entry in entries {
      guard entry.bytes.lowerBound == end else {
        throw damaged(
          "tensor \(entry.name.quotation) begins at byte \(entry.bytes.lowerBound - start), and the one before it ends at \(end - start)"
        )
      }
      end = entry.bytes.upperBound
    }
    guard end == size else {
      throw damaged("its tensors end at byte \(end), and the file at \(size)")
    }
    return entries
  }

  private struct Fault: Error { let what: String }

  private static func entry(_ member: JSON.Member, start: Int, size: Int) throws(Fault) -> TensorEntry {
    guard let keys = member.value.members?.map(\.key), keys.sorted() == ["data_offsets", "dtype", "shape"] else {
      throw Fault(what: "is not described by dtype, shape and data_offsets")
    }
    guard let word = member.value["dtype"]?.string else { throw Fault(what: "has a dtype that is not text") }
    guard let storage = NumberType(rawValue: word) else { throw Fault(what: "has the dtype \(word), which is unknown") }
    guard let extents = member.value["shape"]?.elements?.map(\.whole), extents.count <= 16 else {
      throw Fault(what: "has a shape that is not a list of at most 16 numbers")
    }
    let shape = extents.compactMap { $0 }
    guard shape.count == extents.count, shape.allSatisfy({ $0 >= 0 }) else {
      throw Fault(what: "has an invalid shape")
    }
    var count = storage.bytes
    for extent in shape {
      let product = count.multipliedReportingOverflow(by: extent)
      guard !product.overflow else { throw Fault(what: "has a shape larger than any memory") }
      count = product.partialValue
    }
    guard let offsets = member.value["data_offsets"]?.elements?.map(\.whole), offsets.count == 2,
      let first = offsets[0], let end = offsets[1], 0 <= first, first <= end, end <= size - start
    else { throw Fault(what: "does not lie inside the file") }
    guard end - first == count else {
      throw Fault(what: "has \(end - first) bytes, and its shape \(shape) in \(word) needs \(count)")
    }
    return TensorEntry(name: member.key, storage: storage, shape: shape, bytes: start + first..<start + end)
  }

  /// Reads numbers.
  /// - Parameters:
  ///   - bytes: the bytes of the file.
  ///   - storage: a format for which `isRead` is true.
  ///   - numbers: the buffer for the numbers.
  /// - Returns: the count of numbers.
  package static func read(
    _ bytes: UnsafeRawBufferPointer, _ storage: NumberType, into numbers: UnsafeMutablePointer<Float>
  ) -> Int {
    precondition(storage.isRead, "weights are read from F32, F16 and BF16 alone")
    let count = bytes.count / storage.bytes
    for index in 0..<count {
      if storage == .F32 {
        let bits = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self))
        numbers[index] = Float(bitPattern: bits)
        continue
      }
      let bits = UInt16(littleEndian: bytes.loadUnaligned(fromByteOffset: index * 2, as: UInt16.self))
      numbers[index] =
        storage == .BF16 ? Float(bitPattern: UInt32(bits) << 16) : Self.float(half: bits)
    }
    return count
  }

  /// The value of a half-precision number. Subnormal halves are computed as whole numbers, for threads that flush what is subnormal.
  private static func float(half bits: UInt16) -> Float {
    guard bits & 0x7C00 == 0 else { return Float(Float16(bitPattern: bits)) }
    let magnitude = Float(bits & 0x3FF) * 0x1p-24
    return bits & 0x8000 == 0 ? magnitude : -magnitude
  }
}
