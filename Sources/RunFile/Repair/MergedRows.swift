// All rows of a run in memory, and how three sources become one: run.h5, the copy of it from before the session, and the
// journal.
import Foundation
import Run

struct MergedRows {
  /// Tables by their number in the journal, and ledgers.
  var rows: [UInt8: [Table.Row]] = [:]
  var records: [UInt8: [RecordFormat.Record]] = [:]
  /// How many of the first rows of /metrics are whole, stay in the file as they are, and are not among `rows`: a long
  /// run's steps do not all go through memory because its end was cut off.
  private(set) var kept = 0
  /// Whether rows were missing whose checksum did not hold.
  var isDamaged = false

  init() {}

  /// What a file has and is whole.
  /// - Parameter row: the first row of /metrics that may be changed; with a damaged row, all may.
  init(_ store: Store, changingFrom row: Int = 0) throws {
    for (number, table) in store.numberedTables {
      // The last of those that stay says where the run was.
      if number == Journal.Number.metrics, row > 1, try Self.isWhole(table) { kept = max(0, min(row, table.count) - 1) }
      let all = try table.rows(from: number == Journal.Number.metrics ? kept : 0)
      let whole = all.compactMap { $0 }
      isDamaged = isDamaged || whole.count < all.count
      rows[number] = whole
    }
    for (number, ledger) in store.numberedEventTables {
      let all = try ledger.records()
      let whole = all.compactMap { $0 }
      isDamaged = isDamaged || whole.count < all.count
      records[number] = whole
    }
  }

  /// Whether every row's checksum holds, and steps rise.
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

  /// What a journal has, as a file would give it back. Entries that do not fit the file's columns are passed over.
  /// - Parameter withSteps: whether its rows of /metrics are read into memory too.
  init(_ journal: JournalContents, like store: Store, withSteps: Bool) throws {
    for (number, table) in store.numberedTables { rows[number] = journal.rows[number]?.filter(table.fits) }
    records = journal.records
    guard withSteps else { return }
    var steps: [Table.Row] = []
    try journal.forEachStep { if store.metrics.fits($0) { steps.append($0) } }
    rows[Journal.Number.metrics] = steps
  }

  /// Takes the rows of /metrics for what the file has by now.
  mutating func keepSteps(of metrics: Table) throws {
    kept = max(0, metrics.count - 1)
    rows[Journal.Number.metrics] = try metrics.rows(from: kept).compactMap { $0 }
  }

  /// Takes in what another source has: what both have is there once, as `newer` has it.
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

  /// Steps rise: where the newer source begins, the older one's history ends. What the older one has past the end of the
  /// newer one counts where both tell the same history.
  private static func steps(_ old: [Table.Row], _ new: [Table.Row], _ columns: [Column]) -> [Table.Row] {
    guard let first = new.first?.values[0], let last = new.last else { return old }
    let isSame = old.contains { $0.values[0] == last.values[0] && $0.isSame(as: last, columns) }
    return old.filter { $0.values[0] < first } + new + (isSame ? old.filter { $0.values[0] > last.values[0] } : [])
  }

  /// Puts back what is damaged, from an earlier copy of the same file.
  /// - Parameters:
  ///   - columns: of /metrics.
  ///   - first: the first step that the journal has; nil where it has none.
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

  /// Elements of both, in order of a number that only one has; a later one replaces an earlier one.
  private static func merged<Element>(_ old: [Element], _ new: [Element], by key: (Element) -> Int) -> [Element] {
    joined(old, new, by: key).sorted { key($0) < key($1) }
  }

  /// Elements of both, in the order in which they came; a later one takes the place of an earlier one with the same number.
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

  /// Takes out what a replay has shown to be of another history. Rows are counted as in the file that these came from.
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

  /// Puts what came behind rows that are lost behind the last that there is: a power cut takes the last second of rows, and
  /// leaves what was confirmed since.
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

  /// Says of the last session that it was interrupted, where nothing says how it ended.
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

  /// Makes this all that a file has.
  func replace(in store: Store) throws {
    for (number, table) in store.numberedTables {
      let kept = number == Journal.Number.metrics ? kept : 0
      try table.replace(keeping: kept, table.rows(from: kept), by: rows[number] ?? [])
    }
    for (number, ledger) in store.numberedEventTables {
      try ledger.replace(ledger.records(), by: records[number] ?? [])
    }
    try store.overview()?.mend()
  }
}
