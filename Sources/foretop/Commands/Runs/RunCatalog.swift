// The runs of a folder for a screen: the files that exist, the summaries that were read, and the order of the list. A run is
// read again when its files have changed.
import Dashboard
import Foundation
import Run
import RunFile

struct RunCatalog {
  private let folder: String
  private var entries: [RunFolderEntry] = []
  private var places: [String: Int] = [:]
  /// The summaries that were read, with the versions of the files at that time.
  private var known: [String: (version: RunVersion, summary: RunSummary)] = [:]
  /// Runs that are being read.
  private var asked: Set<String> = []
  private var filters: [RunFilter] = []
  private(set) var filter = ""
  private var order: RunColumn
  private(set) var isReversed = true

  /// The columns that the key s goes through.
  private static let sortable = ["changed", "name", "state", "parameters", "tokens", "loss", "best"]
  /// Runs per reading: more would delay those on the screen.
  private static let portion = 48

  /// - Throws: `UserError` when the folder cannot be listed.
  init(_ folder: String) throws {
    self.folder = folder
    order = try RunColumn(named: "changed", option: "--sort")
    take(try StoredRun.folders(in: folder))
  }

  /// Takes the folder's present entries.
  /// - Returns: true if something has changed.
  @discardableResult mutating func take(_ found: [RunFolderEntry]) -> Bool {
    guard found != entries else { return false }
    entries = found
    places = Dictionary(entries.enumerated().map { ($1.name, $0) }) { first, _ in first }
    return true
  }

  /// Takes the present entries of some runs.
  /// - Returns: true if the list has changed.
  mutating func update(_ entries: [RunFolderEntry]) -> Bool {
    var isChanged = false
    for entry in entries {
      guard let place = places[entry.name], self.entries[place] != entry else { continue }
      self.entries[place] = entry
      isChanged = true
    }
    return isChanged
  }

  var count: Int { entries.count }

  /// Names of runs that a process writes.
  var live: [String] { entries.lazy.filter(\.version.isLive).map(\.name) }

  /// True if a run is in the folder, as far as is known.
  func has(_ name: String) -> Bool { places[name] != nil }

  /// Forgets a run that was removed.
  mutating func forget(_ name: String) {
    take(entries.filter { $0.name != name })
    known[name] = nil
  }

  /// Takes summaries that were read.
  mutating func know(_ summaries: [RunSummary]) {
    for summary in summaries {
      asked.remove(summary.name)
      guard let place = places[summary.name] else { continue }
      known[summary.name] = (entries[place].version, summary)
    }
  }

  /// The runs to be read next, each named once. Empty while others are being read, and while all runs on the screen are known:
  /// every reading starts a process, which therefore reads several runs.
  mutating func due(onScreen: [String], wanted: [String]) -> [String] {
    guard asked.isEmpty, needsAll || onScreen.contains(where: isDue) else { return [] }
    var due = onScreen.filter { isDue($0) }
    due += wanted.filter { isDue($0) && !due.contains($0) }
    if due.isEmpty, needsAll { due = entries.map(\.name).filter { isDue($0) } }
    due = Array(due.prefix(Self.portion))
    asked = Set(due)
    return due
  }

  private func isDue(_ name: String) -> Bool {
    places[name].map { known[name]?.version != entries[$0].version } ?? false
  }

  /// True if the list does not depend on what will be read.
  var isOrdered: Bool { !needsAll }

  /// True if the order or the filter needs numbers from inside the runs.
  private var needsAll: Bool { !["changed", "name"].contains(order.name) || !filters.isEmpty }

  mutating func sortNext() throws {
    let index = Self.sortable.firstIndex(of: order.name) ?? 0
    order = try RunColumn(named: Self.sortable[(index + 1) % Self.sortable.count], option: "--sort")
    // The newest, the largest and the best come first.
    isReversed = ["changed", "parameters", "tokens"].contains(order.name)
  }

  mutating func turn() { isReversed.toggle() }

