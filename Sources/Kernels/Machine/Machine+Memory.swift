// How much memory this machine has for us, and how much of it we have taken.
import Glibc

extension Machine {
  /// Bytes of memory: what there is, and what could be taken now without pushing others out.
  package struct Memory: Sendable, Equatable {
    package var total: Int
    /// What the kernel says is available, or what is left of the control group's limit where that is less.
    package var available: Int
    /// The control group's limit; nil where there is none below `total`.
    package var limit: Int?

    package init(total: Int, available: Int, limit: Int? = nil) {
      self.total = total
      self.available = available
      self.limit = limit
    }
  }

  /// This machine's memory now; nil where /proc does not tell.
  package static var memory: Memory? {
    guard let text = contents(of: "/proc/meminfo"), let total = kilobytes("MemTotal", in: text),
      let available = kilobytes("MemAvailable", in: text)
    else { return nil }
    var memory = Memory(total: total, available: available)
    for group in ControlGroup.all(of: "memory", read: contents) {
      guard let limit = group.limit, limit < total else { continue }
      memory.limit = min(memory.limit ?? limit, limit)
      memory.available = min(memory.available, max(0, limit - group.used))
    }
    return memory
  }

  /// The most memory that this process has had at a time, bytes.
  package static var peakResident: Int? {
    contents(of: "/proc/self/status").flatMap { kilobytes("VmHWM", in: $0) }
  }

  /// The number of a line `key:  123 kB`, in bytes.
  private static func kilobytes(_ key: String, in text: String) -> Int? {
    for line in text.split(separator: "\n") where line.hasPrefix(key + ":") {
      return line.dropFirst(key.count + 1).split { $0 == " " || $0 == "\t" }.first.flatMap { Int($0) }.map { $0 * 1024 }
    }
    return nil
  }
}

extension ControlGroup {
  fileprivate var limit: Int? { number(isVersion2 ? "memory.max" : "memory.limit_in_bytes", read: Machine.contents) }

  /// What is in use and cannot be had by dropping cached files.
  fileprivate var used: Int {
    let all = number(isVersion2 ? "memory.current" : "memory.usage_in_bytes", read: Machine.contents) ?? 0
    let key = isVersion2 ? "inactive_file " : "total_inactive_file "
    let lines = Machine.contents(of: "\(folder)/memory.stat")?.split(separator: "\n") ?? []
    let cached = lines.first { $0.hasPrefix(key) }.flatMap { Int($0.dropFirst(key.count)) } ?? 0
    return max(0, all - cached)
  }
}
