// The list of runs: a summary of each, or the error of a damaged run.
import Foundation
import Run

/// A run's row in the list of runs.
package struct RunSummary: Codable, Sendable {
  package var name: String
  /// Nil if the run cannot be read; `error` says why.
  package var state: RunStatus?
  package var step = 0
  /// The recipe's number of steps.
  package var steps = 0
  package var tokens = 0
  package var parameters = 0
  /// In the order of every output.
  package var heads: [Head] = []
  /// The losses of the last step.
  package var last: [HeadLoss] = []
  /// The losses of the last evaluation.
  package var heldOut: [HeadLoss] = []
  package var order: OrderQuality?
  /// The lowest held-out loss of the first head; nil before the first evaluation.
  package var best: Float?
  /// The learning rate of the last step.
  package var rate: Double?
  package var tokensPerSecond: Double?
  /// When the run began, Unix time in seconds.
  package var created: Double?
  /// When run.h5 was last changed, Unix time in seconds.
  package var changed: Double?
  /// Bytes that the run's files take on the disk.
  package var bytes = 0
  package var checkpoints = 0
  package var error: String?
  /// A warning about a part of the run that cannot be read and is not counted.
  package var warning: String?
  /// The recipe of the newest session; nil if the run cannot be read.
  package var recipe: Recipe?
  /// Where a branch comes from.
  package var parent: ParentRun?
  /// Its notes and tags, oldest first.
  package var annotations: [Occurrence] = []

  /// A run of which nothing else is known.
  package init(name: String, state: RunStatus? = nil) {
    self.name = name
    self.state = state
  }
}

extension RunSummary {
  /// Measures the size of a run's files, and counts its checkpoints.
  fileprivate mutating func measure(_ folder: String) {
    var files: [CheckpointSummary] = []
    do { files = try CheckpointFolder(folder).list() } catch { warning = "\(error)" }
    checkpoints = files.count
    let path = RunFolder(folder).file
    let sizes = ([path] + files.map { "\(folder)/\($0.file)" }).map(StoredSize.onDisk)
    bytes = sizes.reduce(0) { $0 + $1.stored }
    let remark = StoredSize.remark(stored: bytes, claimed: sizes.reduce(0) { $0 + $1.claimed })
    warning = [warning, remark].compactMap { $0 }.joined(separator: "; ")
    if warning?.isEmpty == true { warning = nil }
    var status = stat()
    if stat(path, &status) == 0 {
      changed = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
    }
  }
}

extension StoredRun {
  /// All runs in a directory, by name. A run that cannot be read is listed with its error.
  /// - Throws: `UserError` when the directory cannot be listed. A directory that does not exist has no runs.
  package static func runs(in directory: String) throws -> [RunSummary] {
    let marks = [RunFolder.fileName, RunFolder.lockName, RunFolder.checkpointsName]
    let names = try FileSystem.names(in: directory).filter { name in
      // What may not be looked into is listed as that.
      !name.hasPrefix(".")
        && (RunFolder("\(directory)/\(name)").has(anyOf: marks)
          || access("\(directory)/\(name)/.", F_OK) != 0 && errno == EACCES)
    }
    return try summaries(of: names.map { ($0, directory + "/" + $0) })
  }

  /// The names in a folder of runs that are not UTF-8, with a mark in the place of what is wrong: nothing there can be opened.
  package static func namesThatAreNotText(in directory: String) throws -> [String] {
    try FileSystem.names(in: directory).filter { $0.contains("\u{FFFD}") && access("\(directory)/\($0)", F_OK) != 0 }
  }

  /// The summaries of some runs, in this order.
  /// - Throws: `UserError` when no process can be started to read them.
  static func summaries(of runs: [(name: String, folder: String)]) throws -> [RunSummary] {
    // A run may have begun when the attempt to read it has failed.
    let starting = runs.map { isStarting($0.folder) }
    let known = try Sandbox.summaries(of: runs.map(\.folder))
    return runs.enumerated().map { index, run in
      let (name, folder) = run
      var summary: RunSummary
      do {
        summary = try known?[index].get() ?? glance(at: folder)
      } catch {
        summary = RunSummary(name: name)
        if starting[index] || isStarting(folder) {
          summary.state = .starting
        } else {
          summary.error = "\(error)"
          summary.state = RunLock.isHeld(folder: folder) ? .training : nil
        }
      }
      // Its folder names it, whoever read it.
      summary.name = name
      summary.measure(folder)
      return summary
    }
  }

  /// True if a process begins a run in this folder, and nothing of it can be read yet.
  private static func isStarting(_ folder: String) -> Bool {
    !FileSystem.exists(RunFolder(folder).file) && isBeingWritten(folder)
  }

