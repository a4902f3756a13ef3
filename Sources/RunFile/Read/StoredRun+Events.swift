// Reads a stored run as events: all at once, or one after the other.
import Run

extension StoredRun {
  /// All events in order, for a dashboard. Occurrences are without the number of tokens.
  package func events() throws -> [Event] {
    let store = try open()
    let others = try others(store)
    var events: [Event] = []
    events.reserveCapacity(store.metrics.count + others.count)
    _ = try forEachStep(store, among: others) { events.append($0) }
    return events
  }

  /// All events except steps, in order. Of the steps, those are read whose tokens an occurrence has.
  package func happenings() throws -> [Event] {
    let store = try open()
    var tokens = try TokenReader(store)
    return try others(store).sorted { $0.place.sequence < $1.place.sequence }.map { _, event in
      guard case .occurred(var occurrence) = event else { return event }
      occurrence.tokens = try tokens.count(after: occurrence.step)
      return .occurred(occurrence)
    }
  }

  /// Reads how many tokens a run had seen after its steps. /metrics has a row a step, without a gap.
  private struct TokenReader {
    private let store: Store
    private let columns: (step: Int, tokens: Int)?
    private var first: Int?
    private var last: (step: Int, tokens: Int?) = (0, 0)

    init(_ store: Store) throws {
      self.store = store
      let paths = store.stepMetrics.map(\.path)
      columns = paths.firstIndex(of: "step").flatMap { step in paths.firstIndex(of: "tokens").map { (step, $0) } }
      if let columns {
        first = try store.metrics.rows(from: 0, count: 1).first.flatMap { $0 }.map { Int($0.values[columns.step]) }
      }
    }

    mutating func count(after step: Int) throws -> Int? {
      if step == last.step { return last.tokens }
      last = (step, nil)
      guard let first, let columns, step >= first, step - first < store.metrics.count,
        let row = try store.metrics.rows(from: step - first, count: 1).first ?? nil,
        Int(row.values[columns.step]) == step
      else { return nil }
      last.tokens = Int(row.values[columns.tokens])
      return last.tokens
    }
  }

  /// All evaluations, in order.
  package func evaluations() throws -> [Evaluation] { try evaluations(open()).map(\.evaluation) }

  /// The names of the diagnostics that run.h5 has columns for: those that the run began with.
  package func storedDiagnostics() throws -> Set<String> {
    Set(try open().evaluationMetrics.compactMap { $0.path.split(separator: "/").first.map(String.init) })
      .intersection(DiagnosticKind.all.map(\.name))
  }

  /// Some evenly spread steps, including the first and the last; damaged ones are left out.
  /// - Parameter most: at least 2.
  /// - Returns: the steps, and the number of all steps.
  package func steps(spread most: Int) throws -> (shown: [StepReport], count: Int) {
    let store = try open()
    let count = store.metrics.count
    let places = (0..<count).spread(most: most)
    var steps = StepReader(store, try weights(store))
    let shown = try places.compactMap { try steps.report(of: store.metrics.rows(from: $0, count: 1).first ?? nil) }
    return (shown, count)
  }

  /// All events except steps, each with its place among the steps.
  private func others(_ store: Store) throws -> [(place: FileLayout.Position, event: Event)] {
    var others = try evaluations(store).map { (place: $0.place, event: Event.evaluated($0.evaluation)) }
    others += try begins(store)
    for case let row? in try store.texts.rows() {
      let what = "/samples/text in \(store.file.path)"
      others.append((FileLayout.place(row), .wrote(try StoredJSON.decoded(TextSample.self, row.payload, what))))
    }
    for case let row? in try store.orders.rows() {
      let what = "/samples/order in \(store.file.path)"
      others.append((FileLayout.place(row), .ordered(try StoredJSON.decoded(OrderSample.self, row.payload, what))))
    }
    others += try maps(store, last: .max).map { ($0.place, .mapped($0.map)) }
    for case let record? in try store.events.records() {
      if let occurrence = FileLayout.occurrence(record) {
        others.append((FileLayout.place(record), .occurred(occurrence)))
      }
    }
    for case let record? in try store.sessions.records() {
      guard let reason = Ending.Reason(rawValue: record.text("how")) else { continue }
      let ending = Ending(reason, step: record.whole("step"), time: record.number("end"))
      others.append((FileLayout.place(record), .ended(ending)))
    }
    others += try waitingNotes(store).map { ($0, .occurred($1)) }
    return others
  }

  /// Calls `take` with the beginning of each session, every step and every evaluation, in order. Steps are read in
  /// blocks, so that a long run need not fit into memory.
  /// - Returns: the number of damaged steps and evaluations, which are left out.
  package func forEachNumber(_ take: (Event) throws -> Void) throws -> Int {
    let store = try open()
    let evaluations = try evaluations(store)
    let others = try begins(store) + evaluations.map { ($0.place, .evaluated($0.evaluation)) }
    return try forEachStep(store, among: others, take) + store.heldout.count - evaluations.count
  }

  /// Notes that are not in run.h5 yet, placed after all other events.
  func waitingNotes(_ store: Store) throws -> [(place: FileLayout.Position, occurrence: Occurrence)] {
    let waiting = try Notes.all(folder, store).dropFirst(Notes.stored(in: store).count)
    return waiting.enumerated().map { (FileLayout.Position(sequence: 1 << 52 + $0, row: store.metrics.count), $1) }
  }

