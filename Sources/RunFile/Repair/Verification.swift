// Verifies a run's files: every checksum, and the consistency of the values. Changes nothing.
import Foundation
import Run

/// The checks of a run and their results.
package struct Verification: Sendable {
  /// The check of one part of a run.
  package struct Check: Sendable {
    /// `run.h5 /metrics`, `checkpoints/000000200.h5`.
    package let name: String
    /// The content of the part, in a few words: `200 rows, 20 columns`.
    package var holds = ""
    /// Faults, a sentence each.
    package var problems: [String] = []
    /// Remarks that are not faults.
    package var notes: [String] = []

    init(_ name: String) { self.name = name }
  }

  package private(set) var checks: [Check] = []

  package var isWhole: Bool { checks.allSatisfy(\.problems.isEmpty) }

  /// Verifies a run. Parts that a live run is just writing may be incomplete and are examined again.
  /// - Parameter folder: `runs/NAME`.
  /// - Throws: `UserError` when there is no such run.
  package init(of folder: String) throws {
    guard StoredRun.isThere(folder) else { throw StoredRun.missing(folder) }
    var tries = 0
    while true {
      let isLive = RunLock.isHeld(folder: folder)
      let fault = try isLive ? nil : Self.fault(ofJournalIn: folder)
      // Once: a run that was killed is put together for it. What is wrong with the journal is not run.h5's fault.
      let run = Result { fault == nil ? try StoredRun.open(folder) : try Self.alone(folder) }
      let store = try? run.get()
      checks = try Self.file(folder, run, isLive: isLive, withJournal: fault == nil)
      checks.append(try Self.journal(folder, isLive: isLive, fault: fault))
      if let notes = try Self.notes(folder, isLive: isLive) { checks.append(notes) }
      checks += try Self.checkpoints(folder, of: store)
      if !isLive, let store, let missing = try Self.missingCheckpoint(folder, of: store) { checks.append(missing) }
      if let leftovers = try Self.leftovers(folder, isLive: isLive) { checks.append(leftovers) }
      tries += 1
      if isWhole || !isLive || tries == 5 { return }
      usleep(400_000)
    }
  }

  // MARK: run.h5

  /// run.h5 alone, without the journal.
  private static func alone(_ folder: String) throws -> Store {
    let path = RunFolder(folder).file
    return try Store(opening: path, .image(Superblock.repairedImage(of: path)))
  }

  /// - Parameters:
  ///   - run: run.h5 merged with the journal, or the error of opening it.
  ///   - withJournal: whether the journal is undamaged and merged into `run`.
  private static func file(
    _ folder: String, _ run: Result<Store, any Error>, isLive: Bool, withJournal: Bool
  ) throws -> [Check] {
    var check = Check(RunFolder.fileName)
    do {
      let path = RunFolder(folder).file
      let whole = try run.get()
      let isInterrupted = try !isLive && !StoredRun.isClosed(folder)
      let isMended = isInterrupted && withJournal && FileSystem.exists(RunFolder(folder).journal)
      let hole = isMended ? Self.hole(in: path) : nil
      let isMadeAnew = hole != nil && hasAllSteps(whole)
      if let hole, isMadeAnew {
        check.notes.append("\(hole); run.journal and run.h5.before have all rows, and “foretop recover” mends the file")
      }
      let store = isMended && !isMadeAnew ? try alone(folder) : whole
      check.holds = "format \(FileLayout.formatVersion), heads \(store.heads.map(\.name).joined(separator: ", "))"
      let strangers = try HDF5Whitelist.strangers(in: store)
      if !strangers.isEmpty {
        check.notes.append("foretop did not write \(strangers.joined(separator: ", ")), and does not read it")
      }
      if isInterrupted {
        check.notes.append(
          "its writer ended without closing it: “foretop resume” goes on with it, “foretop recover” closes it")
      }
      if isLive { check.notes.append("a process is writing it: its state when it was opened was examined") }
      let rows = try contents(
        store, whole, isMended: isMended && !isMadeAnew, isLive: isLive, isInterrupted: isInterrupted)
      return [check] + rows + [try overview(whole), try history(whole)]
    } catch {
      try check.note(error)
      return [check]
    }
  }

  /// A sentence about a file that is refused because most of it is a hole; nil for other files.
  private static func hole(in path: String) -> String? {
    do {
      try FileDescriptor(opening: path, O_RDONLY).requireStored()
      return nil
    } catch { return (error as? UserError)?.status == .data ? "\(error)" : nil }
  }

  /// True if a run that was restored from its other files has every step from its beginning on.
  private static func hasAllSteps(_ store: Store) -> Bool {
    guard let first = try? store.beginnings.rows(from: 0, count: 1).first ?? nil else { return false }
    guard let step = try? store.metrics.rows(from: 0, count: 1).first ?? nil else { return true }
    return step.values[0] <= first.values[0] + 1
  }

  /// Checks every row's and every record's checksum.
  /// - Parameter whole: the same file merged with the journal.
  private static func contents(
    _ store: Store, _ whole: Store, isMended: Bool, isLive: Bool, isInterrupted: Bool
  ) throws -> [Check] {
    let tables = try zip(store.numberedTables, whole.numberedTables).map { pair, other in
      let table = pair.1
      var check = Check("run.h5 \(table.group)")
      let rows = try table.rows()
      check.holds = "\(rows.count) \(rows.count == 1 ? "row" : "rows"), \(table.columns.count) columns"
      check.compare(rows.map { $0 != nil }, mendedTo: isMended ? other.1.count : nil)
      let longer = try table.lengths().filter { $0.rows != table.count }
      if !longer.isEmpty, whole === store, !isMended {
        let words = longer.prefix(3).map { "\($0.path) \($0.rows)" }.joined(separator: ", ")
        // A file that was closed has all of every row.
        if !isLive, !isInterrupted { check.problems.append("its columns differ in length: \(words)") }
        check.notes.append("some columns are longer than these \(rows.count) rows, which have checksums: \(words)")
      }
      return check
    }
    let eventTables = try zip(store.numberedEventTables, whole.numberedEventTables).map { pair, other in
      var check = Check(pair.0 == Journal.Number.events ? "run.h5 /events" : "run.h5 /sessions")
      let records = try pair.1.records()
      check.holds = "\(records.count) \(records.count == 1 ? "record" : "records")"
      check.compare(records.map { $0 != nil }, mendedTo: isMended ? other.1.count : nil)
      return check
    }
    return tables + eventTables
  }

  /// Checks the overview of /metrics: every row must be the sum of the rows below it.
  private static func overview(_ store: Store) throws -> Check {
    var check = Check("run.h5 /overview")
    do {
      guard let overview = try store.overview() else {
        check.holds = "none: an older foretop began this run"
        return check
      }
      check.holds = overview.levels.map { "\($0.count)" }.joined(separator: ", ") + " rows"
      check.problems = try overview.problems()
    } catch {
      try check.note(error)
    }
    return check
  }

  /// Checks the consistency of the rows, and every JSON string in them.
  private static func history(_ store: Store) throws -> Check {
    var check = Check("run.h5 history")
    do {
      var history = RowChecks(store)
      try history.examine()
      check.holds = history.holds
      check.problems = history.problems
      check.notes = history.notes
    } catch {
      try check.note(error)
    }
    return check
  }

  // MARK: What lies beside it

  /// The first invalid number in a journal with correct checksums, in words; nil if there is none.
  private static func fault(ofJournalIn folder: String) throws -> String? {
    let path = RunFolder(folder).journal
    guard FileSystem.exists(path), let store = try? alone(folder) else { return nil }
    return try unlessDamaged { try JournalReader.fault(in: path, of: store) }
  }

  private static func journal(_ folder: String, isLive: Bool, fault: String?) throws -> Check {
    var check = Check(RunFolder.journalName)
    let path = RunFolder(folder).journal
    guard FileSystem.exists(path) else {
      check.holds = "none: run.h5 has all"
      return check
    }
    do {
      let examined = try Journal.examined(path)
      check.holds = "\(examined.entries) \(examined.entries == 1 ? "entry" : "entries")"
      if let fault {
        check.problems.append(
          "\(fault): put run.journal back from a copy, or move it away to go on with what run.h5 has")
      }
      if let place = examined.damage {
        check.problems.append("run.journal is damaged at byte \(place): the entries after that are lost")
      } else if examined.rest > 0, !isLive {
        check.notes.append("its last entry is truncated: these \(examined.rest) bytes were never confirmed")
      }
    } catch {
      try check.note(error)
    }
    return check
  }

  /// Checks the notes and tags that wait in notes.jsonl; nil if there are none.
  private static func notes(_ folder: String, isLive: Bool) throws -> Check? {
    let path = RunFolder(folder).notes
    guard FileSystem.exists(path) else { return nil }
    var check = Check(RunFolder.notesName)
    do {
      let (notes, others) = try Notes.examined(folder)
      check.holds = "\(notes) \(notes == 1 ? "note or tag" : "notes and tags") that run.h5 may not have yet"
      if others > 0 {
        check.problems.append("\(others) of its lines \(others == 1 ? "is not a note" : "are not notes") of foretop's")
      }
      if !isLive { check.notes.append("“foretop recover” and “foretop resume” put them into run.h5") }
    } catch {
      try check.note(error)
    }
    return check
  }

  /// - Parameter store: the run's file, if it can be opened.
  private static func checkpoints(_ folder: String, of store: Store?) throws -> [Check] {
    let files = CheckpointFolder(folder)
    let identity = try? store?.identity
    return try files.list().map { summary in
      var check = Check(RunFolder.checkpointPath(of: summary.step))
      do {
        let checkpoint = try files.read(summary.step, of: identity)
        let times = checkpoint.drawing.isEmpty ? "three" : "four"
        check.holds = "\(checkpoint.tensors.count) tensors \(times) times, \(summary.bytes) bytes"
        for (name, block) in [
          ("weights", checkpoint.weights), ("first moments", checkpoint.firstMoments),
          ("second moments", checkpoint.secondMoments), ("frozen weights", checkpoint.drawing),
        ] where !block.allSatisfy(\.isFinite) { check.problems.append("its \(name) are not all finite") }
      } catch {
        try check.note(error)
      }
      return check
    }
  }

  /// Reports the newest recorded checkpoint if it is missing or a link: pruning never removes the newest one.
  private static func missingCheckpoint(_ folder: String, of store: Store) throws -> Check? {
    // Events that cannot be read are a problem of run.h5, which is said of it.
    let records = (try? store.events.records()) ?? []
    let saved = records.compactMap { $0.flatMap(FileLayout.occurrence) }.filter { $0.kind == .saved }
    let files = CheckpointFolder(folder)
    guard let last = saved.last, try !files.list().map(\.step).contains(last.step) else { return nil }
    var check = Check(RunFolder.checkpointPath(of: last.step))
    check.holds =
      FileSystem.exists(files.path(of: last.step)) ? "it is a link, and is not read" : "it was saved, and is missing"
    check.notes = ["put it back if it was moved away; “foretop resume” goes on from the newest that is there"]
    return check
  }

  /// Reports unfinished files of a killed writer; nil if there are none.
  private static func leftovers(_ folder: String, isLive: Bool) throws -> Check? {
    guard !isLive else { return nil }
    let names =
      try FileSystem.names(in: folder).filter(RunFolder.isUnfinished)
      + FileSystem.names(in: RunFolder(folder).checkpoints).filter(RunFolder.isUnfinished)
      .map { "\(RunFolder.checkpointsName)/\($0)" }
    guard !names.isEmpty else { return nil }
    var check = Check("leftovers")
    check.holds = names.joined(separator: ", ")
    check.notes = ["not finished when the run was killed; “foretop resume” and “foretop recover” remove them"]
    return check
  }
}

