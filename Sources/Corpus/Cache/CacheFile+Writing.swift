// Writes a cache file under a temporary name and renames it when it is complete, so that no reader sees a part of it
// and processes that write the same file at the same time do not collide.
import Foundation
import Run

extension CacheFile {
  /// Appends elements, given as bytes.
  typealias Append = (UnsafeRawBufferPointer) throws(CorpusError) -> Void

  /// Writes a cache file; makes the folder if it does not exist.
  /// - Parameters:
  ///   - key: the SHA-256 of everything that determines the elements.
  ///   - width: bytes per element: 1, 2, 4 or 8.
  ///   - files: of the text that is tokenized, where a draft is kept; nil keeps none.
  ///   - content: appends the elements, each call a whole number of them: those after what a draft has.
  /// - Throws: `CorpusError.cannotWriteCache`, or what `content` throws. The folder is then as it was, but for a draft.
  static func write(
    _ path: String, key: [UInt8], width: Int, draftOf files: Int? = nil,
    content: (Append, TokenDraft?) throws(CorpusError) -> Void
  ) throws(CorpusError) {
    precondition(
      [1, 2, 4, 8].contains(width) && key.count == 32, "a cache file has elements of 1, 2, 4 or 8 bytes and a key of 32"
    )
    if let reason = makeFolder(path.parentFolder) { throw failure(path, TextFiles.text(of: reason)) }
    let draft = files.flatMap { TokenDraft(of: path, width: width, files: $0) }
    let aside = draft?.path ?? PartialFile.name(beside: path)
    let file = draft?.file ?? open(aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure(path, TextFiles.text(of: errno)) }
    var isPlaced = false
    defer {
      // A file of the draft's name is another process's draft from the moment on in which this one is placed.
      if !isPlaced { if let draft { draft.remove() } else { unlink(aside) } }
      if draft == nil { close(file) }
    }

    var end = headerSize + (draft?.tokens ?? 0) * width
    func append(_ bytes: UnsafeRawBufferPointer) throws(CorpusError) {
      try put(bytes, at: end, of: file, for: path)
      end += bytes.count
    }
    try content(append, draft)
    let size = end - headerSize
    precondition(size % width == 0, "a cache file of \(width)-byte elements was given \(size) bytes")
    var header = magic
    withUnsafeBytes(of: version) { header += $0 }
    withUnsafeBytes(of: UInt32(width)) { header += $0 }
    withUnsafeBytes(of: UInt64(size / width)) { header += $0 }
    let sum = try checksum(ofElementsIn: file, size: size, for: path)
    withUnsafeBytes(of: sum) { header += $0 }
    header += key
    try header.withUnsafeBufferPointer { bytes throws(CorpusError) in
      try put(UnsafeRawBufferPointer(bytes), at: 0, of: file, for: path)
    }
    draft?.removeNotes()
    guard rename(aside, path) == 0 else { throw failure(path, TextFiles.text(of: errno)) }
    isPlaced = true
  }

  private static func put(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, of file: Int32, for path: String
  ) throws(CorpusError) {
    if let reason = PartialFile.put(bytes, at: offset, of: file) { throw failure(path, TextFiles.text(of: reason)) }
  }

  private static func checksum(
    ofElementsIn file: Int32, size: Int, for path: String
  ) throws(CorpusError) -> UInt64 {
    var sum = CacheChecksum(of: size)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { room.deallocate() }
    var (done, filled) = (0, 0)
    while done < size {
      let wanted = min(room.count, size - done)
      let count = pread(file, room.baseAddress! + filled, wanted - filled, off_t(headerSize + done + filled))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failure(path, count < 0 ? TextFiles.text(of: errno) : "it became shorter") }
      filled += count
      guard filled == wanted else { continue }
      sum.add(UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(room)[..<wanted]))
      (done, filled) = (done + wanted, 0)
    }
    return sum.finished
  }

  /// Makes a folder and its parents, if they do not exist.
  /// - Returns: nil if the folder exists now, otherwise the error number.
  private static func makeFolder(_ folder: String) -> Int32? {
    var status = stat()
    if mkdir(folder, 0o755) == 0 { return nil }
    switch errno {
    case EEXIST: return stat(folder, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR ? nil : ENOTDIR
    case ENOENT where !folder.parentFolder.isEmpty && folder.parentFolder != folder:
      if let reason = makeFolder(folder.parentFolder) { return reason }
      return mkdir(folder, 0o755) == 0 || errno == EEXIST ? nil : errno
    case let reason: return reason
    }
  }

  private static func failure(_ path: String, _ reason: String) -> CorpusError {
    CorpusError(
      .cannotWriteCache,
      "the cache folder \(path.parentFolder) cannot be written (\(reason))"
    )
  }
}