  private func begins(_ store: Store) throws -> [(place: FileLayout.Position, event: Event)] {
    try store.beginnings.rows().compactMap { $0 }.map { row in
      (FileLayout.place(row), .began(try Self.beginning(of: row, in: store, named: name)))
    }
  }

  /// Calls the closure with all steps, and with other events at their places between them.
  /// - Returns: the number of damaged steps, which are left out.
  private func forEachStep(
    _ store: Store, among others: [(place: FileLayout.Position, event: Event)], _ take: (Event) throws -> Void
  ) throws -> Int {
    var damaged = 0
    let others = others.sorted { $0.place.sequence < $1.place.sequence }
    var next = others.startIndex
    var steps = StepReader(store, try weights(store))
    try store.metrics.forEachBlock { block in
      for index in 0..<block.count {
        while next < others.endIndex, others[next].place.row <= block.start + index {
          try take(others[next].event)
          next += 1
        }
        if let report = try steps.report(of: block.row(index)) { try take(.stepped(report)) } else { damaged += 1 }
      }
    }
    for (_, event) in others[next...] { try take(event) }
    return damaged
  }

  /// All steps; nil stands for a damaged row.
  /// - Throws: `UserError` when steps do not ascend or have implausible times, which foretop never writes.
  func reports(_ store: Store, from start: Int = 0, _ known: LossWeights? = nil) throws -> [StepReport?] {
    var steps = StepReader(store, try known ?? weights(store))
    return try store.metrics.rows(from: start).map { try steps.report(of: $0) }
  }

  /// Converts rows to steps, one after the other.
  struct StepReader {
    private let store: Store
    private let weights: LossWeights
    private let hasWeights: Bool
    private var last = -1

    init(_ store: Store, _ weights: LossWeights) {
      self.store = store
      self.weights = weights
      hasWeights = store.hasWeights
    }

    /// - Returns: nil for a damaged row.
    mutating func report(of row: Table.Row?) throws -> StepReport? {
      guard let row else { return nil }
      var report = StepReport.empty
      for (metric, value) in zip(store.stepMetrics, row.values) where !metric.isOptional || !value.isNaN {
        metric.restore(&report, value)
      }
      if !hasWeights { weights.fill(&report.losses, at: report.step) }
      guard report.step > last, StoredRun.isTime(report.time), StoredRun.isTime(report.active) else {
        throw UserError(
          .data,
          "/metrics in \(store.file.path) has step \(report.step) at time \(report.time) after step \(last), which "
            + "training never writes: “foretop verify” says more")
      }
      last = report.step
      return report
    }
  }

  func evaluations(
    _ store: Store, _ known: LossWeights? = nil
  ) throws -> [(place: FileLayout.Position, evaluation: Evaluation)] {
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
      return (FileLayout.place(row), evaluation)
    }
  }

  /// The newest maps of memory layers; none where the run has no table of them.
  func maps(_ store: Store, last count: Int) throws -> [(place: FileLayout.Position, map: MemoryMap)] {
    guard let table = store.maps else { return [] }
    let what = "\(Store.mapGroup) in \(store.file.path)"
    return try table.rows(from: max(0, table.count - min(count, table.count))).compactMap { $0 }.map {
      (FileLayout.place($0), try StoredJSON.decoded(MemoryMap.self, $0.payload, what))
    }
  }

  /// True if a number of seconds is a plausible Unix time, before the year 9000.
  static func isTime(_ seconds: Double) -> Bool { (0...2e11).contains(seconds) }

  /// The changes of rate, weights and settings after a checkpoint, in order, which a resumed run repeats.
  package func edits(after step: Int) throws -> [ReplayedCommand] {
    let sequence = step == 0 ? 0 : try CheckpointFolder(folder).sequence(of: step)
    return try Self.edits(in: open(), from: sequence, isReplayed: true)
  }

  /// The weights of the losses at each step.
  func weights(_ store: Store) throws -> LossWeights { try LossWeights(recipe, Self.edits(in: store)) }

  /// - Parameter isReplayed: whether the changes are to be repeated: a value that `resume --set` gave then replaces
  ///   older changes of the same key, as it did in that session.
  private static func edits(
    in store: Store, from sequence: Int = 0, isReplayed: Bool = false
  ) throws -> [ReplayedCommand] {
    // The numbers of the events with which sessions begin.
    let starts = try store.beginnings.rows().compactMap { $0.map { FileLayout.place($0).sequence } }.sorted()
    var session = 0
    var edits: [(session: Int, edit: ReplayedCommand)] = []
    for case let record? in try store.events.records() where record.whole("sequence") >= sequence {
      guard let occurrence = FileLayout.occurrence(record) else { continue }
      while session < starts.count, starts[session] <= record.whole("sequence") { session += 1 }
      if let edit = ReplayedCommand(occurrence) {
        if isReplayed, occurrence.actor == .commandLine {
          edits.removeAll { $0.edit.step >= edit.step && $0.edit.changesSame(as: edit) }
        }
        edits.append((session, edit))
      } else if occurrence.kind == .warning, occurrence.key == "replay", let first = occurrence.new {
        // From that step on the run has another history, without the changes of earlier sessions. Changes of this session belong to
        // it, even if they were recorded before the warning, which is recorded only when the hub hands it back as an event.
        edits.removeAll { $0.session < session && Double($0.edit.step) >= first }
      }
    }
    // Events are stored in the order in which things were done: at one step, rate and weights keep theirs.
    return edits.map(\.edit).inOrderOfSteps
  }
}
