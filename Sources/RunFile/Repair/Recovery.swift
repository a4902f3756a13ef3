// Repairs a run's file before it is written again: a copy gets a correct superblock, loses damaged and replaced rows,
// replaces the file, and is opened for concurrent readers.
import Foundation
import Run

/// Rows that are replaced, since a replay came out differently.
///
/// Going back to a checkpoint makes a branch, and replaces nothing. What is left is a run that was killed and goes on from its last
/// checkpoint, with rows behind it: these steps are computed again, and come out differently where somebody has changed the rate
/// meanwhile, or the text, the threads or the machine are others. The run has one history, that of its weights.
struct ReplacedHistory {
  /// The first step that came out differently; nil if rows are only to be written again.
  var step: Int?
  /// The replaced rows of /metrics.
  var rows: Range<Int>
  /// The replaced evaluations and samples, by their sequence number.
  var sequences: Set<Int>

  /// Clears the marks after the rows were removed.
  mutating func clear() { (rows, sequences) = (0..<0, []) }

  /// The new row number of a place after the rows are removed.
  func place(_ row: Int) -> Int {
    row <= rows.lowerBound ? row : row <= rows.upperBound ? rows.lowerBound : row - rows.count
  }
}

enum Recovery {
  /// Repairs a run after its last session, and opens it for the next one with an empty journal. The caller holds the
  /// run's lock.
  static func resume(_ folder: String) throws -> (store: Store, journal: Journal) {
    let path = RunFolder(folder).file
    var status = stat()
    if lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFLNK {
      // It says that foretop writes through no link; a file in the link's place would leave the other one as it is.
      _ = try FileDescriptor(opening: path, O_RDWR)
    }
    let created = try changing(path) {
      let store = try whole(folder) {
        try openCopy(of: path)
      } reading: {
        try Store(opening: path, .image(Superblock.repairedImage(of: path)))
      } creating: { beginning, missing in
        FileSystem.discard(RunFolder.copy(of: path))
        return try Store.create(RunFolder.copy(of: path), beginning: beginning, without: missing)
      }
      let created = try store.created
      try closing(store) { try requireReadable(store, path) }
      try publish(store, at: path)
      return created
    }
    try keepCopy(folder)
    let journal = try Journal(creating: RunFolder(folder).journal, of: created)
    try FileSystem.sync(folder)
    let live = try append(path)
    live.attach(journal)
    return (live, journal)
  }

  /// Opens a copy of run.h5, in which rows may be changed or removed. Readers keep the original; the copy has a
  /// temporary name until `publish`.
  /// - Parameter spare: bytes by which the file must be able to grow; they are reserved as a test.
  private static func openCopy(of path: String, spare: Int = 0) throws -> Store {
    // What is said is said of the file that the user knows; what that is taken for goes for the copy as well.
    try Sandbox.require(.overview(path))
    // libhdf5 may have an earlier copy open, and would hand that out again.
    FileSystem.discard(RunFolder.copy(of: path))
    try FileSystem.copy(path, to: RunFolder.copy(of: path), spare: spare)
    try Superblock.repair(RunFolder.copy(of: path))
    let store = try Store(opening: RunFolder.copy(of: path), .alone)
    store.file.path = path
    return store
  }

  /// Runs `body` with a file, and closes the file if that fails.
  private static func closing(_ store: Store, _ body: () throws -> Void) throws {
    do {
      try body()
    } catch {
      store.close()
      throw error
    }
  }

  /// Closes a temporary file and renames it to run.h5.
  private static func publish(_ store: Store, at path: String) throws {
    let new = store.file.path == path ? RunFolder.copy(of: path) : store.file.path
    store.close()
    try FileDescriptor(opening: new, O_RDWR).sync()
    try FileSystem.rename(new, path)
  }

  /// Runs `body`, which writes temporary files. If that fails or a signal ends the process, the files are removed,
  /// since they may have filled the disk.
  static func changing<Result>(_ path: String, _ body: () throws -> Result) throws -> Result {
    let copy = RunFolder.copy(of: path)
    let temporary = [copy, RunFolder.unfinished(copy), RunFolder.unfinished(path)]
    return try TemporaryFile.removing(temporary) {
      do {
        return try body()
      } catch {
        temporary.forEach(FileSystem.discard)
        throw error
      }
    }
  }

