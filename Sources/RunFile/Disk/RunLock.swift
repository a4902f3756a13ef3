// A run has one writer: it holds run.lock during a session, and writes its process and host into the file. The kernel
// releases the lock when the process ends, however it ends.
import Foundation
import Run

struct RunLock: ~Copyable {
  private let file: FileDescriptor

  /// Takes the lock of a run's folder.
  /// - Throws: `UserError` naming the process that holds the lock.
  init(folder: String) throws {
    let path = RunFolder(folder).lock
    let file = try FileDescriptor(opening: path, O_RDWR | O_CREAT)
    // A reader that checks whether the run is live holds the lock for an instant, and is not a second writer.
    var tries = 0
    while flock(file.number, LOCK_EX | LOCK_NB) != 0 {
      guard errno == EWOULDBLOCK || errno == EINTR else { throw Failure("lock", path).error }
      tries += 1
      if tries > 20 {
        let holder = Self.holder(try file.read(at: 0, count: 400))
        let name = (folder as NSString).lastPathComponent
        throw UserError(
          .unavailable, "run “\(name)” is being written by \(holder): stop that one first, or wait until it ends")
      }
      usleep(10_000)
    }
    try file.resize(to: 0)
    try file.write(Array("\(getpid()) \(Host.name)\n".utf8), at: 0)
    self.file = file
  }

  /// True if a process holds the lock. Takes the lock for an instant.
  static func isHeld(folder: String) -> Bool {
    guard let file = try? FileDescriptor(opening: RunFolder(folder).lock, O_RDONLY) else { return false }
    if flock(file.number, LOCK_SH | LOCK_NB) == 0 {
      flock(file.number, LOCK_UN)
      return false
    }
    return errno == EWOULDBLOCK
  }

  /// The number and the host of the process that wrote the lock file last; nil without a lock file.
  static func writer(folder: String) -> StoredRun.RunWriter? {
    guard let file = try? FileDescriptor(opening: RunFolder(folder).lock, O_RDONLY) else { return nil }
    return (try? file.read(at: 0, count: 400)).flatMap(writer(_:))
  }

  private static func writer(_ content: [UInt8]) -> StoredRun.RunWriter? {
    let words = String(decoding: content, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    guard words.count >= 2, let process = Int(words[0]) else { return nil }
    return StoredRun.RunWriter(process: process, host: String(words[1]))
  }

  private static func holder(_ content: [UInt8]) -> String {
    writer(content).map { "process \($0.process) on host \($0.host)" } ?? "another process"
  }
}

extension StoredRun {
  /// A process that writes a run.
  package struct RunWriter: Sendable, Equatable {
    package let process: Int
    package let host: String

    /// True if the process is one of this machine's.
    package var isHere: Bool { host == Host.name }
  }

  /// True if a process writes or begins the run now.
  package static func isBeingWritten(_ folder: String) -> Bool { RunLock.isHeld(folder: folder) }

  /// The process that writes or begins the run now; nil if none does.
  package static func writer(of folder: String) -> RunWriter? {
    isBeingWritten(folder) ? RunLock.writer(folder: folder) : nil
  }
}

enum Host {
  /// The machine's name.
  static var name: String {
    var buffer = [CChar](repeating: 0, count: 256)
    gethostname(&buffer, 255)
    return String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
