// A stored run, read: while it goes on, after it ended, and after it was killed. Nothing here writes.
import Foundation
import Run

/// How far a run is.
package enum RunState: String, Codable, Sendable {
  /// A process writes it now.
  case training
  case finished, stopped, abandoned, diverged, failed
  /// Its process ended without saying so: killed, or the power went.
  case interrupted
}

/// A run to read from. The file is open only during a call, so that the same process may go on with the run.
package struct Archive: Sendable {
  /// `runs/NAME`.
  package let folder: String
  package let name: String
  /// What the newest session began with: its recipe holds what a resume changed.
  package let beginning: Beginning
  /// How far it was when it was opened.
  package let state: RunState
  /// The heads that it has columns for.
  let heads: [Head]
  /// When it began, which its other files name it by.
  private let created: Double?

  package var recipe: Recipe { beginning.recipe }

  /// Opens a run: a live one beside its writer, one that was killed from a repaired copy in memory.
  /// - Throws: `UserError` when there is no such run, or its file cannot be read.
  package init(opening folder: String) throws {
    self.folder = folder
    name = (folder as NSString).lastPathComponent
    let isLive = RunLock.isHeld(folder: folder)
    let store = try Self.open(folder)
    heads = store.heads
    created = try store.created
    let sessions = try store.sessions.records().compactMap { $0 }
    state = isLive ? .training : RunState(rawValue: sessions.last?.text("how") ?? "") ?? .interrupted
    let beginnings = try store.beginnings.rows().compactMap { $0 }
    guard let last = beginnings.last else {
      throw UserError(
        .data, "\(folder)/run.h5 does not say what the run began with: nothing was recorded, or it is damaged")
    }
    beginning = try SessionStart.beginning(last.payload, source: "\(folder)/run.h5")
  }

  /// Has all files of runs examined at once that reading them opens: cheaper than one after the other.
  package static func prepare(_ folders: [String]) {
    Examiner.prepare(
      folders.flatMap { folder in
        let checkpoints = CheckpointFolder(folder)
        let steps = (try? checkpoints.list().map(\.step)) ?? []
        return ([Recovery.file(folder), Recovery.before(folder)] + steps.map(checkpoints.path)).map(Examinee.hdf5)
      })
  }

  func open() throws -> Store { try Self.open(folder) }

  static func open(_ folder: String) throws -> Store {
    let path = folder + "/run.h5"
    guard isThere(folder) else { throw missing(folder) }
    var tries = 0
    while true {
      let isLive = RunLock.isHeld(folder: folder)
      do {
        guard isLive else { return try still(folder) }
        let block = try FileDescriptor(opening: path, O_RDONLY).read(at: 0, count: Superblock.size)
        return try Store(opening: path, Superblock(block, path: path).isMarkedOpen ? .live : .still)
      } catch let error as UserError {
        // A writer that has just begun is still repairing the file; that takes an instant.
        guard isLive else { throw error }
        tries += 1
        guard tries < 20 else {
          throw UserError(error.status, "\(error.message) (the run is being written: try again in a second)")
        }
        usleep(50_000)
      }
    }
  }

  /// Opens a run that nobody writes: what its last session left behind is put together in memory.
  private static func still(_ folder: String) throws -> Store {
    let path = Recovery.file(folder)
    guard Folder.exists(Recovery.journal(folder)) else {
      let block = try FileDescriptor(opening: path, O_RDONLY).read(at: 0, count: Superblock.size)
      guard try Superblock(block, path: path).isMarkedOpen else { return try Store(opening: path, .still) }
      return try Store(opening: path, .image(Superblock.repairedImage(of: path)))
    }
    return try Recovery.whole(folder) {
      try Store(opening: path, .image(Superblock.repairedImage(of: path)))
    } creating: { beginning in
      try Store.createInMemory(path, beginning: beginning)
    }
  }

  /// Whether a folder has a run, or what one can be made again from.
  package static func isThere(_ folder: String) -> Bool {
    Folder.exists(Recovery.file(folder)) || Folder.exists(Recovery.journal(folder))
  }

  /// The error for a folder that has no run.
  static func missing(_ folder: String) -> UserError {
    let name = (folder as NSString).lastPathComponent
    if Folder.exists(folder) {
      return UserError(.noInput, "\(folder) has no run.h5: run “\(name)” ended before it began, or this is no run")
    }
    let parent = (folder as NSString).deletingLastPathComponent
    return UserError(
      .noInput, "there is no run “\(name)” in \(parent.isEmpty ? "." : parent): “foretop runs” lists what there is")
  }

  // MARK: What it holds

  /// Everything that happened, in order: fed to a dashboard it shows the run.
  package func events() throws -> [Event] {
    let store = try open()
    let steps = try reports(store)
    var others: [(place: Layout.Place, event: Event)] = []
    for case let row? in try store.beginnings.rows() {
      others.append((Layout.place(row), .began(try SessionStart.beginning(row.payload, source: store.file.path))))
    }
    others += try evaluations(store).map { ($0.place, .evaluated($0.evaluation)) }
    for case let row? in try store.texts.rows() {
      let what = "/samples/text in \(store.file.path)"
      others.append((Layout.place(row), .wrote(try JSON.decoded(TextSample.self, row.payload, what))))
    }
    for case let row? in try store.orders.rows() {
      let what = "/samples/order in \(store.file.path)"
      others.append((Layout.place(row), .ordered(try JSON.decoded(OrderSample.self, row.payload, what))))
    }
    for case let record? in try store.events.records() {
      if let occurrence = Layout.occurrence(record) { others.append((Layout.place(record), .occurred(occurrence))) }
    }
    for case let record? in try store.sessions.records() {
      guard let reason = Ending.Reason(rawValue: record.text("how")) else { continue }
      let ending = Ending(reason, step: record.whole("step"), time: record.number("end"))
      others.append((Layout.place(record), .ended(ending)))
    }
    others.sort { $0.place.sequence < $1.place.sequence }

    var events: [Event] = []
    events.reserveCapacity(steps.count + others.count)
    var row = 0
    for (place, event) in others {
      while row < min(place.row, steps.count) {
        if let report = steps[row] { events.append(.stepped(report)) }
        row += 1
      }
      events.append(event)
    }
    return events + steps[row...].compactMap { $0.map(Event.stepped) }
  }

  /// All steps; nil stands for a damaged row.
  /// - Throws: `UserError` where they do not rise, or happened at a time that is none: nobody wrote that with foretop.
  func reports(_ store: Store, from start: Int = 0, _ known: LossWeights? = nil) throws -> [StepReport?] {
    let weights = try known ?? weights(store)
    var last = -1
    return try store.metrics.rows(from: start).map { row in
      guard let row else { return nil }
      var report = StepReport.empty
      for (metric, value) in zip(store.stepMetrics, row.values) where !metric.isOptional || !value.isNaN {
        metric.restore(&report, value)
      }
      weights.fill(&report.losses, at: report.step)
      guard report.step > last, Self.isTime(report.time), Self.isTime(report.active) else {
        throw UserError(
          .data,
          "/metrics in \(store.file.path) has step \(report.step) at time \(report.time) behind step \(last), which no "
            + "training writes: “foretop verify” says more")
      }
      last = report.step
      return report
    }
  }

  func evaluations(
    _ store: Store, _ known: LossWeights? = nil
  ) throws -> [(place: Layout.Place, evaluation: Evaluation)] {
    let weights = try known ?? weights(store)
    var best = Float.infinity
    return try store.heldout.rows().compactMap { $0 }.map { row in
      var evaluation = Evaluation(step: 0, tokens: 0, time: 0, losses: [], isBest: false, seconds: 0)
      for (metric, value) in zip(store.evaluationMetrics, row.values) where !metric.isOptional || !value.isNaN {
        metric.restore(&evaluation, value)
      }
      weights.fill(&evaluation.losses, at: evaluation.step)
      if let loss = evaluation.losses.first?.loss, loss < best {
        best = loss
        evaluation.isBest = true
      }
      return (Layout.place(row), evaluation)
    }
  }

  /// Whether a number of seconds is one that a clock shows, before the year 9000.
  static func isTime(_ seconds: Double) -> Bool { (0...2e11).contains(seconds) }

  /// The changes of rate and weights that a run going on from a checkpoint makes again: in order, those that were
  /// obeyed after it.
  package func edits(after step: Int) throws -> [Edit] {
    let sequence = step == 0 ? 0 : try CheckpointFolder(folder).sequence(of: step)
    return Self.edits(try open().events.records(), from: sequence)
  }

  /// The weights that the losses of each step had.
  func weights(_ store: Store) throws -> LossWeights { LossWeights(recipe, Self.edits(try store.events.records())) }

  private static func edits(_ records: [RecordFormat.Record?], from sequence: Int = 0) -> [Edit] {
    var edits: [Edit] = []
    for case let record? in records where record.whole("sequence") >= sequence {
      guard let occurrence = Layout.occurrence(record) else { continue }
      if let edit = Edit(occurrence) {
        edits.append(edit)
      } else if occurrence.kind == .warning, occurrence.key == "replay", let first = occurrence.new {
        // From there on the run has another history, which these are no part of.
        edits.removeAll { Double($0.step) >= first }
      }
    }
    // Events are stored in the order in which things were done: at one step, rate and weights keep theirs.
    return edits.enumerated().sorted { ($0.element.step, $0.offset) < ($1.element.step, $1.offset) }.map(\.element)
  }

  // MARK: Checkpoints

  /// Finished checkpoints, oldest first.
  package func checkpoints() throws -> [CheckpointSummary] { try CheckpointFolder(folder).list() }

  /// Reads a checkpoint.
  /// - Parameter step: which one; nil is the newest that is not damaged.
  /// - Returns: it, and a sentence for each newer one that was passed over.
  /// - Throws: `UserError` when there is none, or the one asked for is damaged.
  package func checkpoint(step: Int? = nil) throws -> (checkpoint: Checkpoint, warnings: [String]) {
    try Self.checkpoint(in: folder, step: step, of: created)
  }

  /// Reads a checkpoint of a run, whatever became of its run.h5.
  /// - Parameter created: when the run began; nil where that cannot be known.
  package static func checkpoint(
    in folder: String, step: Int? = nil, of created: Double? = nil
  ) throws -> (checkpoint: Checkpoint, warnings: [String]) {
    let name = (folder as NSString).lastPathComponent
    let files = CheckpointFolder(folder)
    let steps = try files.list().map(\.step)
    if let step {
      guard steps.contains(step) else {
        let there = steps.map(String.init).joined(separator: ", ")
        throw UserError(
          .noInput, "run “\(name)” has no checkpoint of step \(step): there is \(there.isEmpty ? "none" : there)")
      }
      return (try files.read(step, of: created), [])
    }
    guard !steps.isEmpty else {
      throw UserError(
        .noInput,
        "run “\(name)” has no checkpoint yet: it was not saved, or its files were removed from \(folder)/checkpoints")
    }
    var warnings: [String] = []
    for step in steps.reversed() {
      do {
        return (try files.read(step, of: created), warnings.map { "\($0); an older checkpoint is taken" })
      } catch let error as UserError {
        warnings.append(error.message)
      }
    }
    throw UserError(
      .data,
      "no checkpoint of run “\(name)” can be read: \(warnings.joined(separator: "; ")); put one back from a copy, or "
        + "begin a new run with “foretop train”")
  }
}