  /// Reads only the summary of a run. The file of a long run that was killed is read like that of a live run, since
  /// repairing it would read all of it; the last second of rows comes from the end of the journal.
  /// - Parameters:
  ///   - most: the most bytes of a file that is repaired in memory.
  ///   - examine: throws for a file that must not be read.
  static func glance(
    at folder: String, wholeUpTo most: Int = SandboxAnswer.wholeSize, examine: (Store) throws -> Void = { _ in }
  ) throws -> RunSummary {
    let path = RunFolder(folder).file
    let isLive = RunLock.isHeld(folder: folder)
    var status = stat()
    if !isLive, stat(path, &status) == 0, Int(status.st_size) > most, try !isClosed(folder),
      let store = try? Store(opening: path, .live), (try? examine(store)) != nil,
      let archive = try? StoredRun(folder, store, isLive: false)
    {
      return try archive.summary(store, last: Journal.lastStep(RunFolder(folder).journal, like: store))
    }
    let store = try open(folder)
    try examine(store)
    return try StoredRun(folder, store, isLive: isLive).summary(store)
  }

  /// The run's row in the list of runs, including the size of its files.
  package func listed() throws -> RunSummary {
    var summary = try summary()
    summary.measure(folder)
    return summary
  }

  /// The run's row in the list of runs.
  package func summary() throws -> RunSummary { try summary(open()) }

  /// - Parameter row: a step that may be newer than the last one in the file.
  private func summary(_ store: Store, last row: Table.Row? = nil) throws -> RunSummary {
    // Nothing here is weighed.
    let weights = LossWeights(recipe, [])
    var summary = RunSummary(name: name, state: state)
    summary.steps = recipe.steps
    summary.recipe = recipe
    summary.parameters = beginning.parameters
    summary.heads = heads
    summary.created = try HDF5Group.fraction("created", on: "/", in: store.file)
    summary.parent = beginning.parent
    // What was made again from a checkpoint has no steps of its own.
    summary.step = beginning.step
    summary.tokens = beginning.tokens
    var last = try lastReport(store, weights)
    var steps = StepReader(store, weights)
    if let newer = try steps.report(of: row), newer.step > last?.step ?? 0 { last = newer }
    if let report = last {
      summary.step = report.step
      summary.tokens = report.tokens
      summary.last = report.losses
      summary.rate = report.rate
      // What is wrong with the rows before the last one is told by whoever reads them.
      summary.tokensPerSecond = (try? recentSpeed(store, weights)) ?? report.tokensPerSecond
    }
    let evaluations = try evaluations(store, weights).map(\.evaluation)
    summary.heldOut = evaluations.last?.losses ?? []
    summary.order = evaluations.last?.order
    summary.best = evaluations.compactMap { $0.losses.first?.loss }.filter(\.isFinite).min()
    summary.annotations = try Notes.all(folder, store)
    return summary
  }

  /// The speed of `RecentSpeed`. At most `mostSpeedRows` rows are read beside the last 64: where these took less than ten
  /// seconds, the row from which the ten seconds begin is estimated from their pace.
  private func recentSpeed(_ store: Store, _ weights: LossWeights) throws -> Double? {
    let start = max(0, store.metrics.count - 64)
    let entries = try reports(store, from: start, weights).compactMap { $0 }.map(Self.totals)
    guard let first = entries.first, let last = entries.last else { return nil }
    let near = RecentSpeed.tokensPerSecond(of: entries.count) { entries[$0] }
    var (row, seconds) = (start, last.active - first.active)
    var found = near
    for _ in 0..<Self.mostSpeedRows where row > 0 && seconds > 0 && abs(seconds / RecentSpeed.window - 1) > 0.02 {
      // The rows so far took `seconds`: as many as take ten.
      let rows = Double(store.metrics.count - 1 - row) * RecentSpeed.window / seconds
      let next = max(0, store.metrics.count - 1 - Int(min(rows, 1e9)))
      guard next < start, next != row, let entry = try totals(ofRow: next, store, weights), entry.active < last.active
      else { break }
      (row, seconds) = (next, last.active - entry.active)
      found = RecentSpeed.speed(from: entry, to: last)
    }
    return found ?? near
  }

  private static let mostSpeedRows = 4

  /// Tokens and active seconds up to a step's end.
  private static func totals(_ report: StepReport) -> (tokens: Double, active: Double) {
    (Double(report.tokens), report.active)
  }

  /// Tokens and active seconds up to the end of a row's step; nil if the row is damaged.
  private func totals(
    ofRow row: Int, _ store: Store, _ weights: LossWeights
  ) throws -> (tokens: Double, active: Double)? {
    var steps = StepReader(store, weights)
    guard let values = try store.metrics.rows(from: row, count: 1).first else { return nil }
    return try steps.report(of: values).map(Self.totals)
  }

  /// The last undamaged step.
  private func lastReport(_ store: Store, _ weights: LossWeights) throws -> StepReport? {
    var start = store.metrics.count
    // The last row is whole but where the file was damaged.
    var most = 1
    while start > 0 {
      start = max(0, start - most)
      if let report = try reports(store, from: start, weights).last(where: { $0 != nil }) { return report }
      most = 4096
    }
    return nil
  }
}
