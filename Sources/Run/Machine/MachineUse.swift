// The machine's load by the process that trains and by others, sampled from /proc.
import Glibc

/// The machine's load, averaged since the previous sample.
package struct MachineUse: Sendable, Equatable {
  /// A process other than the one that trains.
  package struct Other: Sendable, Equatable {
    package var name: String
    /// CPUs that it keeps busy.
    package var load: Double

    package init(name: String, load: Double) { (self.name, self.load) = (name, load) }
  }

  /// CPUs that the process keeps busy: 1.9 of two.
  package var own: Double
  /// CPUs that all others keep busy together.
  package var others: Double
  /// Number of CPUs.
  package var processors: Int
  /// The busiest other process; nil if none uses a twentieth of a CPU.
  package var busiest: Other?
  /// Bytes of memory that the process has.
  package var resident: Int
  package var memory: MachineMemory?
  package var threads: Int
  /// Free bytes on the run's disk; nil if unknown.
  package var freeDisk: Int?

  package init(
    own: Double, others: Double, processors: Int, busiest: Other? = nil, resident: Int, memory: MachineMemory? = nil,
    threads: Int, freeDisk: Int? = nil
  ) {
    (self.own, self.others, self.processors, self.busiest) = (own, others, processors, busiest)
    (self.resident, self.memory, self.threads, self.freeDisk) = (resident, memory, threads, freeDisk)
  }
}

/// Samples the machine's load from /proc.
package struct MachineSampler: Sendable {
  /// The CPU time of a process, seconds, and its name.
  private struct Process {
    let name: String
    let time: Double
    let threads: Int
  }

  /// What was counted at the last look.
  private struct Count {
    let instant: ContinuousClock.Instant
    let busy: Double
    let processes: [Int: Process]
  }

  private var last: Count?
  package let folder: String
  /// The number of the process that trains.
  package let process: Int

  private static let ticks = Double(sysconf(CInt(_SC_CLK_TCK)))
  private static let page = sysconf(CInt(_SC_PAGESIZE))
  /// What a process takes at least to be named, CPUs.
  private static let mentioned = 0.05

  /// - Parameters:
  ///   - folder: a folder on the disk whose free space matters.
  ///   - process: the number of the process that trains; nil: this one.
  package init(folder: String, process: Int? = nil) {
    self.folder = folder
    self.process = process ?? Int(getpid())
  }

  /// True if the last sample did not find the process: it has ended, or its numbers are hidden from this user.
  package var isProcessHidden: Bool { last?.processes[process] == nil }

  /// The load since the previous sample; nil for the first sample, and if /proc cannot be read.
  package mutating func next() -> MachineUse? {
    let before = last
    guard let busy = Self.busySeconds() else { return nil }
    let now = Count(instant: .now, busy: busy, processes: Self.processes())
    last = now
    guard let before else { return nil }
    let seconds = max((now.instant - before.instant) / .seconds(1), 1e-3)
    func load(_ id: Int, _ process: Process) -> Double {
      Self.load(process.time, before: before.processes[id]?.time, in: seconds)
    }
    guard before.processes[process] != nil, let this = now.processes[process] else { return nil }
    let own = load(process, this)
    let busiest = now.processes.filter { $0.key != process }
      .map { MachineUse.Other(name: $0.value.name, load: load($0.key, $0.value)) }
      .max { $0.load < $1.load }.flatMap { $0.load >= Self.mentioned ? $0 : nil }
    let statm = SystemFile.text("/proc/\(process)/statm")?.split(separator: " ").dropFirst().first.flatMap { Int($0) }
    return MachineUse(
      own: own, others: max((now.busy - before.busy) / seconds - own, 0),
      processors: sysconf(CInt(_SC_NPROCESSORS_ONLN)), busiest: busiest, resident: (statm ?? 0) * Self.page,
      memory: MachineMemory.current, threads: this.threads, freeDisk: freeDisk)
  }

  /// CPUs that a process kept busy.
  /// - Parameters:
  ///   - time: the CPU seconds that it has used.
  ///   - before: the same at the sample before; nil for a process that began meanwhile, as compilers do: all of `time` is new.
  static func load(_ time: Double, before: Double?, in seconds: Double) -> Double {
    max(time - (before ?? 0), 0) / seconds
  }

  private var freeDisk: Int? {
    var status = statvfs()
    guard statvfs(folder, &status) == 0 else { return nil }
    return Int(status.f_bavail) * Int(status.f_frsize)
  }

  /// Seconds that all CPUs have computed since the machine began.
  private static func busySeconds() -> Double? {
    guard let line = SystemFile.text("/proc/stat")?.split(separator: "\n").first, line.hasPrefix("cpu ") else {
      return nil
    }
    // user nice system idle iowait irq softirq steal: what waits for a disk or does nothing is not busy.
    let counts = line.split(separator: " ").dropFirst().compactMap { Double($0) }
    guard counts.count >= 7 else { return nil }
    return (counts[0] + counts[1] + counts[2] + counts[5] + counts[6]) / ticks
  }

  private static func processes() -> [Int: Process] {
    guard let folder = opendir("/proc") else { return [:] }
    defer { closedir(folder) }
    var processes: [Int: Process] = [:]
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      guard let id = Int(name), let text = SystemFile.text("/proc/\(id)/stat"), let process = process(text) else {
        continue
      }
      processes[id] = process
    }
    return processes
  }

  /// A process of its line in /proc/PID/stat, whose name may have spaces and brackets.
  private static func process(_ text: String) -> Process? {
    guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")"), open < close else { return nil }
    let fields = text[text.index(after: close)...].split(separator: " ")
    // From the third field on, the state: the 14th and 15th are the CPU time, the 20th counts threads.
    guard fields.count > 17, let user = Double(fields[11]), let system = Double(fields[12]),
      let threads = Int(fields[17])
    else { return nil }
    return Process(
      name: String(text[text.index(after: open)..<close]), time: (user + system) / ticks, threads: threads)
  }
}

extension MachineUse {
  /// Bytes that are free for this user on the disk of a folder; nil where that is not known.
  package static func freeDisk(at folder: String) -> Int? {
    var status = statvfs()
    guard statvfs(folder, &status) == 0, status.f_blocks > 0 else { return nil }
    let blocks = Int(clamping: geteuid() == 0 ? status.f_bfree : status.f_bavail)
    let (bytes, isTooMany) = blocks.multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
    return isTooMany ? .max : bytes
  }
}
