// What a replay needs of a stored run: which session computed which steps, and the stored numbers to compare with.
import Run

/// Steps that one session computed, with what it began with.
package struct ReplaySegment: Sendable {
  /// Optimizer steps taken before them.
  package let start: Int
  /// The last of them; as far as steps are stored.
  package internal(set) var end: Int
  package let beginning: Beginning
}

/// A number of a step that came out differently.
package struct StepDifference: Sendable, Equatable {
  package let step: Int
  /// The column of run.h5, below /metrics: `loss/ntp`.
  package let column: String
  package let stored: Double
  package let replayed: Double
}

extension StoredRun {
  /// The sessions whose steps the run has, in order: where one went on from an earlier step, what came after that step is its.
  package func replaySegments() throws -> [ReplaySegment] {
    let store = try open()
    var segments: [ReplaySegment] = []
    for case let row? in try store.beginnings.rows() {
      let beginning = try Self.beginning(of: row, in: store, named: name)
      segments.removeAll { $0.start >= beginning.step }
      if let last = segments.indices.last { segments[last].end = beginning.step }
      segments.append(ReplaySegment(start: beginning.step, end: .max, beginning: beginning))
    }
    let count = store.metrics.count
    let stored = try store.metrics.rows(from: max(0, count - 1)).last.flatMap { $0 }.map { Int($0.values[0]) }
    if let last = segments.indices.last { segments[last].end = stored ?? segments[last].start }
    return segments.filter { $0.end > $0.start }
  }
}

extension StoredRun {
  /// How often the guard went back on the way to this run: the branch that it made last says so.
  package func guardBacks() throws -> Int {
    let lines = try open().events.records(where: "kind", isOneOf: [Occurrence.Subject.branch.rawValue])
      .compactMap(FileLayout.occurrence)
    guard let last = lines.last(where: { $0.key == "parent" }), last.actor == .guard, let count = last.old else {
      return 0
    }
    return Int(exactly: count) ?? 0
  }
}

/// The stored steps of a run, compared with steps that are computed again.
package final class StepComparison {
  /// What comes of comparing a step.
  package enum ReplayVerdict: Sendable, Equatable {
    case same
    case differs(StepDifference)
    /// The step is not stored, or its row is damaged.
    case missing
  }

  private let store: Store
  private var known: (start: Int, rows: [Table.Row?]) = (0, [])
  /// Rows that are read at a time.
  private static let portion = 4096

  package init(_ run: StoredRun) throws { store = try run.open() }

  /// Compares every number of a step that a replay repeats: losses, divergences, weights, the rate, the norm of the gradients
  /// and the tokens.
  package func compare(_ report: StepReport) throws -> ReplayVerdict {
    guard let row = try row(of: report.step) else { return .missing }
    let values = store.stepMetrics.map { $0.value(report) ?? .nan }
    guard let found = FileLayout.difference(store.metrics.columns, values, row.values) else { return .same }
    return .differs(
      StepDifference(step: report.step, column: found.path, stored: found.old, replayed: found.new))
  }

  /// The stored total loss of a step.
  package func total(of step: Int) throws -> Double? {
    guard let place = store.metrics.columns.firstIndex(where: { $0.path == "loss/total" }) else { return nil }
    return try row(of: step)?.values[place]
  }

  private func row(of step: Int) throws -> Table.Row? {
    let place = try store.metrics.firstRow(from: Double(step))
    if !(known.start..<known.start + known.rows.count).contains(place) {
      known = (place, try store.metrics.rows(from: place, count: Self.portion))
    }
    guard place - known.start < known.rows.count, let row = known.rows[place - known.start] else { return nil }
    return Int(row.values[0]) == step ? row : nil
  }
}
