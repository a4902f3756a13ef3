// Why the kernel makes no thread or process more: which of the limits it is, and what to do.
import Foundation

package enum ProcessLimit {
  /// What keeps a thread or a process from being made.
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
        "ulimit -u (RLIMIT_NPROC) allows this user \(limit.rlim_cur) threads and processes: raise it, end others, or take fewer "
        + "with --threads"
    }
    return
      "\(String(cString: strerror(code))): the machine gives no more threads, or no memory for one; end other programs, or take "
      + "fewer with --threads"
  }

  /// The address space that this process may have and has, bytes; nil where it is not limited.
  package static var addressSpace: (most: Int, used: Int)? {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0, limit.rlim_cur < rlim_t(Int.max),
      let pages = line(of: "/proc/self/statm")?.split(separator: " ").first.flatMap({ Int($0) })
    else { return nil }
    return (Int(limit.rlim_cur), pages * Int(getpagesize()))
  }

  /// The control group, this process's or one above it, whose `pids.max` is reached.
  private static var fullGroup: (file: String, most: Int)? {
    guard let text = try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8) else { return nil }
    for entry in text.split(separator: "\n") {
      let parts = entry.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isVersion2 = parts[0] == "0" && parts[1].isEmpty
      guard isVersion2 || parts[1].split(separator: ",").contains("pids") else { continue }
      let root = "/sys/fs/cgroup" + (isVersion2 ? "" : "/pids")
      var path = String(parts[2])
      while true {
        let folder = root + (path == "/" ? "" : path)
        if let most = line(of: folder + "/pids.max").flatMap({ Int($0) }),
          let current = line(of: folder + "/pids.current").flatMap({ Int($0) }), current >= most
        {
          return (folder + "/pids.max", most)
        }
        guard path != "/", path.hasPrefix("/") else { break }
        path = path.parentFolder.isEmpty ? "/" : path.parentFolder
      }
    }
    return nil
  }

  private static func line(of path: String) -> String? {
    (try? String(contentsOfFile: path, encoding: .utf8))?.split(separator: "\n").first.map(String.init)
  }
}
