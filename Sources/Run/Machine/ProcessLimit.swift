// Errors when the kernel refuses a thread or process: the limit that is reached, and what to do.
import Foundation

package enum ProcessLimit {
  /// The limit that prevents a new thread or process, in words.
  /// - Parameters:
  ///   - code: the error that the kernel gave.
  ///   - stackSize: bytes of address space that it needed.
  package static func words(for code: Int32, stackSize: Int = 0) -> String {
    if let group = fullGroup {
      return "\(group.file) allows \(group.most) threads and processes, and all are taken: raise it, or end others"
    }
    if let space = addressSpace, space.used + stackSize > space.most {
      return
        "ulimit -v (RLIMIT_AS) allows \(space.most >> 20) MiB, and \(space.used >> 20) are taken: raise it, or lift it with "
        + "“ulimit -v unlimited”"
    }
    var limit = rlimit()
    if code == EAGAIN, getuid() != 0, getrlimit(__rlimit_resource_t(__RLIMIT_NPROC.rawValue), &limit) == 0,
      limit.rlim_cur < rlim_t(Int32.max)
    {
      return
        "ulimit -u (RLIMIT_NPROC) allows this user \(limit.rlim_cur) threads and processes: raise it, or end others"
    }
    return
      "\(String(cString: strerror(code))): the machine gives no more threads, or no memory for one: end other programs"
  }

  /// The limit and the use of this process's address space, in bytes; nil if there is no limit.
  package static var addressSpace: (most: Int, used: Int)? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int.max),
      let used = usedSpace
    else { return nil }
    return (Int(limit.rlim_cur), used)
  }

  /// The program's address space at its start (at the first use of this constant): the program and its libraries.
  /// Planned memory comes on top of it.
  package static let spaceAtStart = usedSpace ?? 0

  private static var usedSpace: Int? {
    SystemFile.text("/proc/self/statm")?.split(separator: " ").first.flatMap { Int($0) }.map { $0 * Int(getpagesize()) }
  }

  /// The default size of a thread's stack in bytes, as of libgomp's threads.
  package static var stackSize: Int {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    var size = 0
    pthread_attr_getstacksize(&attributes, &size)
    return size
  }

  /// The control group, this process's or one above it, whose `pids.max` is reached.
  private static var fullGroup: (file: String, most: Int)? {
    for group in ControlGroup.all(of: "pids", read: SystemFile.text) {
      guard let most = group.number("pids.max", read: SystemFile.text),
        let current = group.number("pids.current", read: SystemFile.text), current >= most
      else { continue }
      return (group.folder + "/pids.max", most)
    }
    return nil
  }
}
