// A file that is read piece by piece while others may write to it. The file is not memory-mapped, so that a truncated
// file causes an error and no signal; a changed file is noticed at the next reading.
import Foundation
import Run

/// An open file, with its size and time of change when it was opened.
///
/// An open file stays readable when it is removed or replaced by another. When it is written to or truncated, its size
/// or time of change differs, and reading throws.
final class WatchedFile: Sendable {
  let path: String
  /// Bytes of the file.
  let size: Int
  /// The state of the file when it was opened.
  let stamp: FileStamp
  private let descriptor: Int32
  /// When it was last written to: seconds and nanoseconds.
  private let seconds, nanoseconds: Int
  /// Advice for the case that the file has changed.
  private let advice: String

  /// Opens a file.
  /// - Parameters:
  ///   - kind: the kind of file, for the error if it is something else.
  ///   - advice: advice for the case that the file has changed, to end a sentence.
  /// - Throws: `CorpusError` with the path, when the file is missing, unreadable or not a regular file.
  init(
    at path: String, kind: String = "token file", advice: String = "restore the file, and start again"
  ) throws(CorpusError) {
    // Without waiting for whoever writes to a pipe.
    var file = path.withFileName { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
    if file < 0 && errno == EMFILE || file >= Self.manyFiles {
      Self.allowMoreFiles()
      if file < 0 { file = path.withFileName { open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) } }
    }
    guard file >= 0 else { throw CorpusError.unreadable(path, errno) }
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      close(file)
      throw CorpusError(.unreadable, "\(path) is a folder, a device or a pipe, and must be a \(kind)")
    }
    self.path = path
    self.advice = advice
    descriptor = file
    size = Int(status.st_size)
    stamp = FileStamp(status)
    (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }

  deinit { close(descriptor) }

  /// From this number of open files on, the process raises its limit of open files.
  private static let manyFiles: Int32 = 512

  private static func allowMoreFiles() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0, limit.rlim_cur < limit.rlim_max else {
      return
    }
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }

  /// Fills `room` with the bytes from `offset` on.
  /// - Throws: `CorpusError` unreadable; or changed, when the file ends before.
  func read(from offset: Int, into room: UnsafeMutableRawBufferPointer) throws(CorpusError) {
    var done = 0
    while done < room.count {
      let count = pread(descriptor, room.baseAddress! + done, room.count - done, off_t(offset + done))
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw CorpusError.unreadable(path, errno) }
      guard count > 0 else {
        try check()
        throw CorpusError(.changed, "\(path) ended at byte \(offset + done) while it was being read; \(advice)")
      }
      done += count
    }
  }

  /// The bytes of a range.
  func bytes(_ range: Range<Int>) throws(CorpusError) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: range.count)
    try bytes.withUnsafeMutableBufferPointer { room throws(CorpusError) in
      try read(from: range.lowerBound, into: UnsafeMutableRawBufferPointer(room))
    }
    return bytes
  }

  /// Calls `take` with the bytes from `offset` to the end, in pieces of a multiple of 8 bytes; the last may be shorter.
  func forEachPiece(from offset: Int, _ take: (UnsafeRawBufferPointer) -> Void) throws(CorpusError) {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { room.deallocate() }
    // The kernel reads further ahead for whoever says that he reads in order.
    posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL)
    defer { posix_fadvise(descriptor, 0, 0, POSIX_FADV_NORMAL) }
    var place = offset
    while place < size {
      let piece = UnsafeMutableRawBufferPointer(rebasing: room[..<min(room.count, size - place)])
      try read(from: place, into: piece)
      take(UnsafeRawBufferPointer(piece))
      place += piece.count
    }
    try check()
  }

  /// Checks that the file has not changed.
  /// - Throws: `CorpusError.changed` with the difference.
  func check() throws(CorpusError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw CorpusError.unreadable(path, errno) }
    let now = Int(status.st_size)
    guard now == size else {
      throw CorpusError(
        .changed,
        "\(path) \(now < size ? "was truncated" : "grew") while it was in use: it has \(now) bytes, and had \(size); \(advice)"
      )
    }
    guard status.st_mtim.tv_sec == seconds, status.st_mtim.tv_nsec == nanoseconds else {
      throw CorpusError(.changed, "\(path) was written to while it was in use, at the same size; \(advice)")
    }
  }
}

extension CorpusError {
  /// The error for a file or folder that cannot be read, with the system's reason.
  static func unreadable(_ path: String, _ reason: Int32) -> CorpusError {
    CorpusError(
      reason == ENOENT || reason == ENOTDIR ? .missing : .unreadable,
      "\(path) cannot be read: \(String(cString: strerror(reason)))")
  }
}
