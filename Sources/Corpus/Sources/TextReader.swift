// Reads a corpus file as text, piece by piece: decompressed, without a byte order mark, and of JSON lines only the texts.
import Foundation
import Run

/// Reads the text of one file once.
final class TextReader {
  private let path: String
  private let file: Int32
  private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
  /// The part of `room` that is not decompressed yet.
  private var packed = UnsafeRawBufferPointer(start: nil, count: 0)
  private var unpacked: UnsafeMutableRawBufferPointer?
  /// True if the decompressor may hold output that did not fit.
  private var isWaiting = false
  private var packing: Packing?
  private var unpacker: (any Unpacker)?
  private var isFirst = true
  private var isAtEnd = false
  private var lines: JSONLines?
  /// True if the file begins with a byte order mark.
  private(set) var hasMark = false
  /// Bytes of the file that are read, as they are on the disk.
  private(set) var readBytes = 0
  /// For JSON lines, the ends of the texts read since the last call, in bytes from the beginning of the first text.
  func takeEnds() -> [Int] { lines?.takeEnds() ?? [] }

  /// True if the file's name says that it has JSON lines.
  static func isJSONLines(_ path: String) -> Bool {
    ["", ".gz", ".zst"].contains { path.hasSuffix(".jsonl" + $0) }
  }

  /// - Throws: `CorpusError` missing or unreadable.
  init(opening path: String) throws(CorpusError) {
    let file = path.withFileName { open($0, O_RDONLY | O_CLOEXEC) }
    guard file >= 0 else {
      let reason = errno
      room.deallocate()
      throw CorpusError.unreadable(path, reason)
    }
    self.path = path
    self.file = file
    if Self.isJSONLines(path) { lines = JSONLines(path) }
    try refuseHoles()
  }

  /// Refuses a file whose size is far beyond its space on the disk, since reading its zeros would take for ever. File systems
  /// with compression do not save that much of a text.
  private func refuseHoles() throws(CorpusError) {
    var status = stat()
    guard fstat(file, &status) == 0, status.st_size > 1 << 30, status.st_blocks * 512 < status.st_size / 100 else {
      return
    }
    throw CorpusError(
      .badText,
      """
      \(path) has \(quantity(Int(status.st_size), spaced: false))B, of which only \(quantity(Int(status.st_blocks) * 512, spaced: false))B are on the disk: a text has \
      no such holes; copy the text into a file of its own
      """)
  }

  deinit {
    close(file)
    room.deallocate()
    unpacked?.deallocate()
  }

  /// Calls `take` with the text, piece by piece, until the end or until `take` returns false.
  /// - Parameter take: receives at least one byte, valid during the call.
  /// - Throws: `CorpusError` unreadable or badText, or the errors of `take`.
  func forEachPiece(_ take: (UnsafeRawBufferPointer) throws(CorpusError) -> Bool) throws(CorpusError) {
    while let piece = try bytes() {
      guard lines != nil else {
        guard try take(piece) else { return }
        continue
      }
      let texts = try lines?.texts(in: piece) ?? []
      guard try Self.take(texts, by: take) else { return }
    }
    _ = try Self.take(try lines?.end() ?? [], by: take)
  }

  private static func take(
    _ texts: [UInt8], by take: (UnsafeRawBufferPointer) throws(CorpusError) -> Bool
  ) throws(CorpusError) -> Bool {
    guard !texts.isEmpty else { return true }
    return try texts.withUnsafeBufferPointer { texts throws(CorpusError) in try take(UnsafeRawBufferPointer(texts)) }
  }

  /// The next bytes of the file, decompressed; never empty.
  private func bytes() throws(CorpusError) -> UnsafeRawBufferPointer? {
    while var piece = try unpackedPiece() {
      if isFirst, piece.starts(with: [0xEF, 0xBB, 0xBF]) {
        hasMark = true
        piece = UnsafeRawBufferPointer(rebasing: piece[3...])
      }
      if !piece.isEmpty {
        isFirst = false
        return piece
      }
      // The file has only a byte order mark so far.
      if hasMark { isFirst = false }
    }
    return nil
  }

