// Threads by default: cores, affinity and quotas, read from texts as kernels and container engines write them.
@testable import Run
import Testing

@Suite struct ProcessorTests {
  /// A machine's files, and what comes of them.
  struct MachineFiles: CustomTestStringConvertible, Sendable {
    let testDescription: String
    var affinity: [Int]
    var files: [String: String] = [:]
    let cores: Int
    let quota: Double?
    let threads: Int
  }

  private static func siblings(_ lists: [String], file: String = "thread_siblings_list") -> [String: String] {
    Dictionary(
      uniqueKeysWithValues: lists.enumerated().map { ("/sys/devices/system/cpu/cpu\($0)/topology/\(file)", $1 + "\n") })
  }

  private static let v1 = """
    31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
    32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
    35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory
    """
  private static let v2 =
    "31 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate"

  private static func files(_ cgroup: String, _ mounts: String, _ others: [String: String]) -> [String: String] {
    others.merging(["/proc/self/cgroup": cgroup, "/proc/self/mountinfo": mounts]) { $1 }
  }

  static let samples = [
    MachineFiles(testDescription: "nothing can be read", affinity: [0, 1, 2], cores: 3, quota: nil, threads: 3),
    MachineFiles(testDescription: "not even the affinity", affinity: [], cores: 1, quota: nil, threads: 1),
    MachineFiles(
      testDescription: "four cores of two hyperthreads each", affinity: Array(0..<8),
      files: siblings(["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"]), cores: 4, quota: nil, threads: 4),
    MachineFiles(
      testDescription: "the newer name of the list", affinity: Array(0..<4),
      files: siblings(["0-1", "0-1", "2-3", "2-3"], file: "core_cpus_list"), cores: 2, quota: nil, threads: 2),
    MachineFiles(
      testDescription: "an affinity to one core's two hyperthreads", affinity: [1, 5],
      files: siblings(["0,4", "1,5", "2,6", "3,7", "0,4", "1,5", "2,6", "3,7"]), cores: 1, quota: nil, threads: 1),
    MachineFiles(
      testDescription: "version 1, a quota of the group above", affinity: Array(0..<8),
      files: files(
        "4:cpu,cpuacct:/slurm/job_7/step_0\n0::/", v1,
        [
          "/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/step_0/cpu.cfs_quota_us": "-1\n",
          "/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/step_0/cpu.cfs_period_us": "100000\n",
          "/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us": "250000\n",
          "/sys/fs/cgroup/cpu,cpuacct/slurm/job_7/cpu.cfs_period_us": "100000\n",
        ]), cores: 8, quota: 2.5, threads: 3),
    MachineFiles(
      testDescription: "version 1 in a container, whose path is not the one that is mounted", affinity: Array(0..<8),
      files: files(
        "4:cpu,cpuacct:/docker/abc", v1.replacing("0:29 / ", with: "0:29 /docker/abc "),
        [
          "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "400000\n",
          "/sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        ]), cores: 8, quota: 4, threads: 4),
    MachineFiles(
      testDescription: "version 1, another container's part is mounted", affinity: [0, 1],
      files: files(
        "4:cpu:/../../kubepods/pod1", "32 31 0:29 /.. /cg rw - cgroup cgroup rw,cpu",
        ["/cg/cpu.cfs_quota_us": "20000", "/cg/cpu.cfs_period_us": "100000"]), cores: 2, quota: 0.2, threads: 1),
    MachineFiles(
      testDescription: "version 2, the least of three", affinity: Array(0..<8),
      files: files(
        "0::/user.slice/app.scope", v2,
        [
          "/sys/fs/cgroup/user.slice/app.scope/cpu.max": "max 100000\n",
          "/sys/fs/cgroup/user.slice/cpu.max": "600000 100000\n",
          "/sys/fs/cgroup/cpu.max": "700000 100000\n",
        ]), cores: 8, quota: 6, threads: 6),
    MachineFiles(
      testDescription: "version 2 in a container with a name space of its own", affinity: Array(0..<64),
      files: files("0::/", v2, ["/sys/fs/cgroup/cpu.max": "150000 50000\n"]), cores: 64, quota: 3, threads: 3),
    MachineFiles(
      testDescription: "version 2 without a period", affinity: [0, 1],
      files: files("0::/", v2, ["/sys/fs/cgroup/cpu.max": "50000"]), cores: 2, quota: 0.5, threads: 1),
    MachineFiles(
      testDescription: "both versions, the time is limited by the first", affinity: Array(0..<4),
      files: files(
        "1:cpu:/job\n0::/job",
        "1 2 0:1 / /cg/cpu rw - cgroup cgroup rw,cpu\n3 2 0:2 / /cg/unified rw - cgroup2 cgroup2 rw",
        ["/cg/cpu/job/cpu.cfs_quota_us": "100000", "/cg/cpu/job/cpu.cfs_period_us": "50000"]), cores: 4, quota: 2,
      threads: 2),
    MachineFiles(
      testDescription: "a place with a space in its name", affinity: [0, 1, 2],
      files: files(
        "0::/a", #"1 2 0:1 / /my\040groups rw - cgroup2 cgroup2 rw"#, ["/my groups/a/cpu.max": "200000 100000"]),
      cores: 3,
      quota: 2, threads: 2),
    MachineFiles(
      testDescription: "numbers that nobody writes", affinity: [0, 1],
      files: files(
        "0::/a", v2, ["/sys/fs/cgroup/a/cpu.max": "9223372036854775807 1", "/sys/fs/cgroup/cpu.max": "x y z"]),
      cores: 2, quota: 9_223_372_036_854_775_808, threads: 2),
    MachineFiles(
      testDescription: "lines that are none", affinity: [0, 1],
      files: files("\n:\nx:cpu\n4:cpu:\n0::", "\n - \n1 2 - cgroup2\n" + v2, ["/sys/fs/cgroup/cpu.max": "0 0"]),
      cores: 2,
      quota: nil, threads: 2),
  ]

  @Test(arguments: samples)
  func `threads are cores within affinity and quota`(sample: MachineFiles) {
    let processors = Processors(affinity: sample.affinity) { sample.files[$0] }
    #expect(processors.cores == sample.cores)
    #expect(processors.quota == sample.quota)
    #expect(processors.threads == sample.threads)
    #expect(processors.threads <= processors.usefulThreads && processors.usefulThreads <= processors.mostThreads)
  }

  @Test func `this machine has a processor, and its memory is seen through the same groups`() {
    let processors = Processors.current
    #expect(processors.allowed >= 1 && processors.cores <= processors.allowed)
    #expect(MachineMemory.current.map { $0.available <= $0.total } == true)
  }

  @Test func `the load is that of the process that is asked for`() throws {
    guard SystemFile.text("/proc/1/stat") != nil else { return }
    var sampler = MachineSampler(folder: "/", process: 1)
    let first = sampler.next()
    #expect(first == nil && !sampler.isProcessHidden)
    let second = sampler.next()
    let use = try #require(second)
    #expect(use.threads >= 1 && use.resident > 0 && use.own >= 0 && use.freeDisk != nil)
    // No process has such a number.
    var hidden = MachineSampler(folder: "/", process: 1 << 40)
    for _ in 0..<2 {
      let nothing = hidden.next()
      #expect(nothing == nil && hidden.isProcessHidden)
    }
  }

  @Test func `a process that began since the last sample counts with all that it computed`() {
    #expect(MachineSampler.load(7.5, before: 6.5, in: 2) == 0.5)
    #expect(MachineSampler.load(1.5, before: nil, in: 2) == 0.75)
    // Another process with the number of one that ended.
    #expect(MachineSampler.load(0.5, before: 9, in: 1) == 0)
  }

  @Test func `the machine's limit is that of its products, for all of a token's operations`() {
    let limit = MachineLimit(operationsPerSecond: 4e11, operationsPerToken: 8e7)
    #expect(limit.tokensPerSecond == 5000 && limit.seconds(of: 2500) == 0.5)
    #expect(limit.line == "limit 5 000 tokens/s: the matrix products alone, 400 GFLOP/s")
  }

  /// Foundation's count knows nothing of quotas.
  @Test func `those who share work count processors as the computing threads do`() {
    #expect(Processors.helpers == Processors.current.usefulThreads)
  }

  @Test func `the kernel's list of CPUs is read`() {
    let status = "Name:\tx\nCpus_allowed:\tff\nCpus_allowed_list:\t0-2,8,10-11\n"
    #expect(Processors.affinity(status) == [0, 1, 2, 8, 10, 11])
    for text in ["", "Cpus_allowed_list:", "Cpus_allowed_list:\t-", "Cpus_allowed_list:\t5-2,x"] {
      #expect(Processors.affinity(text).isEmpty, "\(text)")
    }
  }

  @Test func `some more threads than CPUs are taken, and not any number`() {
    #expect(Processors(allowed: 1, cores: 1).mostThreads == 16)
    #expect(Processors(allowed: 48, cores: 24).mostThreads == 192)
    #expect(Processors(allowed: 2000, cores: 2000).mostThreads == 1024)
  }
}
