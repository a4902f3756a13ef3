// Rows of fixed size with named parts, a checksum in each: `/events` and `/sessions`. A row's size divides a page, so that
// a write that is torn leaves whole rows.
import CHDF5
import Foundation
import Run

/// A list of records in one compound dataset.
final class Ledger {
  struct Part {
    enum Kind { case number, whole, text(Int) }

    let name: String
    let kind: Kind

    init(_ name: String, _ kind: Kind) {
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

  enum Value: Equatable {
    case number(Double)
    case whole(Int)
    case text(String)
  }

  /// Values by the name of their part.
  typealias Record = [String: Value]

  private let dataset: Dataset
  private let parts: [Part]
  /// Bytes a row, the checksum at their end.
  private let size: Int
  private let type: Handle
  private(set) var count = 0
  /// Records that are not surely in the file yet, and how many of them were handed to libhdf5.
  private var waiting: [Record] = []
  private var handedOver = 0
  /// New contents of old records, by their number.
  private var updates: [Int: Record] = [:]

  /// - Parameter size: bytes a row; a power of two, and enough for the parts and four bytes more.
  init(creating path: String, _ parts: [Part], size: Int, longName: String, in file: File) throws {
    self.parts = parts
    self.size = size
    type = try Self.type(of: parts, size)
    dataset = try Dataset(creating: path, of: type.id, chunk: 131_072 / size, in: file)
    try Group.set("units", "1", on: path, in: file)
    try Group.set("long_name", longName, on: path, in: file)
  }

  init(opening path: String, _ parts: [Part], size: Int, in file: File) throws {
    self.parts = parts
    self.size = size
    type = try Self.type(of: parts, size)
    dataset = try Dataset(opening: path, in: file)
    let stored = try Handle(H5Dget_type(dataset.id), "cannot examine \(path) in \(file.path)")
    guard H5Tequal(stored.id, type.id) > 0 else {
      throw UserError(.data, "\(path) in \(file.path) has other fields than this version of foretop writes")
    }
    count = try dataset.count()
  }

  private static func type(of parts: [Part], _ size: Int) throws -> Handle {
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

  /// Lets go of the file. What waits stays, for `adopt`.
  func close() { dataset.close() }

  /// See `File.abandon`.
  func abandon() { dataset.abandon() }

  /// Records, those that wait included.
  var total: Int { count + waiting.count - handedOver }

  /// Puts a record in line; `write` stores it.
  func append(_ record: Record) { waiting.append(record) }

  /// Puts the new content of an old record in line.
  func update(_ record: Record, at index: Int) { updates[index] = record }

  var hasUnconfirmed: Bool { !waiting.isEmpty || !updates.isEmpty }

  /// Bytes that writing the waiting records may take from the disk.
  var waitingSize: Int { hasWaiting ? waiting.count * size + 2 * 131_072 : 0 }

  var hasWaiting: Bool { handedOver < waiting.count || !updates.isEmpty }

  /// Stores the records that wait.
  func write() throws {
    let records = waiting.dropFirst(handedOver)
    if !records.isEmpty {
      let bytes = records.enumerated().flatMap { encoded($1, at: count + $0) }
      try dataset.resize(to: count + records.count)
      try dataset.write(bytes, of: type.id, at: count, count: records.count)
      count += records.count
      handedOver = waiting.count
    }
    for (index, record) in updates {
      try dataset.write(encoded(record, at: index), of: type.id, at: index, count: 1)
    }
  }

  /// The file was flushed: what was handed over need not be kept.
  func confirm() {
    waiting.removeFirst(handedOver)
    handedOver = 0
    updates = [:]
  }

  /// Takes over the records that the same ledger of a failed file may not have stored.
  func adopt(from old: Ledger) {
    let first = old.count - old.handedOver
    waiting += old.waiting.enumerated().filter { first + $0.offset >= count }.map(\.element)
    updates = old.updates
  }

  /// Reads all records; nil stands for one whose checksum does not hold.
  func records() throws -> [Record?] {
    var bytes = [UInt8](repeating: 0, count: count * size)
    try dataset.read(into: &bytes, of: type.id, at: 0, count: count)
    return (0..<count).map { decoded(Array(bytes[$0 * size..<($0 + 1) * size]), at: $0) }
  }

  /// Makes these its records, and writes only from the first that is new. Never while readers may be there.
  func replace(_ old: [Record?], by new: [Record]) throws {
    count = zip(old, new).prefix { encodedOrNil($0, at: 0) == encoded($1, at: 0) }.count
    try dataset.resize(to: count)
    precondition(waiting.isEmpty, "a ledger is rewritten only before records are appended to it")
    waiting = Array(new.dropFirst(count))
    try write()
    confirm()
  }

  private func encodedOrNil(_ record: Record?, at index: Int) -> [UInt8]? { record.map { encoded($0, at: index) } }

  private func encoded(_ record: Record, at index: Int) -> [UInt8] {
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

  private func decoded(_ bytes: [UInt8], at index: Int) -> Record? {
    let sum = bytes.suffix(4).reversed().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    guard Self.checksum(Array(bytes.dropLast(4)), at: index) == sum else { return nil }
    var record: Record = [:]
    var offset = 0
    for part in parts {
      let piece = bytes[offset..<offset + part.size]
      let word = piece.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
      switch part.kind {
      case .number: record[part.name] = .number(Double(bitPattern: word))
      case .whole: record[part.name] = .whole(Int(truncatingIfNeeded: word))
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

  /// The text's UTF-8, cut at the end of a character where it does not fit, and saying so.
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

extension Ledger.Record {
  func number(_ name: String) -> Double { if case .number(let value)? = self[name] { value } else { .nan } }
  func whole(_ name: String) -> Int { if case .whole(let value)? = self[name] { value } else { 0 } }
  func text(_ name: String) -> String { if case .text(let value)? = self[name] { value } else { "" } }
}
