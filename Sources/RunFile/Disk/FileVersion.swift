// What tells two states of a file apart.
import Glibc

/// Node, size and times of a file, which change when the file is replaced or changes in place.
struct FileVersion: Hashable {
  let node: UInt64
  let size, modified, changed: Int

  init(_ status: stat) {
    func nanoseconds(_ time: timespec) -> Int { time.tv_sec &* 1_000_000_000 &+ time.tv_nsec }
    (node, size) = (UInt64(status.st_ino), Int(status.st_size))
    (modified, changed) = (nanoseconds(status.st_mtim), nanoseconds(status.st_ctim))
  }
}
