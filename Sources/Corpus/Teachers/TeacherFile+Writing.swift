// Writes a teacher's file beside its place, and renames it when all of it is on the disk: whatever ends the program before, nothing has
// the file's name that is not whole. The header, by which a file is recognised, is written last.
import Foundation
import Run

/// The predictions of some positions, one after the other.
package struct TeacherRows: Sendable, Equatable {
  /// [n, top]: tokens, likeliest first.
  package var tokens: [Int32]
  /// [n, top]: probabilities.
  package var weights: [Float]

  package init(tokens: [Int32], weights: [Float]) {
    self.tokens = tokens
    self.weights = weights
  }
}

extension TeacherFile {
  /// Appends the predictions of the next positions.
  package typealias Append = (TeacherRows) throws -> Void

  /// - Parameter content: appends the predictions of all positions, in order.
  /// - Throws: `CorpusError` when the file cannot be written, or would replace something that is not a teacher's file, which is
  ///   found before `content` is asked for anything; or what `content` throws. Nothing is left then.
  package static func write(
    to path: String, _ header: TeacherHeader, content: (Append) throws -> Void
  ) throws {
    try requireReplaceable(path)
    removeLeftovers(of: path)
    let aside = PartialFile.name(beside: path)
    let file = aside.withFileName { open($0, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644) }
    func failure(_ reason: Int32 = errno) -> CorpusError {
      CorpusError(.cannotWriteCache, "\(path) cannot be written: \(String(cString: strerror(reason)))")
    }
    guard file >= 0 else { throw failure() }
    var isPlaced = false
    defer {
      close(file)
      if !isPlaced { _ = aside.withFileName { unlink($0) } }
    }
    var end = headerSize
    func put(_ bytes: [UInt8], at offset: Int) throws {
      if let reason = bytes.withUnsafeBytes({ PartialFile.put($0, at: offset, of: file) }) { throw failure(reason) }
    }
    var positions = 0
    var block: [UInt8] = []
    func closeBlock() throws {
      guard !block.isEmpty else { return }
      let checksum = sum(block[...])
      withUnsafeBytes(of: checksum.littleEndian) { block += $0 }
      try put(block, at: end)
      end += block.count
      block.removeAll(keepingCapacity: true)
    }
    try content { rows in
      precondition(rows.tokens.count == rows.weights.count && rows.tokens.count % header.top == 0)
      for first in stride(from: 0, to: rows.tokens.count, by: header.top) {
        for token in rows.tokens[first..<first + header.top] {
          if header.width == 2 {
            withUnsafeBytes(of: UInt16(token).littleEndian) { block += $0 }
          } else {
            withUnsafeBytes(of: UInt32(token).littleEndian) { block += $0 }
          }
        }
        for weight in rows.weights[first..<first + header.top] {
          withUnsafeBytes(of: Float16(weight).bitPattern.littleEndian) { block += $0 }
        }
        positions += 1
        if positions % self.block == 0 { try closeBlock() }
      }
    }
    try closeBlock()
    precondition(positions == header.positions, "\(positions) of \(header.positions) positions were given")
    let text = Array(header.object.line.utf8)
    precondition(text.count <= headerSize - 32, "a teacher's name is short")
    var start = magic
    withUnsafeBytes(of: version.littleEndian) { start += $0 }
    withUnsafeBytes(of: UInt32(text.count).littleEndian) { start += $0 }
    withUnsafeBytes(of: sum(text[...]).littleEndian) { start += $0 }
    start += text
    start += [UInt8](repeating: 0, count: headerSize - start.count)
    guard fsync(file) == 0 else { throw failure() }
    try put(start, at: 0)
    guard fsync(file) == 0 else { throw failure() }
    let placed = aside.withFileName { from in path.withFileName { rename(from, $0) } }
    guard placed == 0 else { throw failure() }
    isPlaced = true
  }

  /// - Throws: `CorpusError` if something else than a teacher's file or an empty file is at the path: it would be lost.
  private static func requireReplaceable(_ path: String) throws(CorpusError) {
    let file = path.withFileName { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    guard file >= 0 else {
      let reason = errno
      guard reason != ENOENT else { return }
      throw CorpusError(.cannotWriteCache, "\(path) cannot be replaced: \(String(cString: strerror(reason)))")
    }
    defer { close(file) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw CorpusError(.cannotWriteCache, "\(path) is a folder, a device or a pipe: name a file with --output")
    }
    var start = [UInt8](repeating: 0, count: magic.count)
    let count = pread(file, &start, start.count, 0)
    guard status.st_size == 0 || count == magic.count && start == magic else {
      throw CorpusError(
        .cannotWriteCache,
        "\(path) is there already, and is not a file of “foretop teach”: name another file with --output")
    }
  }

  /// Removes what killed processes left of the same file.
  private static func removeLeftovers(of path: String) {
    let (folder, name) = (path.parentFolder, (path as NSString).lastPathComponent + ".")
    for other in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    where other.hasPrefix(name) && other.hasSuffix(PartialFile.ending) {
      guard let process = pid_t(other.dropFirst(name.count).prefix { $0 != "." }), process > 0,
        kill(process, 0) != 0, errno == ESRCH
      else { continue }
      _ = (folder + "/" + other).withFileName { unlink($0) }
    }
  }
}
