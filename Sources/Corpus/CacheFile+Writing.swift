// Making a cache file: written beside its place and renamed when it is whole, so that no reader ever sees a part of it and
// processes that make the same file at the same time do not meet.
import Foundation
import Run

extension CacheFile {
  /// Takes in elements, as bytes.
  typealias Append = (UnsafeRawBufferPointer) throws(CorpusError) -> Void

  /// Writes a cache file in a folder that is made if it is not there.
  /// - Parameters:
  ///   - key: The SHA-256 of all that the elements are made from.
  ///   - width: Bytes of an element: 1, 2, 4 or 8.
  ///   - content: Appends the elements, whole ones.
  /// - Throws: `CorpusError.cannotWriteCache`, or what `content` throws. The folder is then as it was.
  static func write(
    _ path: String, key: [UInt8], width: Int, content: (Append) throws(CorpusError) -> Void
  ) throws(CorpusError) {
    precondition(
      [1, 2, 4, 8].contains(width) && key.count == 32, "a cache file has elements of 1, 2, 4 or 8 bytes and a key of 32"
    )
    do {
      let folder = path.parentFolder
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw failure(path, "its folder cannot be made")
    }
    let aside = "\(path).\(getpid()).\(UInt64.random(in: 0 ... .max)).partial"
    let file = open(aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw failure(path, TextFiles.text(of: errno)) }
    var isPlaced = false
    defer {
      close(file)
      if !isPlaced { unlink(aside) }
    }

    var end = headerSize
    try content { bytes throws(CorpusError) in
      try put(bytes, at: end, of: file, for: path)
      end += bytes.count
    }
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
    guard rename(aside, path) == 0 else { throw failure(path, TextFiles.text(of: errno)) }
    isPlaced = true
  }

  private static func put(
    _ bytes: UnsafeRawBufferPointer, at offset: Int, of file: Int32, for path: String
  ) throws(CorpusError) {
    var written = 0
    while written < bytes.count {
      let count = pwrite(file, bytes.baseAddress! + written, bytes.count - written, off_t(offset + written))
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw failure(path, TextFiles.text(of: errno)) }
      written += count
    }
  }

  private static func checksum(
    ofElementsIn file: Int32, size: Int, for path: String
  ) throws(CorpusError) -> UInt64 {
    guard size > 0 else { return checksumOfBytes(UnsafeRawBufferPointer(start: nil, count: 0)) }
    guard let start = mmap(nil, headerSize + size, PROT_READ, MAP_PRIVATE, file, 0), start != MAP_FAILED else {
      throw failure(path, TextFiles.text(of: errno))
    }
    defer { munmap(start, headerSize + size) }
    return checksumOfBytes(UnsafeRawBufferPointer(start: start + headerSize, count: size))
  }

  private static func failure(_ path: String, _ reason: String) -> CorpusError {
    CorpusError(
      .cannotWriteCache,
      "the cache file \(path) cannot be written (\(reason)); make room and check the folder's permissions, or use another folder"
    )
  }
}
