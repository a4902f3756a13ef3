// All rows of a run in memory, merged from three sources: run.h5, its backup from before the session, and the journal.
import Foundation
import Run

struct MergedRows {
  /// Rows of the tables, by the table's number in the journal.
  var rows: [UInt8: [Table.Row]] = [:]
  /// Records of the event tables, by the table's number in the journal.
  var records: [UInt8: [RecordFormat.Record]] = [:]
  /// Number of leading rows of /metrics that are undamaged, stay in the file and are not in `rows`, so that repairing
  /// the end of a long run does not load all its steps.
  private(set) var kept = 0
  /// True if rows were damaged and left out.
  var isDamaged = false

  init() {}

  /// Reads the undamaged rows of a file.
  /// - Parameter row: the first row of /metrics that may be changed; if a row is damaged, all rows may be changed.
  init(_ store: Store, changingFrom row: Int = 0) throws {
    for (number, table) in store.numberedTables {
      // The last of those that stay says where the run was.
      if number == Journal.Number.metrics, row > 1, try Self.isWhole(table) { kept = max(0, min(row, table.count) - 1) }
      let all = try table.rows(from: number == Journal.Number.metrics ? kept : 0)
      let whole = all.compactMap { $0 }
      isDamaged = isDamaged || whole.count < all.count
      rows[number] = whole
    }
    for (number, table) in store.numberedEventTables {
      let all = try table.records()
      let whole = all.compactMap { $0 }
      isDamaged = isDamaged || whole.count < all.count
      records[number] = whole
    }
  }

  /// True if all rows are undamaged, and steps ascend.
  private static func isWhole(_ metrics: Table) throws -> Bool {
    var last = -Double.infinity
    var isWhole = true
    try metrics.forEachBlock { block in
      for index in 0..<block.count where isWhole {
        isWhole = block.isWhole[index] && block.columns[0][index] > last
        last = block.columns[0][index]
      }
    }
    return isWhole
  }

  /// Reads the rows of a journal. Entries that do not fit the file's columns are skipped.
  /// - Parameter withSteps: whether its rows of /metrics are read into memory too.
  init(_ journal: JournalContents, like store: Store, withSteps: Bool) throws {
    for (number, table) in store.numberedTables { rows[number] = journal.rows[number]?.filter(table.fits) }
    records = journal.records
    guard withSteps else { return }
    var steps: [Table.Row] = []
    try journal.forEachStep { if store.metrics.fits($0) { steps.append($0) } }
    rows[Journal.Number.metrics] = steps
  }

  /// Marks the current rows of /metrics in the file as kept.
  mutating func keepSteps(of metrics: Table) throws {
    kept = max(0, metrics.count - 1)
    rows[Journal.Number.metrics] = try metrics.rows(from: kept).compactMap { $0 }
  }

  /// Merges the rows of a newer source. Rows that both sources have are taken from `newer`.
  /// - Parameter columns: of /metrics.
  mutating func add(_ newer: MergedRows, _ columns: [Column]) {
    for (number, new) in newer.rows {
      let old = rows[number] ?? []
      rows[number] =
        number == Journal.Number.metrics
        ? Self.steps(old, new, columns) : Self.merged(old, new) { FileLayout.place($0).sequence }
    }
    for (number, new) in newer.records {
      let old = records[number] ?? []
      if number == Journal.Number.events {
        records[number] = Self.merged(old, new) { $0.whole("sequence") }
      } else {
        // A session's later record says how it ended. They stay in the order in which they came: a clock may be set back.
        records[number] = Self.joined(old, new) {
          Int(truncatingIfNeeded: $0.number("start").bitPattern) ^ $0.whole("pid")
        }
      }
    }
  }

  /// Merges steps: the older source's rows from the newer source's first step on are dropped. Old rows after the newer
  /// source's last step are kept only if that step's row is the same in both.
  private static func steps(_ old: [Table.Row], _ new: [Table.Row], _ columns: [Column]) -> [Table.Row] {
    guard let first = new.first?.values[0], let last = new.last else { return old }
    let isSame = old.contains { $0.values[0] == last.values[0] && $0.isSame(as: last, columns) }
    return old.filter { $0.values[0] < first } + new + (isSame ? old.filter { $0.values[0] > last.values[0] } : [])
  }

