// The memory of this machine.
import Glibc

/// Bytes of memory: total, and available without displacing other programs.
package struct MachineMemory: Sendable, Equatable {
  package var total: Int
  /// Available bytes: the kernel's estimate, or the rest of the control group's limit, if that is less.
  package var available: Int
  /// The control group's limit; nil if it is not below `total`.
  package var limit: Int?

  /// This machine's current memory; nil if /proc cannot be read.
  package static var current: MachineMemory? {
    guard let text = SystemFile.text("/proc/meminfo"), let total = SystemFile.bytes("MemTotal", in: text),
      let available = SystemFile.bytes("MemAvailable", in: text)
    else { return nil }
    var memory = MachineMemory(total: total, available: available)
    for group in ControlGroup.all(of: "memory", read: SystemFile.text) {
      guard let limit = group.limit, limit < total else { continue }
      memory.limit = min(memory.limit ?? limit, limit)
      memory.available = min(memory.available, max(0, limit - group.used))
    }
    return memory
  }

  /// Peak memory of this process in bytes; nil if /proc cannot be read.
  package static var peakOfProcess: Int? {
    SystemFile.text("/proc/self/status").flatMap { SystemFile.bytes("VmHWM", in: $0) }
  }
}

extension ControlGroup {
  fileprivate var limit: Int? {
    number(isVersion2 ? "memory.max" : "memory.limit_in_bytes", read: SystemFile.text)
  }

  /// What is in use and cannot be had by dropping cached files.
  fileprivate var used: Int {
    let all = number(isVersion2 ? "memory.current" : "memory.usage_in_bytes", read: SystemFile.text) ?? 0
    let key = isVersion2 ? "inactive_file " : "total_inactive_file "
    let lines = SystemFile.text("\(folder)/memory.stat")?.split(separator: "\n") ?? []
    let cached = lines.first { $0.hasPrefix(key) }.flatMap { Int($0.dropFirst(key.count)) } ?? 0
    return max(0, all - cached)
  }
}
