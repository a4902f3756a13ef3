// A file that is read a piece at a time while others may write to it. Nothing of it is mapped: one that is cut short ends in an
// error with a sentence, never in a signal, and one that was changed is noticed at the next reading.
import Foundation
import Run

/// An open file, and what it was when it was opened.
///
/// Whoever has a file open keeps it when it is removed or another one takes its name. One that is written to or cut short is no
/// longer the file that was examined: its size or its time of change differs, and reading throws.
final class WatchedFile: Sendable {
  let path: String
  /// Bytes of the file.
  let size: Int
  private let descriptor: Int32
  /// When it was last written to: seconds and nanoseconds.
  private let seconds, nanoseconds: Int
  /// What to do when it has changed.
  private let advice: String

  /// Opens a file.
  /// - Parameters:
  ///   - kind: what the file must be, to say that it is something else.
  ///   - advice: what to do when it has changed, to end a sentence.
  /// - Throws: `CorpusError` with the path, where a file is missing, unreadable or no plain file.
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
    (seconds, nanoseconds) = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
  }

  deinit { close(descriptor) }

  /// From so many open files on, the process asks for as many as it may have.
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
  /// - Throws: `CorpusError` unreadable, or changed where the file ends before.
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

  /// Hands on the bytes from `offset` to the end, a piece of a whole number of 8 bytes at a time; the last may be shorter.
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

  /// Looks whether the file is what it was.
  /// - Throws: `CorpusError.changed` with what is different.
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
  /// A file or folder that the system does not let be read, with its reason.
  static func unreadable(_ path: String, _ reason: Int32) -> CorpusError {
    CorpusError(
      reason == ENOENT || reason == ENOTDIR ? .missing : .unreadable,
      "\(path) cannot be read: \(String(cString: strerror(reason)))")
  }
}
