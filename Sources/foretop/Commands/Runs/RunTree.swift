// Branches below the runs that they come from, in whatever order runs are listed.
import RunFile

enum RunTree {
  /// A run in the list, and how many runs it comes from that are listed above it.
  struct ListedRun {
    let name: String
    let depth: Int
  }

  /// Puts branches behind their parents. Those of a parent keep their order among each other; one whose parent is not in the
  /// list stays where it is.
  /// - Parameters:
  ///   - names: in their order.
  ///   - parent: of a run; nil where it has none, or that is not known.
  static func listed(_ names: [String], parent: (String) -> String?) -> [ListedRun] {
    let known = Set(names)
    var branches: [String: [String]] = [:]
    var roots: [String] = []
    for name in names {
      if let parent = parent(name), parent != name, known.contains(parent) {
        branches[parent, default: []].append(name)
      } else {
        roots.append(name)
      }
    }
    guard !branches.isEmpty else { return names.map { ListedRun(name: $0, depth: 0) } }
    var listed: [ListedRun] = []
    listed.reserveCapacity(names.count)
    func list(below roots: [String]) {
      var waiting = roots.reversed().map { ListedRun(name: $0, depth: 0) }
      while let next = waiting.popLast() {
        listed.append(next)
        for branch in branches.removeValue(forKey: next.name)?.reversed() ?? [] {
          waiting.append(ListedRun(name: branch, depth: next.depth + 1))
        }
      }
    }
    list(below: roots)
    // Files may say of two runs that each is the other's branch.
    while let rest = names.first(where: { branches[$0] != nil }) { list(below: [rest]) }
    var seen: Set<String> = []
    return listed.filter { seen.insert($0.name).inserted }
  }

  /// The parents of runs, as their files say it: by when the parent began, so that a renamed one is found, and a new run of its
  /// name is not taken for it.
  static func parents(of runs: [RunSummary]) -> [String: String] {
    let byTime = Dictionary(
      runs.compactMap { run in run.created.map { ($0, run.name) } }, uniquingKeysWith: { first, _ in first })
    let byName = Dictionary(runs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    var parents: [String: String] = [:]
    for run in runs {
      guard let parent = run.parent else { continue }
      if let created = parent.created, let name = byTime[created] {
        parents[run.name] = name
      } else if let named = byName[parent.name], parent.created == nil || named.created == nil {
        parents[run.name] = named.name
      }
    }
    return parents
  }
}
