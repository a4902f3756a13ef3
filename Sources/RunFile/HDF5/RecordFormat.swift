// The format of records of fixed size with named parts and a checksum: the rows of /events and /sessions, in run.h5 and
// in the journal.
import CHDF5
import Foundation
import Run

struct RecordFormat {
  struct Item {
    enum ItemType { case number, whole, text(Int) }

    let name: String
    let kind: ItemType

    init(_ name: String, _ kind: ItemType) {
      self.name = name
      self.kind = kind
    }

    var size: Int {
      switch kind {
      case .number, .whole: 8
      case .text(let width): width
      }
    }
  }

  enum ItemValue: Equatable {
    case number(Double)
    case whole(Int)
    case text(String)
  }

  /// The values of a record, by the names of its parts.
  typealias Record = [String: ItemValue]

  let parts: [Item]
  /// Bytes per record, with the checksum at the end. The size divides a page, so that a torn write leaves whole
  /// records.
  let size: Int

  func type() throws -> Handle {
    let what = "cannot describe a record"
    let type = try Handle(H5Tcreate(H5T_COMPOUND, size), what)
    var offset = 0
    for part in parts {
      switch part.kind {
      case .number: try HDF5.check(H5Tinsert(type.id, part.name, offset, h5_f64()), what)
      case .whole: try HDF5.check(H5Tinsert(type.id, part.name, offset, h5_u64()), what)
      case .text(let width):
        let text = try HDF5.text(width, what)
        try HDF5.check(H5Tinsert(type.id, part.name, offset, text.id), what)
      }
      offset += part.size
    }
    precondition(offset <= size - 4, "a record's parts need \(offset) bytes and have \(size - 4)")
    try HDF5.check(H5Tinsert(type.id, "commit", size - 4, h5_u32()), what)
    return type
  }

  func encoded(_ record: Record, at index: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(size)
    for part in parts {
      switch (part.kind, record[part.name]) {
      case (.number, .number(let value)): withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes += $0 }
      case (.whole, .whole(let value)): withUnsafeBytes(of: UInt64(max(0, value)).littleEndian) { bytes += $0 }
      case (.text(let width), .text(let text)):
        let kept = Self.fitting(text, width)
        bytes += kept + [UInt8](repeating: 0, count: width - kept.count)
      case (.number, _): withUnsafeBytes(of: Double.nan.bitPattern.littleEndian) { bytes += $0 }
      case (.whole, _), (.text, _): bytes += [UInt8](repeating: 0, count: part.size)
      }
    }
    bytes += [UInt8](repeating: 0, count: size - 4 - bytes.count)
    let sum = Self.checksum(bytes, at: index)
    withUnsafeBytes(of: sum.littleEndian) { bytes += $0 }
    return bytes
  }

  func decoded(_ bytes: [UInt8], at index: Int) -> Record? {
    let sum = bytes.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    guard Self.checksum(Array(bytes.dropLast(4)), at: index) == sum else { return nil }
    var record: Record = [:]
    var offset = 0
    for part in parts {
      let piece = bytes[offset..<offset + part.size]
      let word = piece.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      switch part.kind {
      case .number: record[part.name] = .number(Double(bitPattern: word))
      case .whole:
        // Counted as exactly as in the columns; no run has a larger number.
        guard word < 1 << 53 else { return nil }
        record[part.name] = .whole(Int(word))
      case .text: record[part.name] = .text(String(decoding: piece.prefix { $0 != 0 }, as: UTF8.self))
      }
      offset += part.size
    }
    return record
  }

  /// CRC32C of the row number and of the row up to its checksum.
  private static func checksum(_ bytes: [UInt8], at index: Int) -> UInt32 {
    var sum = Checksum()
    sum.add(UInt64(index))
    sum.add(bytes)
    return sum.value
  }

  /// The text in UTF-8, cut at a character boundary and marked as cut if it does not fit.
  private static func fitting(_ text: String, _ width: Int) -> [UInt8] {
    if text.utf8.count <= width { return Array(text.utf8) }
    var kept: [UInt8] = []
    for character in text {
      if kept.count + character.utf8.count > width - 3 { break }
      kept += Array(character.utf8)
    }
    return kept + Array("…".utf8)
  }
}

extension RecordFormat.Record {
  func number(_ name: String) -> Double { if case .number(let value)? = self[name] { value } else { .nan } }
  func whole(_ name: String) -> Int { if case .whole(let value)? = self[name] { value } else { 0 } }
  func text(_ name: String) -> String { if case .text(let value)? = self[name] { value } else { "" } }
}