extension Verification.Check {
  /// Records an error as a problem of the checked part.
  /// - Throws: the error, if the machine or the file system is at fault: a part that could not be read is not
  ///   necessarily damaged.
  fileprivate mutating func note(_ error: any Error) throws {
    if let error = error as? UserError, error.status == .unavailable || error.isRefusalToRead { throw error }
    problems.append("\(error)")
  }

  /// Reports which rows are damaged, and which of them the journal restores.
  /// - Parameter count: the number of rows after merging the journal; nil if there is no journal.
  fileprivate mutating func compare(_ isWhole: [Bool], mendedTo count: Int?) {
    let damaged = isWhole.indices.filter { !isWhole[$0] }
    if let count {
      // Rows at the end that do not hold were never confirmed.
      let confirmed = (isWhole.lastIndex(of: true) ?? -1) + 1
      if count < confirmed {
        problems.append("\(confirmed - count) rows are damaged, and are not in the journal")
      }
      if count > isWhole.count - damaged.count {
        notes.append("\(count - isWhole.count + damaged.count) more are in the journal")
      }
    } else if !damaged.isEmpty {
      let places = damaged.prefix(5).map(String.init).joined(separator: ", ") + (damaged.count > 5 ? " …" : "")
      problems.append("the checksum does not hold in \(damaged.count) of \(isWhole.count) rows: row \(places)")
    }
  }
}
