// Reads a stored run: a live one, one that ended, or one that was killed. Never writes.
import Foundation
import Run

/// The state of a stored run.
package enum RunStatus: String, Codable, Sendable, CaseIterable {
  /// A process begins it now, and run.h5 does not exist yet.
  case starting
  /// A process writes it now.
  case training
  case finished, stopped, abandoned, diverged, failed
  /// The process ended without recording an end: it was killed, or the power failed.
  case interrupted
}

/// A run to read from. Its file is open only during a call, so that the same process may resume the run.
package struct StoredRun: Sendable {
  /// `runs/NAME`.
  package let folder: String
  package let name: String
  /// The beginning of the newest session, whose recipe includes the changes of the last resume.
  package let beginning: Beginning
  /// The run's state when it was opened.
  package let state: RunStatus
  /// The heads of the run's columns.
  let heads: [Head]
  /// What the run's other files identify the run by.
  let identity: RunIdentity
  /// Names of objects in run.h5 that foretop did not write and does not read.
  package let strangers: [String]

  package var recipe: Recipe { beginning.recipe }

  /// Opens a run. A live run is read while its process writes; a killed run is read from a repaired copy in memory.
  /// - Throws: `UserError` when there is no such run, or its file cannot be read.
  package init(opening folder: String) throws { self = try Self.reading(folder) { run, _ in run } }

  /// Opens a run, and reads more of it before its file is closed again: opening the file takes most of the time.
  static func reading<Result>(_ folder: String, _ body: (StoredRun, Store) throws -> Result) throws -> Result {
    let isLive = RunLock.isHeld(folder: folder)
    let store = try open(folder)
    return try body(StoredRun(folder, store, isLive: isLive), store)
  }

  /// Reads the run from an open file.
  init(_ folder: String, _ store: Store, isLive: Bool) throws {
    self.folder = folder
    name = (folder as NSString).lastPathComponent
    heads = store.heads
    identity = try store.identity
    strangers = (try? HDF5Whitelist.strangers(in: store)) ?? []
    let sessions = try store.sessions.records().compactMap { $0 }
    state = isLive ? .training : RunStatus(rawValue: sessions.last?.text("how") ?? "") ?? .interrupted
    let beginnings = try store.beginnings.rows().compactMap { $0 }
    guard let last = beginnings.last else {
      throw UserError(
        .data,
        "\(RunFolder(folder).file) has no record of how the run began: nothing was recorded, or the file is damaged")
    }
    var beginning = try Self.beginning(of: last, in: store, named: name)
    beginning.parent = identity.parent
    self.beginning = beginning
  }

  /// The beginning of a session.
  /// - Parameter name: the current name of the run's folder, which may have been renamed since.
  static func beginning(of row: Table.Row, in store: Store, named name: String) throws -> Beginning {
    var beginning = try SessionStart.beginning(row.payload, source: store.file.path)
    beginning.name = name
    return beginning
  }

  /// Examines the files of these runs at once, which is faster than one after the other.
  /// - Parameter withCheckpoints: whether the checkpoints are going to be read too.
  package static func prepare(_ folders: [String], withCheckpoints: Bool) {
    Sandbox.prepare(
      folders.flatMap { folder in
        let checkpoints = CheckpointFolder(folder)
        let steps = withCheckpoints ? (try? checkpoints.list().map(\.step)) ?? [] : []
        return ([RunFolder(folder).file, RunFolder(folder).before] + steps.map(checkpoints.path)).map(
          SandboxedFile.hdf5)
      })
  }

  func open() throws -> Store { try Self.open(folder) }

  static func open(_ folder: String) throws -> Store {
    let path = RunFolder(folder).file
    guard isThere(folder) else { throw missing(folder) }
    var tries = 0
    while true {
      let isLive = RunLock.isHeld(folder: folder)
      do {
        guard isLive else { return try still(folder) }
        let block = try FileDescriptor(opening: path, O_RDONLY).read(at: 0, count: Superblock.size)
        return try Store(opening: path, Superblock(block, path: path).isMarkedOpen ? .live : .still)
      } catch let error as UserError {
        // A writer that has just begun put another file in this one's place.
        guard isLive else { throw error }
        tries += 1
        guard tries < 20 else {
          // The run exists, though its file does not yet.
          throw UserError(
            error.status == .noInput ? .unavailable : error.status,
            "\(error.message) (the run is being written: try again in a second)")
        }
        usleep(50_000)
      }
    }
  }

  /// Opens a run that no process writes; what a killed session left is merged in memory.
  private static func still(_ folder: String) throws -> Store {
    let path = RunFolder(folder).file
    guard FileSystem.exists(RunFolder(folder).journal) else {
      let block = try FileDescriptor(opening: path, O_RDONLY).read(at: 0, count: Superblock.size)
      guard try Superblock(block, path: path).isMarkedOpen else { return try Store(opening: path, .still) }
      return try Store(opening: path, .image(Superblock.repairedImage(of: path)))
    }
    let image = { try Store(opening: path, .image(Superblock.repairedImage(of: path))) }
    return try Recovery.whole(folder, opening: image, reading: image) { beginning, missing in
      try Store.createInMemory(path, beginning: beginning, without: missing)
    }
  }

  /// True if a folder has a run.h5, or a journal from which run.h5 can be recovered.
  package static func isThere(_ folder: String) -> Bool {
    FileSystem.exists(RunFolder(folder).file) || FileSystem.exists(RunFolder(folder).journal)
  }

  /// The error for a folder that has no run.
  static func missing(_ folder: String) -> UserError {
    let name = (folder as NSString).lastPathComponent
    if isBeingWritten(folder) {
      return UserError(.unavailable, "run “\(name)” is being started by another process: try again in a moment")
    }
    if UnstartedRun.isLeft(in: folder) {
      return UserError(
        .noInput, "run “\(name)” ended before its first event: the name is free for “foretop train --name \(name)”")
    }
    if FileSystem.exists(folder) {
      guard access(folder, X_OK) == 0 else { return Failure("open", folder).error }
      let checkpoints = Result { try CheckpointFolder(folder).list() }
      if case .failure(let error as UserError) = checkpoints { return error }
      guard (try? checkpoints.get())?.isEmpty ?? true else {
        return UserError(
          .noInput,
          "\(folder) has checkpoints, but no run.h5: put it back, or let “foretop recover \(name) --from-checkpoint” "
            + "begin a new one at the newest checkpoint")
      }
      return UserError(.noInput, "\(folder) has no run.h5: the run ended before its first event, or this is not a run")
    }
    let parent = folder.parentFolder
    let place = parent.isEmpty ? "." : parent
    return UserError(.noInput, "there is no run “\(name)” in \(place): “\(RunAddress.listing(place))” lists all runs")
  }

  // MARK: Checkpoints

  /// The step of the checkpoint with sound weights whose held-out loss is the lowest.
  /// - Throws: `UserError` when no such checkpoint was evaluated.
  package func bestStep() throws -> Int { try Self.bestStep(in: folder) }

  package static func bestStep(in folder: String) throws -> Int { try CheckpointFolder(folder).bestStep() }

  /// The step of the newest checkpoint before another step whose weights are sound; nil where none is.
  package static func newestSound(before step: Int, in folder: String) throws -> Int? {
    CheckpointFolder(folder).newestSound(1, of: try checkpointSteps(in: folder).filter { $0 < step }).first
  }

  /// Whether the held-out loss of a checkpoint was the lowest so far and its weights are sound, and whether its weights came to harm;
  /// nil if the file cannot be read now.
  package func verdict(onCheckpoint step: Int) -> (isBest: Bool, isSpoilt: Bool)? {
    CheckpointFolder(folder).verdict(on: step)
  }

  /// The steps of finished checkpoints, in order.
  package static func checkpointSteps(in folder: String) throws -> [Int] {
    try CheckpointFolder(folder).list().map(\.step)
  }

  /// Bytes of the files in a run's folder that a session goes on with or replaces: metrics, and the checkpoints that nobody saved by
  /// hand and no other run has.
  package static func replaceableBytes(in folder: String) -> Int {
    let (files, checkpoints) = (RunFolder(folder), CheckpointFolder(folder))
    let steps = ((try? checkpoints.list()) ?? []).map(\.step).filter { checkpoints.keptName(of: $0) == nil }
    return ([files.file, files.journal, files.before] + steps.map { checkpoints.path(of: $0) }).reduce(0) { sum, path in
      var status = stat()
      guard lstat(path, &status) == 0, status.st_nlink == 1 else { return sum }
      return sum + Int(status.st_blocks) * 512
    }
  }

  /// Finished checkpoints, oldest first.
  package func checkpoints() throws -> [CheckpointSummary] { try CheckpointFolder(folder).list() }

  /// Reads a checkpoint.
  /// - Parameter step: which one; nil is the newest that is not damaged.
  /// - Returns: the checkpoint, and a sentence for each newer one that was skipped.
  /// - Throws: `UserError` when there is none, or the requested one is damaged.
  package func checkpoint(step: Int? = nil) throws -> (checkpoint: Checkpoint, warnings: [String]) {
    try Self.checkpoint(in: folder, step: step, of: identity)
  }

  /// Reads a checkpoint of a run, even if run.h5 is damaged or missing.
  /// - Parameter identity: of the run; nil if that is unknown.
  package static func checkpoint(
    in folder: String, step: Int? = nil, of identity: RunIdentity? = nil
  ) throws -> (checkpoint: Checkpoint, warnings: [String]) {
    let name = (folder as NSString).lastPathComponent
    let files = CheckpointFolder(folder)
    let steps = try files.list().map(\.step)
    if let step {
      try files.requireCheckpoint(of: step)
      return (try files.read(step, of: identity), [])
    }
    guard !steps.isEmpty else {
      throw UserError(
        .noInput,
        "run “\(name)” has no checkpoint yet: it was not saved, or its files were removed from \(RunFolder(folder).checkpoints)"
      )
    }
    var warnings: [String] = []
    for step in steps.reversed() {
      do {
        return (try files.read(step, of: identity), warnings.map { "\($0); the checkpoint of step \(step) is used" })
      } catch let error as UserError {
        warnings.append(error.message)
      }
    }
    throw UserError(
      .data,
      "no checkpoint of run “\(name)” can be read: \(warnings.joined(separator: "; ")); put one back from a copy, or "
        + "begin a new run with “foretop train”")
  }
}