  /// Keeps a backup of run.h5: together with a journal that begins now, it suffices to restore run.h5. No process
  /// writes run.h5 meanwhile.
  /// - Parameter shouldContinue: called now and then; if it returns false, nothing is changed.
  static func keepCopy(_ folder: String, while shouldContinue: () -> Bool = { true }) throws {
    try FileDescriptor(opening: RunFolder(folder).file, O_RDWR).sync()
    let aside = RunFolder.unfinished(RunFolder(folder).before)
    try TemporaryFile.removing([aside]) {
      do {
        try FileSystem.copy(RunFolder(folder).file, to: aside, spare: 0, while: shouldContinue)
        guard shouldContinue() else { return try FileSystem.remove(aside) }
        // Its writer has the file open, and the copy has none.
        try Superblock.repair(aside)
        try FileSystem.rename(aside, RunFolder(folder).before)
      } catch {
        FileSystem.discard(aside)
        throw error
      }
      try FileSystem.sync(folder)
    }
  }

  /// Opens a run's file with all rows of run.h5, the journal and the backup from before the session.
  /// - Parameters:
  ///   - opening: opens run.h5, or a copy of it in memory, for changes.
  ///   - reading: opens run.h5 for reading only, if it cannot be opened for changes, for example on a full disk.
  ///   - creating: creates run.h5 again, without some columns, if it cannot be opened.
  static func whole(
    _ folder: String, opening: () throws -> Store, reading: () throws -> Store,
    creating: (Beginning, Set<String>) throws -> Store
  ) throws -> Store {
    let entries = try JournalContents(RunFolder(folder).journal)
    var contents = MergedRows()
    do {
      return try abandoningOnError(opening()) { store in
        try entries.requireRun(of: store)
        try entries.requireSound(in: store)
        // The steps stay in the file where they are whole: a long session has millions, in the journal too.
        contents = try MergedRows(store, changingFrom: store.metrics.count)
        // A file may also have lost its last rows without a trace, unless they were taken out in this session.
        let earlier = try earlier(folder, of: store.created)
        let isShorter = earlier.map { !entries.replacesHistory && store.isShorter(than: $0) } ?? false
        guard contents.isDamaged || isShorter else {
          try merge(entries, into: store)
          try contents.keepSteps(of: store.metrics)
          return try finish(&contents, entries, withSteps: false, in: store)
        }
        contents = try MergedRows(store)
        if let rest = try unlessDamaged({ try earlier.map { try MergedRows($0) } }) {
          contents.fill(from: rest, store.metrics.columns, journalFrom: entries.firstStep)
        }
        try finish(&contents, entries, withSteps: true, in: store)
      }
    } catch let stranger as Journal.ForeignJournal {
      throw stranger.error
    } catch let error as UserError where error.isRefusalToRead {
      throw error
    } catch {
      // What cannot be opened, read or written is made again from what can be read of it and from the rest, if there is one.
      contents = MergedRows()
      let earlier: Store?
      do {
        if let store = try unlessDamaged(reading) {
          try entries.requireRun(of: store)
          contents = try unlessDamaged { try MergedRows(store) } ?? MergedRows()
        }
        earlier = try Self.earlier(folder, of: entries.created)
      } catch let stranger as Journal.ForeignJournal {
        throw stranger.error
      }
      if let earlier, let rest = try unlessDamaged({ try MergedRows(earlier) }) {
        contents.fill(from: rest, earlier.metrics.columns, journalFrom: entries.firstStep)
      }
      let first =
        contents.rows[Journal.Number.beginnings]?.first ?? entries.rows[Journal.Number.beginnings]?.first
      guard let first else { throw FileSystem.exists(RunFolder(folder).file) ? error : StoredRun.missing(folder) }
      let beginning = try SessionStart.beginning(first.payload, source: RunFolder(folder).journal)
      let missing = earlier?.missing ?? entries.missing(beginning.recipe)
      do {
        return try abandoningOnError(creating(beginning, missing)) { store in
          try entries.requireSound(in: store)
          try finish(&contents, entries, withSteps: true, in: store)
        }
      } catch let stranger as Journal.ForeignJournal {
        throw stranger.error
      }
    }
  }