  /// Takes the remembered order and filter, if they are still valid.
  mutating func use(_ preferences: Preferences) {
    if let sort = preferences.sort, Self.sortable.contains(sort),
      let column = try? RunColumn(named: sort, option: "--sort")
    {
      order = column
      isReversed = preferences.isReversed ?? ["changed", "parameters", "tokens"].contains(sort)
    } else if let reversed = preferences.isReversed {
      isReversed = reversed
    }
    if let filter = preferences.filter, !filter.isEmpty { try? use(filter: filter) }
  }

  /// Takes a filter of several words.
  /// - Throws: `UserError` for a word that is not a condition.
  mutating func use(filter text: String) throws {
    let words = text.split(separator: " ").map(String.init)
    let new = try words.map { try RunFilter($0) }
    for filter in new { try filter.check(with: known.values.map(\.summary)) }
    (filters, filter) = (new, text)
  }

  /// Puts the list on a screen.
  func list(on screen: inout RunsScreen) {
    let listed = tree(order.name == "changed" && filters.isEmpty ? namesByAge : sortedNames)
    let unread = needsAll ? entries.count { known[$0.name] == nil } : 0
    screen.list(
      listed.map(\.name), of: entries.count, training: entries.count { $0.version.isLive }, unread: unread,
      sortedBy: order.name, isReversed: isReversed,
      depths: Dictionary(
        listed.filter { $0.depth > 0 }.map { ($0.name, $0.depth) }, uniquingKeysWith: { first, _ in first }))
    screen.useFilter(filter, problem: "")
  }

  /// Puts branches below their parents. Runs that were not read yet are related by their names.
  private func tree(_ names: [String]) -> [RunTree.ListedRun] {
    let parents = RunTree.parents(of: known.values.map(\.summary))
    return RunTree.listed(names) { name in
      parents[name] ?? (known[name] == nil ? RunName.base(ofBranch: name) : nil)
    }
  }

  /// Sorts without reading if the order does not need it.
  private var namesByAge: [String] {
    entries.sorted { a, b in
      let (one, other) = (a.changed ?? 0, b.changed ?? 0)
      return one == other ? a.name < b.name : isReversed ? one > other : one < other
    }.map(\.name)
  }

  private var sortedNames: [String] {
    let rows = entries.lazy.filter { filters.isEmpty || known[$0.name] != nil }.map { summary(of: $0) }
    let admitted = rows.filter { run in filters.allSatisfy { $0.admits(run) } }
    return admitted.sorted { a, b in
      if order.precedes(a, b, isReversed: isReversed) { return true }
      return order.precedes(b, a, isReversed: isReversed) ? false : a.name < b.name
    }.map(\.name)
  }

  /// The row of a run; without a summary, it has only name and age.
  private func summary(of entry: RunFolderEntry) -> RunSummary {
    if var summary = known[entry.name]?.summary {
      summary.changed = entry.changed ?? summary.changed
      return summary
    }
    var summary = RunSummary(name: entry.name)
    summary.changed = entry.changed
    if entry.version.isLive { summary.state = .training }
    return summary
  }
}

extension RunRow {
  /// The row of a summary.
  init(_ summary: RunSummary) {
    self.init(name: summary.name, state: summary.word)
    objective = summary.heads.isEmpty ? "" : Self.objective(summary.heads)
    parameters = summary.parameters
    tokens = summary.tokens
    step = summary.step
    steps = summary.steps
    last = summary.last.first.map { Double($0.loss) }
    best = summary.best.map { Double($0) }
    rate = summary.rate
    tokensPerSecond = summary.tokensPerSecond
    changed = summary.changed
    problem = summary.error ?? summary.warning
    recipe = summary.recipe
    tags = summary.annotations.tags
  }

  /// `ntp`, `ntp+top`, `ntp+mtp-4`; of several MTP heads, the farthest is named.
  private static func objective(_ heads: [Head]) -> String {
    var words: [String] = []
    for name in heads.map(\.name) {
      if name.hasPrefix("mtp"), words.last?.hasPrefix("mtp") == true { words.removeLast() }
      words.append(name)
    }
    return words.joined(separator: "+")
  }
}
