// Puts branches below their parents in a list of runs, whatever its order.
import RunFile

enum RunTree {
  /// A run in the list, and the number of its listed ancestors.
  struct ListedRun {
    let name: String
    let depth: Int
  }

  /// Puts branches after their parents. Branches of one parent keep their order; a branch whose parent is not listed keeps its
  /// place.
  /// - Parameters:
  ///   - names: the runs in their order.
  ///   - parent: returns a run's parent; nil if it has none, or the parent is unknown.
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
    // Damaged files may claim that two runs are branches of each other.
    while let rest = names.first(where: { branches[$0] != nil }) { list(below: [rest]) }
    var seen: Set<String> = []
    return listed.filter { seen.insert($0.name).inserted }
  }

  /// The parents of runs by their files: a parent is identified by the time when it began, so that it is found after a rename and
  /// not confused with a new run of the same name.
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