  /// Opens the backup of run.h5 from before the session.
  /// - Parameter created: when the run began; nil if unknown.
  /// - Returns: nil if there is no backup, or it cannot be read.
  /// - Throws: `Journal.ForeignJournal` when the backup is of another run: none of its rows may get into this run.
  private static func earlier(_ folder: String, of created: Double?) throws -> Store? {
    guard FileSystem.exists(RunFolder(folder).before),
      let store = try unlessDamaged({ try Store(opening: RunFolder(folder).before, .still) })
    else { return nil }
    guard let created, let its = try store.created, its != created else { return store }
    throw Journal.ForeignJournal(
      error: UserError(
        .data,
        "\(RunFolder(folder).before) belongs to another run, and \(RunFolder(folder).file) was not changed: put the right file there, or "
          + "move it away"
      ))
  }

  private static func finish(
    _ contents: inout MergedRows, _ entries: JournalContents, withSteps: Bool, in store: Store
  ) throws {
    contents.add(try MergedRows(entries, like: store, withSteps: withSteps), store.metrics.columns)
    contents.placeInside()
    contents.endSession()
    try store.reserve()
    try contents.replace(in: store)
    try store.file.flush()
  }

  /// Runs `body` with a file. If that fails, the file is abandoned without closing: closing a file that cannot be
  /// written may end the process.
  static func abandoningOnError(_ store: Store, _ body: (Store) throws -> Void) throws -> Store {
    do {
      try body(store)
      return store
    } catch {
      store.abandon()
      throw error
    }
  }

  /// Replaces run.h5 during a session by a file without the rows that a replay has replaced. No one has the file open.
  /// - Parameter spare: bytes by which the file must be able to grow; they are reserved as a test.
  static func rewrite(_ path: String, removing cut: ReplacedHistory?, spare: Int) throws {
    try changing(path) {
      let store = try abandoningOnError(openCopy(of: path, spare: spare)) { store in
        try store.reserve()
        var contents = try MergedRows(store, changingFrom: cut?.rows.lowerBound ?? store.metrics.count)
        if let cut { contents.remove(cut) }
        try contents.replace(in: store)
        try store.file.flush()
      }
      try closing(store) { try requireReadable(store, path) }
      try publish(store, at: path)
    }
  }

  /// Opens run.h5 for its writer, with concurrent readers.
  static func append(_ path: String) throws -> Store {
    try abandoningOnError(Store(opening: path, .append)) { store in
      _ = try store.overview()
      try store.reserve()
      try store.file.flush()
    }
  }

  /// Syncs a closed file to the disk; removes the journal and the backup if the file is undamaged.
  static func settle(_ folder: String, like store: Store) throws {
    let path = RunFolder(folder).file
    let descriptor = try FileDescriptor(opening: path, O_RDWR)
    try descriptor.giveBackReserve()
    try descriptor.sync()
    guard try isWhole(path, like: store) else { return }
    try FileSystem.remove(RunFolder(folder).journal)
    try FileSystem.remove(RunFolder(folder).before)
    try FileSystem.sync(folder)
  }

  /// True if all rows of a closed file are undamaged.
  private static func isWhole(_ path: String, like store: Store) throws -> Bool {
    let closed = try Store(opening: path, .still)
    let counts = store.numberedTables.map { $1.total } + store.numberedEventTables.map { $1.total }
    let stored = closed.numberedTables.map { $1.count } + closed.numberedEventTables.map { $1.count }
    guard counts == stored else { return false }
    var history = RowChecks(closed)
    try history.examine()
    return history.damaged == 0 && history.contradictions.isEmpty
  }

  /// The number of the next event that is not a step.
  static func nextSequence(of store: Store) throws -> Int {
    let tables = try store.placedTables.flatMap {
      try $0.rows().compactMap { $0.map(FileLayout.place)?.sequence }
    }
    let eventTables = try (store.events.records() + store.sessions.records()).compactMap { $0?.whole("sequence") }
    return ((tables + eventTables).max() ?? -1) + 1
  }
}
