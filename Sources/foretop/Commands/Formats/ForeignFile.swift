// Reads files of other programs piece by piece; `Export` interprets the bytes.
import Export
import Foundation
import Run

/// An open safetensors file.
struct ForeignFile {
  private let path: String
  private let handle: FileHandle
  private let size: Int

  /// Bytes per read.
  private static let piece = 1 << 24
  /// Bytes of the largest configuration or tokenizer.
  private static let largestDocument = 1 << 26

  init(_ path: String) throws {
    (handle, size) = try Self.open(path)
    self.path = path
  }

  private static func open(_ path: String) throws -> (FileHandle, Int) {
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw UserError(
        errno == ENOENT || errno == ENOTDIR ? .noInput : .inputOutput, "\(path) cannot be read: \(reason)")
    }
    guard status.st_mode & S_IFMT == S_IFREG else { throw UserError(.noInput, "\(path) is not a file") }
    guard let handle = FileHandle(forReadingAtPath: path) else {
      throw UserError(.inputOutput, "\(path) cannot be read: \(reason)")
    }
    try StoredSize.check(handle.fileDescriptor, path: path)
    return (handle, Int(status.st_size))
  }

  private static var reason: String { String(cString: strerror(errno)) }

  /// All bytes of a small file.
  static func bytes(_ path: String) throws -> [UInt8] {
    let (handle, size) = try open(path)
    guard size <= largestDocument else {
      throw UserError(.data, "\(path) has \(size) bytes, and may have at most \(largestDocument)")
    }
    return try ForeignFile(path: path, handle: handle, size: size).bytes(from: 0, count: size)
  }

  private init(path: String, handle: FileHandle, size: Int) {
    self.path = path
    self.handle = handle
    self.size = size
  }

  /// Reads the list of tensors of a safetensors file.
  func entries() throws -> [SafeTensors.TensorEntry] {
    let length = try SafeTensors.headerLength(bytes(from: 0, count: min(8, size)), size: size, source: path)
    return try SafeTensors.entries(bytes(from: 8, count: length), size: size, source: path)
  }

  /// Reads a tensor's numbers.
  func read(_ entry: SafeTensors.TensorEntry, into numbers: UnsafeMutablePointer<Float>) throws {
    var place = entry.bytes.lowerBound
    var numbers = numbers
    while place < entry.bytes.upperBound {
      let count = min(Self.piece, entry.bytes.upperBound - place)
      let bytes = try bytes(from: place, count: count)
      numbers += bytes.withUnsafeBytes { SafeTensors.read($0, entry.storage, into: numbers) }
      place += count
    }
  }

  private func bytes(from start: Int, count: Int) throws -> [UInt8] {
    do {
      try handle.seek(toOffset: UInt64(start))
      let data = try handle.read(upToCount: count) ?? Data()
      guard data.count == count else { throw UserError(.data, "\(path) became shorter while it was read") }
      return [UInt8](data)
    } catch let error as UserError {
      throw error
    } catch {
      throw UserError(.inputOutput, "\(path) cannot be read: \(error.localizedDescription)")
    }
  }
}