  /// Restores damaged rows from an earlier copy of the same file.
  /// - Parameters:
  ///   - columns: of /metrics.
  ///   - first: the first step in the journal; nil if the journal has no step.
  mutating func fill(from earlier: MergedRows, _ columns: [Column], journalFrom first: Double?) {
    precondition(kept == 0, "what is damaged was read as a whole")
    let metrics = rows[Journal.Number.metrics] ?? []
    // Steps past the end may be of a history that was replaced: then the journal has those that replaced them. Before
    // the journal's first step, and without any step, there is no other history.
    let last = max(metrics.last?.values[0] ?? .infinity, first ?? .infinity)
    var filled = earlier
    filled.rows[Journal.Number.metrics] = earlier.rows[Journal.Number.metrics]?.filter { $0.values[0] < last }
    let steps = Self.merged(filled.rows[Journal.Number.metrics] ?? [], metrics) { Int($0.values[0]) }
    filled.add(self, columns)
    filled.rows[Journal.Number.metrics] = steps
    self = filled
  }

  /// The elements of both lists, sorted by a unique number; elements of `new` replace those of `old` with the same
  /// number.
  private static func merged<Element>(_ old: [Element], _ new: [Element], by key: (Element) -> Int) -> [Element] {
    joined(old, new, by: key).sorted { key($0) < key($1) }
  }

  /// The elements of both lists, in their order; elements of `new` replace those of `old` with the same number.
  private static func joined<Element>(_ old: [Element], _ new: [Element], by key: (Element) -> Int) -> [Element] {
    var places: [Int: Int] = [:]
    var all: [Element] = []
    for element in old + new {
      if let place = places[key(element)] {
        all[place] = element
      } else {
        places[key(element)] = all.count
        all.append(element)
      }
    }
    return all
  }

  /// Removes the rows that a replay has replaced. Row numbers are those of the original file.
  mutating func remove(_ cut: ReplacedHistory) {
    let metrics = rows[Journal.Number.metrics] ?? []
    let first = kept
    precondition(cut.rows.lowerBound >= first, "rows that are taken out are not among those that stay")
    rows[Journal.Number.metrics] = metrics.enumerated().filter { !cut.rows.contains(first + $0.offset) }.map(\.element)
    for number in rows.keys where number != Journal.Number.metrics {
      rows[number] = rows[number]?.filter { !cut.sequences.contains(FileLayout.place($0).sequence) }
        .map { $0.placed(cut.place) }
    }
    for number in records.keys {
      records[number] = records[number]?.map { record in
        var record = record
        record["row"] = .whole(cut.place(record.whole("row")))
        return record
      }
    }
  }

  /// Moves events whose preceding rows are lost to the end of the existing rows: a power failure loses the last second
  /// of rows, but not confirmed events.
  mutating func placeInside() {
    let count = kept + (rows[Journal.Number.metrics]?.count ?? 0)
    for number in rows.keys where number != Journal.Number.metrics {
      rows[number] = rows[number]?.map { $0.placed { min($0, count) } }
    }
    for number in records.keys {
      records[number] = records[number]?.map { record in
        guard record.whole("row") > count else { return record }
        var record = record
        record["row"] = .whole(count)
        return record
      }
    }
  }

  /// Marks the last session as interrupted, if no end was recorded.
  mutating func endSession() {
    guard var last = records[Journal.Number.sessions]?.last, last.text("how").isEmpty else { return }
    let step = rows[Journal.Number.metrics]?.last
    let times = [step?.values[2], records[Journal.Number.events]?.last?.number("time"), last.number("start")]
    last["end"] = .number(times.compactMap { $0 }.max() ?? .nan)
    last["how"] = .text("interrupted")
    last["step"] = .whole(Int(step?.values[0] ?? 0))
    let index = (records[Journal.Number.sessions]?.count ?? 1) - 1
    records[Journal.Number.sessions]?[index] = last
  }

  /// Fills a new file with the rows of a store that stay and with these rows, and closes the file.
  /// - Parameter path: of the file, for errors.
  func fill(_ copy: Store, besideRowsOf store: Store, at path: String) throws {
    try Recovery.abandoningOnError(copy) { copy in
      try copy.reserve(more: Int(store.file.end) + 4 << 20)
      try store.metrics.forEachBlock(to: kept) { block in try copy.metrics.add(block) }
      try replace(in: copy)
      try copy.giveBackReserve()
      try copy.file.flush()
      try Recovery.requireReadable(copy, path)
    }.close()
  }

  /// Replaces the content of a file by these rows.
  func replace(in store: Store) throws {
    for (number, table) in store.numberedTables {
      let kept = number == Journal.Number.metrics ? kept : 0
      try table.replace(keeping: kept, table.rows(from: kept), by: rows[number] ?? [])
    }
    for (number, table) in store.numberedEventTables {
      try table.replace(table.records(), by: records[number] ?? [])
    }
    try store.overview()?.mend()
  }
}
