// A stored run for a screen: the newest steps one by one, and older steps as sums, the coarser the older they are, so
// that the first chart of ten million steps does not wait for ten million rows.
import Run

extension StoredRun {
  /// The most entries of each kind that a screen begins with: single steps, and rows of each overview level. A live
  /// screen keeps as many, so that a stored run looks as it did during training.
  static let most = 16_384
  /// The most log lines, order samples and sessions that a screen begins with.
  private static let lines = 4000
  private static let samples = 256
  private static let starts = 64

  /// True if a run is so long that a screen begins with sums of its early steps.
  static func needsOverview(_ store: Store) -> Bool { store.metrics.count > most }

  /// The events that a screen shows, in order, for a dashboard. In a long run, early steps are summed up and early log
  /// lines are left out; only the last generated text is included.
  package func history() throws -> [Event] { try history(open()) }

  func history(_ store: Store) throws -> [Event] {
    let weights = try weights(store)
    let steps = try steps(store, weights)
    var others = try happenings(store, weights)
    others.sort { ($0.place.row, $0.place.sequence) < ($1.place.row, $1.place.sequence) }
    var events: [Event] = []
    events.reserveCapacity(steps.count + others.count)
    var next = steps.startIndex
    for (place, event) in others {
      while next < steps.endIndex, steps[next].row < place.row {
        events.append(steps[next].event)
        next += 1
      }
      events.append(event)
    }
    return events + steps[next...].map(\.event)
  }

  /// Steps with the number of their first row: sums from the coarsest level on, then single steps.
  private func steps(_ store: Store, _ weights: LossWeights) throws -> [(row: Int, event: Event)] {
    let overview = Self.needsOverview(store) ? try store.overview() : nil
    let levels = overview?.levels ?? []
    // Where each level's rows end: those of the one below begin there.
    var end = max(0, store.metrics.count - Self.most)
    var ends: [Int] = []
    for (index, level) in levels.enumerated() {
      let size = Overview.steps(index + 1)
      end = min(end / size, level.count) * size
      ends.append(end)
      // The next level ends where this one begins.
      end = max(0, end - Self.most * size)
    }
    var steps: [(row: Int, event: Event)] = []
    var start = 0
    for (index, end) in ends.enumerated().reversed() where end > start {
      let size = Overview.steps(index + 1)
      guard let overview else { break }
      let rows = try overview.rows(index, start / size..<end / size)
      for (place, row) in rows.enumerated() {
        var report = Overview.report(row, index, store.stepMetrics)
        if !store.hasWeights { weights.fill(&report.mean.losses, at: report.mean.step) }
        steps.append((start + place * size, .summedUp(report)))
      }
      start = end
    }
    for (index, report) in try reports(store, from: start, weights).enumerated() {
      if let report { steps.append((start + index, .stepped(report))) }
    }
    return steps
  }

  /// All events except steps.
  func happenings(_ store: Store, _ weights: LossWeights) throws -> [(place: FileLayout.Position, event: Event)] {
    func last(_ count: Int, of table: Table) throws -> [Table.Row] {
      try table.rows(from: max(0, table.count - count)).compactMap { $0 }
    }
    var all: [(place: FileLayout.Position, event: Event)] = []
    var begins: [FileLayout.Position] = []
    for row in try last(Self.starts, of: store.beginnings) {
      let beginning = try Self.beginning(of: row, in: store, named: name)
      var place = FileLayout.place(row)
      // Steps that came out again as they were are stored before it: they belong behind it.
      place.row = min(place.row, try store.metrics.firstRow(from: Double(beginning.step + 1)))
      begins.append(place)
      all.append((place, .began(beginning)))
    }
    all += try evaluations(store, weights).map { ($0.place, .evaluated($0.evaluation)) }
    for row in try last(1, of: store.texts) {
      let what = "/samples/text in \(store.file.path)"
      all.append((FileLayout.place(row), .wrote(try StoredJSON.decoded(TextSample.self, row.payload, what))))
    }
    for row in try last(Self.samples, of: store.orders) {
      let what = "/samples/order in \(store.file.path)"
      all.append((FileLayout.place(row), .ordered(try StoredJSON.decoded(OrderSample.self, row.payload, what))))
    }
    all += try maps(store, last: Self.samples).map { ($0.place, .mapped($0.map)) }
    for case let record? in try store.events.records(last: Self.lines) {
      if let occurrence = FileLayout.occurrence(record) {
        all.append((FileLayout.place(record), .occurred(occurrence)))
      }
    }
    for case let record? in try store.sessions.records(last: Self.starts) {
      guard let reason = Ending.Reason(rawValue: record.text("how")) else { continue }
      let place = FileLayout.place(record)
      // One whose run went on from an earlier step is not how the steps after that one ended.
      guard begins.allSatisfy({ $0.sequence < place.sequence || $0.row >= place.row }) else { continue }
      all.append((place, .ended(Ending(reason, step: record.whole("step"), time: record.number("end")))))
    }
    all += try waitingNotes(store).map { ($0, .occurred($1)) }
    return all
  }
}
