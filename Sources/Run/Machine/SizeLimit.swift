// Errors when a file cannot grow: the disk is full, or a limit on sizes is reached.
import Foundation

package enum SizeLimit {
  /// The most bytes that this process may make a file (`ulimit -f`); `Int.max` without a limit.
  package static var largest: Int {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0 else { return .max }
    return Int(clamping: limit.rlim_cur)
  }

  /// Advice after a failed write, to follow the kernel's reason; empty if there is none.
  /// - Parameter code: the error that the kernel gave.
  package static func advice(for code: Int32) -> String {
    switch code {
    case ENOSPC, EDQUOT: return ": free some space there"
    case EFBIG where largest < .max:
      return
        ": the limit on a file's size is \(largest) bytes (ulimit -f): raise it, for a waiting process with "
        + "“prlimit --pid \(getpid()) --fsize=unlimited”"
    case EFBIG: return ": the file system takes no larger file: choose another one"
    default: return ""
    }
  }

  /// The kernel's reason, and what to do.
  package static func reason(_ code: Int32) -> String { String(cString: strerror(code)) + advice(for: code) }
}
