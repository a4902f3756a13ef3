// Checks the numbers in a journal's entries: a correct checksum does not prove that foretop wrote the entry.
import Run

extension Column {
  /// The rule that a value of this column breaks, in words; nil if the value is valid. Losses and values computed from
  /// them may be anything, since a run may diverge.
  func demand(on value: Double) -> String? {
    if !holds(value) { return "must be a whole number from 0 to 2^53" }
    switch path {
    case "time", "active": return StoredRun.isTime(value) ? nil : "must be a plausible time in seconds"
    case "rate": return value.isFinite ? nil : "must be finite"
    default: return nil
    }
  }
}

extension JournalReader {
  /// The first entry with a number that training never records, in words; nil if there is none.
  /// - Parameter store: the run's file, for the columns.
  /// - Throws: `UserError` where the journal cannot be read.
  static func fault(in path: String, of store: Store) throws -> String? {
    guard let reader = try JournalReader(path) else { return nil }
    let tables = Dictionary(uniqueKeysWithValues: store.numberedTables)
    var number = 0
    while true {
      let place = reader.place
      guard let entry = try reader.next() else { return nil }
      number += 1
      if let fault = fault(of: entry, tables) { return "entry \(number) of \(path), at byte \(place), \(fault)" }
    }
  }

  private static func fault(of entry: Journal.JournalEntry, _ tables: [UInt8: Table]) -> String? {
    switch entry {
    case .row(let number, let row):
      guard let table = tables[number] else { return nil }
      guard row.values.count == table.columns.count else {
        return "has \(row.values.count) numbers for the \(table.columns.count) columns of \(table.group)"
      }
      for (column, value) in zip(table.columns, row.values) {
        if let demand = column.demand(on: value) {
          return "has \(value) in column \(column.path) of \(table.group), which \(demand)"
        }
      }
      return nil
    case .record(let number, let record):
      // Whole numbers are checked where a record is decoded.
      let (group, key) = number == Journal.Number.events ? ("/events", "time") : ("/sessions", "start")
      let time = record.number(key)
      return StoredRun.isTime(time)
        ? nil : "has \(time) in column \(key) of \(group), which must be a plausible time in seconds"
    case .run: return nil
    }
  }
}

extension JournalContents {
  /// - Throws: `Journal.ForeignJournal` with the entry and the column when a number is one that training never records.
  func requireSound(in store: Store) throws {
    guard let fault = try JournalReader.fault(in: path, of: store) else { return }
    throw Journal.ForeignJournal(
      error: UserError(
        .data,
        "\(fault); nothing was changed: put run.journal back from a copy, or move it away to go on with what run.h5 has"
      ))
  }
}
