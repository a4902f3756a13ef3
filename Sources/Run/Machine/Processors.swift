// The default number of compute threads: one per physical core that this process may use, within the CPU quotas of its
// control groups. More threads would only wait for each other.
import Glibc

/// The processors that this process may use.
package struct Processors: Sendable, Equatable {
  /// Number of CPUs in this process's affinity, including hyperthreads.
  package var allowed: Int
  /// Number of physical cores among them.
  package var cores: Int
  /// The least quota of its control groups, in CPUs; nil without one.
  package var quota: Double?

  /// The default number of compute threads.
  package var threads: Int { limited(cores) }

  /// The most threads that do not wait for each other, including hyperthreads, which gain little and cost little.
  package var usefulThreads: Int { limited(allowed) }

  private func limited(_ count: Int) -> Int {
    guard let quota else { return count }
    return min(count, max(1, Int(min(quota, 65_536).rounded(.up))))
  }

  /// The most threads that are accepted: more than there are CPUs, so that a run from a larger machine can be continued
  /// with bit-identical losses.
  package var mostThreads: Int { min(max(16, 4 * allowed), 1024) }

  /// `2 CPUs`, `8 CPUs with a quota of 1.5 CPUs (of a control group)`.
  package var words: String {
    let cpus = "\(allowed) \(allowed == 1 ? "CPU" : "CPUs")"
    guard let quota, quota < Double(allowed) else { return cpus }
    return "\(cpus) with a quota of \((quota * 100).rounded() / 100) CPUs (of a control group)"
  }

  /// This process's processors, as they are now.
  package static var current: Processors {
    let cpus = affinity(SystemFile.text("/proc/thread-self/status") ?? "")
    let online = Array(0..<max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))))
    return Processors(affinity: cpus.isEmpty ? online : cpus, read: SystemFile.text)
  }

  /// The numbers in a thread's list of CPUs, `Cpus_allowed_list: 0-3,8`; empty where a text has none.
  static func affinity(_ status: String) -> [Int] {
    let key = "Cpus_allowed_list:"
    guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(key) }) else { return [] }
    return line.dropFirst(key.count).split { ", \t".contains($0) }.flatMap { range -> [Int] in
      let ends = range.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, (0...last).contains(first), last < 1 << 20 else { return [] }
      return Array(first...last)
    }
  }

  /// How many threads share work that is not the network's: `usefulThreads`, as it was when somebody first asked.
  package static let helpers = current.usefulThreads
}

// In an extension, so that the struct keeps the initialiser with all its values.
extension Processors {
  /// - Parameters:
  ///   - cpus: numbers of the CPUs in the process's affinity.
  ///   - read: the text of a file of the kernel's; nil where it cannot be read.
  package init(affinity cpus: [Int], read: (String) -> String?) {
    allowed = max(1, cpus.count)
    // Hyperthreads of one core have the same list of siblings.
    cores = max(
      1,
      Set(
        cpus.map { cpu in
          let topology = "/sys/devices/system/cpu/cpu\(cpu)/topology/"
          let siblings = read(topology + "core_cpus_list") ?? read(topology + "thread_siblings_list") ?? ""
          return siblings.split(separator: "\n").first.map(String.init) ?? "\(cpu)"
        }
      ).count)
    quota = ControlGroup.all(of: "cpu", read: read).compactMap { $0.quota(read: read) }.min()
  }
}
