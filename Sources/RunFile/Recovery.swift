// What is done before a run's file is written again: the superblock says the truth, damaged rows and rows that nobody
// wants any more are taken out, and readers are let in.
import Foundation
import Run

/// Rows that a replay has shown to be of another history.
struct Cut {
  /// The first step that came out differently; nil where rows are only to be written again.
  var step: Int?
  /// Rows of /metrics.
  var rows: Range<Int>
  /// Evaluations and samples, by their sequence number.
  var sequences: Set<Int>

  /// Where something stands when the rows are gone.
  func place(_ row: Int) -> Int {
    row <= rows.lowerBound ? row : row <= rows.upperBound ? rows.lowerBound : row - rows.count
  }
}

enum Recovery {
  /// Opens run.h5 for appending. The caller holds the run's lock.
  /// - Parameter endsSession: whether the last session in the file is over, though nobody wrote its end.
  static func open(_ path: String, endsSession: Bool, removing cut: Cut? = nil) throws -> Store {
    try Superblock.repair(path)
    do {
      let store = try Store(opening: path, .alone)
      do {
        try store.reserve()
        try clean(store, endsSession: endsSession, removing: cut)
        try store.file.flush()
      } catch {
        // Closing a file that cannot be written may end the process.
        store.abandon()
        throw error
      }
      store.close()
    }
    let store = try Store(opening: path, .append)
    do {
      try store.reserve()
      try store.file.flush()
      return store
    } catch {
      store.abandon()
      throw error
    }
  }

  private static func clean(_ store: Store, endsSession: Bool, removing cut: Cut?) throws {
    let rows = try store.metrics.rows()
    let kept = rows.enumerated().filter { cut?.rows.contains($0.offset) != true }.compactMap(\.element)
    try store.metrics.replace(rows, by: kept)
    for table in [store.heldout, store.texts, store.orders, store.beginnings] {
      let rows = try table.rows()
      let kept = rows.compactMap { $0 }.filter { cut?.sequences.contains(Layout.place($0).sequence) != true }
      try table.replace(rows, by: cut.map { cut in kept.map { $0.placed(cut.place) } } ?? kept)
    }
    let events = try store.events.records()
    try store.events.replace(events, by: events.compactMap { $0 }.map { placed($0, cut) })
    let sessions = try store.sessions.records()
    var keptSessions = sessions.compactMap { $0 }.map { placed($0, cut) }
    if endsSession, let last = keptSessions.last, last.text("how").isEmpty {
      let times = [kept.last?.values[2], events.compactMap { $0 }.last?.number("time"), last.number("start")]
      keptSessions[keptSessions.count - 1]["end"] = .number(times.compactMap { $0 }.max() ?? .nan)
      keptSessions[keptSessions.count - 1]["how"] = .text("interrupted")
      keptSessions[keptSessions.count - 1]["step"] = .whole(Int(kept.last?.values[0] ?? 0))
    }
    try store.sessions.replace(sessions, by: keptSessions)
  }

  private static func placed(_ record: Ledger.Record, _ cut: Cut?) -> Ledger.Record {
    guard let cut else { return record }
    var record = record
    record["row"] = .whole(cut.place(record.whole("row")))
    return record
  }

  /// The number of the next event that is no step.
  static func nextSequence(of store: Store) throws -> Int {
    let tables = try [store.heldout, store.texts, store.orders, store.beginnings].flatMap {
      try $0.numbers("sequence").map { Int($0) }
    }
    let ledgers = try (store.events.records() + store.sessions.records()).compactMap { $0?.whole("sequence") }
    return ((tables + ledgers).max() ?? -1) + 1
  }
}
