// Merges a journal's steps into a file, batch by batch; and checks a file before it replaces run.h5.
import Foundation
import Run

extension Recovery {
  /// Number of a journal's steps in memory at a time.
  private static let batch = 16_384

  /// Merges a journal's steps into a file with undamaged rows: they replace the file's rows of the same steps. The
  /// file's rows after the journal's last step are kept if that step's row is the same in both.
  static func merge(_ journal: JournalContents, into store: Store) throws {
    let metrics = store.metrics
    var ends: (first: Table.Row, last: Table.Row)?
    try journal.forEachStep { if metrics.fits($0) { ends = (ends?.first ?? $0, $0) } }
    guard let ends else { return }
    let end = try metrics.firstRow(from: ends.last.values[0])
    let isSame = try metrics.rows(from: end, count: 1).first??.isSame(as: ends.last, metrics.columns) ?? false
    let count = metrics.count
    var place = try metrics.firstRow(from: ends.first.values[0])
    var known = (start: place, rows: [Table.Row?]())
    var isEqual = true
    var tail: [Table.Row] = []
    var waiting: [Table.Row] = []
    try journal.forEachStep { row in
      guard metrics.fits(row) else { return }
      if isEqual {
        if place < count, place >= known.start + known.rows.count {
          known = (place, try metrics.rows(from: place, count: batch))
        }
        if place < count, known.rows[place - known.start]?.isSame(as: row, metrics.columns) == true {
          place += 1
          return
        }
        isEqual = false
        if isSame { tail = try metrics.rows(from: end + 1).compactMap { $0 } }
        try metrics.cut(to: place)
      }
      waiting.append(row)
      guard waiting.count == batch else { return }
      try metrics.add(waiting) { try store.reserve() }
      waiting = []
    }
    if !isEqual { try metrics.add(waiting + tail) { try store.reserve() } }
  }

  /// Checks that foretop can open a file before it replaces run.h5 or is returned.
  /// - Parameter path: the path to name in errors.
  static func requireReadable(_ store: Store, _ path: String) throws {
    try HDF5Whitelist.check(store)
    var history = RowChecks(store)
    try history.examine()
    if try store.beginnings.rows().allSatisfy({ $0 == nil }) {
      history.contradict("there is no record of how the run began")
    }
    guard let problem = history.contradictions.first else { return }
    throw UserError(
      .data,
      "\(path) and its journal do not make a valid run: \(problem); nothing was changed. “foretop verify” says which "
        + "file is damaged: put that one back from a copy, or move run.journal away to go on with what run.h5 has")
  }
}