  private func unpackedPiece() throws(CorpusError) -> UnsafeRawBufferPointer? {
    while true {
      if packed.isEmpty && !isWaiting {
        guard !isAtEnd, let piece = try packedPiece() else {
          isAtEnd = true
          guard unpacker?.isComplete != false else {
            throw damage("it ends in the middle of its packed data")
          }
          return nil
        }
        if isFirst, unpacker == nil, let packing = Packing(piece.prefix(8)) {
          self.packing = packing
          unpacker = packing.unpacker()
          unpacked = .allocate(byteCount: 1 << 20, alignment: 16)
        }
        guard unpacker != nil else { return piece }
        packed = piece
      }
      guard let unpacker, let unpacked else { preconditionFailure("only packed files leave bytes to unpack") }
      do throws(UnpackingDamage) {
        let (taken, written) = try unpacker.unpack(packed, into: unpacked)
        packed = UnsafeRawBufferPointer(rebasing: packed[taken...])
        isWaiting = written == unpacked.count
        if written > 0 { return UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(unpacked)[..<written]) }
      } catch {
        throw damage(error.reason)
      }
    }
  }

  private func damage(_ reason: String) -> CorpusError {
    CorpusError(
      .badText,
      "\(path) is damaged: \(reason); make it again (“\(packing?.tool ?? "") -t \(path)” tests the file)")
  }

  /// Files of the kernel have size 0, so that reading continues until nothing comes.
  private func packedPiece() throws(CorpusError) -> UnsafeRawBufferPointer? {
    while true {
      let count = Foundation.read(file, room.baseAddress!, room.count)
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw CorpusError(.unreadable, "\(path) cannot be read: \(TextFiles.text(of: errno))") }
      readBytes += count
      return count == 0 ? nil : UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<count])
    }
  }
}

/// Reads JSON lines, each an object with the key “text”, as their texts, each with a line break at its end.
struct JSONLines {
  private let path: String
  /// The beginning of a line whose end has not been read yet.
  private var rest: [UInt8] = []
  private var line = 0
  private var length = 0
  private var ends: [Int] = []

  /// The longest line in bytes; a longer one is an error.
  private static let longest = 1 << 30

  init(_ path: String) { self.path = path }

  mutating func takeEnds() -> [Int] {
    defer { ends.removeAll(keepingCapacity: true) }
    return ends
  }

  /// The texts of the lines that end in a piece.
  mutating func texts(in piece: UnsafeRawBufferPointer) throws(CorpusError) -> [UInt8] {
    var texts: [UInt8] = []
    var start = 0
    while let end = piece[start...].firstIndex(of: UInt8(ascii: "\n")) {
      if rest.isEmpty {
        try add(Array(piece[start..<end]), to: &texts)
      } else {
        let whole = rest + piece[start..<end]
        rest = []
        try add(whole, to: &texts)
      }
      start = end + 1
    }
    rest += piece[start...]
    guard rest.count < Self.longest else {
      throw CorpusError(
        .badText, "\(path), line \(line + 1) has more than \(Self.longest) bytes: divide its text into several lines")
    }
    return texts
  }

  /// The text of a last line without an end.
  mutating func end() throws(CorpusError) -> [UInt8] {
    var texts: [UInt8] = []
    let whole = rest
    rest = []
    try add(whole, to: &texts)
    return texts
  }

  private mutating func add(_ bytes: [UInt8], to texts: inout [UInt8]) throws(CorpusError) {
    line += 1
    let blank: [UInt8] = [0x20, 0x09, 0x0D]
    if bytes.allSatisfy({ blank.contains($0) }) { return }
    let value: JSON
    do throws(JSON.Damage) {
      value = try JSON.read(bytes)
    } catch {
      throw CorpusError(.badText, "\(path), line \(line): \(error): each line of a .jsonl file must be a JSON object")
    }
    if let twice = value.repeatedKey {
      throw CorpusError(
        .badText, "\(path), line \(line) has the key \(twice.quotation) twice: keep the one that is meant")
    }
    guard let text = value["text"]?.string else {
      let keys = value.members.map { $0.prefix(5).map(\.key).joined(separator: ", ") } ?? ""
      throw CorpusError(
        .badText,
        "\(path), line \(line) has no text: each line of a .jsonl file must be an object with a string under “text”"
          + (keys.isEmpty ? "" : ", and this one has \(keys)")
          + "; rename the key, such as with “jq -c '{text: .content}'”")
    }
    guard !text.isEmpty else { return }
    let before = texts.count
    texts += text.utf8
    if texts.last != UInt8(ascii: "\n") { texts.append(UInt8(ascii: "\n")) }
    length += texts.count - before
    ends.append(length)
  }
}
