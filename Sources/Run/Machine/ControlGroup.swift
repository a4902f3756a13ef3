// The control groups that this process is in: what limits its memory, its CPU time and its threads, in version 1, version 2,
// and where both are mounted. The kernel's files are read through a function, so that tests hand over texts.

/// A control group, version 1 or 2, by the folder in which its limits are.
struct ControlGroup: Equatable {
  let folder: String
  let isVersion2: Bool

  /// This process's groups of a controller and all above them, as far as they can be seen.
  /// - Parameters:
  ///   - controller: `cpu`, `memory`, `pids`. Version 2 has one tree for all.
  ///   - read: the text of a file; nil where it cannot be read.
  static func all(of controller: String, read: (String) -> String?) -> [ControlGroup] {
    let mounts = (read("/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap { Mount(String($0)) }
    let lines = (read("/proc/self/cgroup") ?? "").split(separator: "\n")
    return lines.flatMap { line -> [ControlGroup] in
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { return [] }
      let isVersion2 = parts[0] == "0" && parts[1].isEmpty
      guard isVersion2 || parts[1].split(separator: ",").contains(Substring(controller)) else { return [] }
      let mount = mounts.first { isVersion2 ? $0.isVersion2 : $0.controllers.contains(controller) }
      guard let mount else { return [] }
      return mount.folders(of: String(parts[2])).map { ControlGroup(folder: $0, isVersion2: isVersion2) }
    }
  }

  /// A file of one number; nil where there is none, or no limit.
  func number(_ file: String, read: (String) -> String?) -> Int? {
    read("\(folder)/\(file)").flatMap { Int($0.split(separator: "\n").first ?? "") }
  }

  /// How many CPUs' time the group may take; nil where it is not limited.
  func quota(read: (String) -> String?) -> Double? {
    let time: Int?
    let period: Int?
    if isVersion2 {
      let words = (read("\(folder)/cpu.max") ?? "").split { $0 == " " || $0 == "\n" }
      time = words.first.flatMap { Int($0) }
      period = words.count > 1 ? Int(words[1]) : 100_000
    } else {
      time = number("cpu.cfs_quota_us", read: read)
      period = number("cpu.cfs_period_us", read: read)
    }
    // Version 1 says -1 for no limit, version 2 “max”.
    guard let time, let period, time > 0, period > 0 else { return nil }
    return Double(time) / Double(period)
  }
}

/// A mounted tree of control groups: a line of /proc/self/mountinfo.
private struct Mount {
  /// The group that is seen at `point`: `/`, or in a container its own.
  let root: String
  let point: String
  let isVersion2: Bool
  /// Those of version 1.
  let controllers: Set<String>

  /// Nil for a file system of another kind.
  init?(_ line: String) {
    let halves = line.split(separator: " - ", maxSplits: 1)
    guard halves.count == 2 else { return nil }
    let place = halves[0].split(separator: " ")
    let kind = halves[1].split(separator: " ", omittingEmptySubsequences: false)
    guard place.count >= 5, kind.count >= 3, kind[0] == "cgroup" || kind[0] == "cgroup2" else { return nil }
    root = Self.unescaped(place[3])
    point = Self.unescaped(place[4])
    isVersion2 = kind[0] == "cgroup2"
    controllers = Set(kind[2].split(separator: ",").map(String.init))
  }

  /// The folders of a group and of all above it, up to where the tree is mounted. What lies outside of the part that is
  /// mounted, as in a container without a name space of its own for groups, is taken to be the mounted part itself.
  func folders(of group: String) -> [String] {
    let prefix = root == "/" ? "" : root
    var path = ""
    if group == prefix || group.hasPrefix(prefix + "/"), !group.split(separator: "/").contains("..") {
      path = String(group.dropFirst(prefix.count))
    }
    var folders: [String] = []
    while path.count > 1, let slash = path.lastIndex(of: "/") {
      folders.append(point + path)
      path = String(path[..<slash])
    }
    return folders + [point]
  }

  /// Spaces and the like are written as `\040`.
  private static func unescaped(_ text: Substring) -> String {
    var bytes: [UInt8] = []
    var rest = Array(text.utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "\\"), rest.count >= 3,
        let code = UInt8(String(decoding: rest.prefix(3), as: UTF8.self), radix: 8)
      {
        bytes.append(code)
        rest = rest.dropFirst(3)
      } else {
        bytes.append(byte)
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
