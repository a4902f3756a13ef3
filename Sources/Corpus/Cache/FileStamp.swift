// Tells whether a file is as it was at an earlier start, without reading it.
import Foundation

/// The state of a file: its place on the disk, its size, and the times of the last changes of its content and of its status.
/// Programs cannot set the latter, so that a change which keeps size and modification time is noticed too.
struct FileStamp: Sendable {
  /// Half of the SHA-256 of all of these.
  let words: SIMD2<UInt64>
  /// True if the last change is long enough ago that a further one has another time.
  let isSettled: Bool

  /// Seconds within which two changes may have the same time on some file systems.
  private static let grain = 2.0

  /// - Parameter isJSONLines: true if the file's name says so, which decides what its text is.
  init(_ status: stat, isJSONLines: Bool = false) {
    var digest = Digest()
    digest.add(number: isJSONLines ? 1 : 0)
    let times = [status.st_mtim, status.st_ctim]
    for number in [Int(truncatingIfNeeded: status.st_dev), Int(truncatingIfNeeded: status.st_ino), Int(status.st_size)]
      + times.flatMap({ [$0.tv_sec, $0.tv_nsec] })
    { digest.add(number: number) }
    words = digest.finished().withUnsafeBytes { $0.loadUnaligned(as: SIMD2<UInt64>.self) }
    let last = times.map { Double($0.tv_sec) + Double($0.tv_nsec) / 1e9 }.max() ?? .infinity
    isSettled = last + Self.grain <= Date().timeIntervalSince1970
  }

  /// Nil if there is no such file.
  init?(at path: String, isJSONLines: Bool = false) {
    var status = stat()
    guard path.withFileName({ stat($0, &status) }) == 0 else { return nil }
    self.init(status, isJSONLines: isJSONLines)
  }
}
