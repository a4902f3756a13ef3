// A resumed run computes the steps after its checkpoint again. The results are compared bit by bit with the stored
// rows: equal rows are not stored twice; a difference is reported, and the new rows replace the old ones.
import Foundation
import Run

/// The stored rows after the checkpoint from which a run is resumed.
struct Replay {
  struct StoredRow {
    var index: Int
    var values: [Double]
  }

  struct Recorded {
    var sequence: Int
    var step: Int
    var values: [Double]
  }

  struct StoredSample {
    var sequence: Int
    var step: Int
    var payload: [UInt8]
  }

  /// The stored rows, by step.
  var rows: [Int: StoredRow] = [:]
  /// Number of rows in the file when it was opened.
  var count = 0
  var evaluations: [Recorded] = []
  var texts: [StoredSample] = []
  var orders: [StoredSample] = []
  /// The steps of the stored maps of memory layers, with the numbers of their events.
  var maps: [Int: Int] = [:]
  var occurrences: [(sequence: Int, occurrence: Occurrence)] = []

  /// The last stored step.
  var last = 0

  /// A replay without rows to compare with.
  init() {}

  /// - Parameters:
  ///   - step: the step of the checkpoint.
  ///   - sequence: the number of the first event that came after the checkpoint.
  init(_ store: Store, after step: Int, sequence: Int) throws {
    count = store.metrics.count
    let first = try store.metrics.firstRow(from: Double(step + 1))
    for (index, row) in try store.metrics.rows(from: first).enumerated() {
      guard let row, Int(row.values[0]) > step else { continue }
      rows[Int(row.values[0])] = StoredRow(index: first + index, values: row.values)
    }
    last = rows.keys.max() ?? 0
    evaluations = try store.heldout.rows().compactMap { $0 }.map {
      Recorded(sequence: FileLayout.place($0).sequence, step: Int($0.values[0]), values: $0.values)
    }.filter { $0.sequence >= sequence }
    func samples(_ table: Table) throws -> [StoredSample] {
      try table.rows().compactMap { $0 }.map {
        StoredSample(sequence: FileLayout.place($0).sequence, step: Int($0.values[0]), payload: $0.payload)
      }.filter { $0.sequence >= sequence }
    }
    texts = try samples(store.texts)
    orders = try samples(store.orders)
    if let table = store.maps {
      for map in try samples(table) { maps[map.step] = map.sequence }
    }
    occurrences = try store.events.records().compactMap { $0 }
      .filter { $0.whole("sequence") >= sequence }
      .compactMap { record in
        FileLayout.occurrence(record).flatMap {
          Self.repeated.contains($0.kind) ? (record.whole("sequence"), $0) : nil
        }
      }
  }

  /// Kinds of occurrences that are repeated when steps are computed again.
  private static let repeated: Set<Occurrence.Subject> = [.rate, .weight, .setting, .saved, .diverged, .skip]

  /// The number of the first stored event after a step; nil if there is none. A checkpoint that is written again comes
  /// before it.
  func firstSequence(from step: Int) -> Int? {
    let stored =
      evaluations.map { ($0.step, $0.sequence) } + maps.map { ($0.key, $0.value) }
      + (texts + orders).map { ($0.step, $0.sequence) }
      + occurrences.map { ($0.occurrence.step, $0.sequence) }
    return stored.filter { $0.0 >= step }.map(\.1).min()
  }

  /// True if an occurrence repeats a stored one: a repeated change, or a checkpoint written again. Changes by the
  /// command line always count as new, so that their place among the events shows that they are the newest.
  mutating func recognises(_ occurrence: Occurrence) -> Bool {
    guard occurrence.actor != .commandLine else { return false }
    let index = occurrences.map(\.occurrence).firstIndex { (stored: Occurrence) -> Bool in
      guard stored.kind == occurrence.kind, stored.step == occurrence.step, stored.key == occurrence.key else {
        return false
      }
      return occurrence.kind == .saved || stored.new?.bitPattern == occurrence.new?.bitPattern
    }
    guard let index else { return false }
    occurrences.remove(at: index)
    return true
  }
}

extension Recorder {
  /// Stores a step, or finds an equal stored row.
  func compared(_ report: StepReport) -> [Occurrence] {
    let values = store.stepMetrics.map { $0.value(report) ?? .nan }
    guard !replay.rows.isEmpty, report.step <= replay.last else {
      store.metrics.append(Table.Row(values: values))
      return []
    }
    var notices: [Occurrence] = []
    if let stored = replay.rows[report.step] {
      guard let difference = difference(store.metrics.columns, values, stored.values) else {
        if report.step == replay.last { replay.rows = [:] }
        return []
      }
      notices = [said(difference, at: report.step)]
      cut(from: report.step, rowsFrom: report.step)
    } else {
      // A damaged row was taken out. Those after it are taken out too, and stored again in order.
      notices = [
        notice(.notice, "the stored row of step \(report.step) was damaged; rows from there on are written again")
      ]
      cut = ReplacedHistory(step: nil, rows: firstRow(from: report.step)..<replay.count, sequences: [])
      replay.rows = [:]
    }
    store.metrics.append(Table.Row(values: values))
    return notices
  }

  /// Stores an evaluation, or finds an equal stored one.
  func compared(_ evaluation: Evaluation) -> [Occurrence] {
    let values = store.evaluationMetrics.map { $0.value(evaluation) ?? .nan }
    var notices: [Occurrence] = []
    if let index = replay.evaluations.firstIndex(where: { $0.step == evaluation.step }) {
      let stored = replay.evaluations.remove(at: index)
      guard let difference = difference(store.heldout.columns, values, stored.values) else { return [] }
      notices = [said(difference, at: evaluation.step)]
      cut(from: evaluation.step, rowsFrom: evaluation.step + 1, and: [stored.sequence])
    }
    let place = nextPlace()
    store.heldout.append(Table.Row(values: values + [Double(place.sequence), Double(place.row)]))
    return notices
  }

  /// The first column that differs, in words; nil if all are equal.
  private func difference(_ columns: [Column], _ new: [Double], _ old: [Double]) -> String? {
    FileLayout.difference(columns, new, old).map { "\($0.path) is \($0.new), and was \($0.old)" }
  }

  private func said(_ difference: String, at step: Int) -> Occurrence {
    notice(
      .warning,
      "step \(step) came out differently than before: \(difference); the stored rows from there on are replaced",
      key: "replay", new: Double(step))
  }

  /// Marks the stored rows from a step on as replaced, and ends the comparison.
  private func cut(from step: Int, rowsFrom firstRow: Int, and sequences: Set<Int> = []) {
    let dropped =
      replay.evaluations.filter { $0.step >= step }.map(\.sequence)
      + replay.maps.filter { $0.key >= step }.map(\.value)
      + (replay.texts + replay.orders).filter { $0.step >= step }.map(\.sequence)
    let rows = cut?.rows ?? self.firstRow(from: firstRow)..<replay.count
    cut = ReplacedHistory(step: step, rows: rows, sequences: sequences.union(dropped))
    replay = Replay()
  }

  /// The number of the first stored row whose step is at least `step`.
  private func firstRow(from step: Int) -> Int {
    replay.rows.filter { $0.key >= step }.map(\.value.index).min() ?? replay.count
  }
}
