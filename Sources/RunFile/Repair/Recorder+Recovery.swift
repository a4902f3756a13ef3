// Repairs a killed run without resuming it, for other tools.
import Foundation
import Run

extension StoredRun {
  /// True if the last session of a run closed its file, so that there is nothing to recover.
  package static func isClosed(_ folder: String) throws -> Bool {
    guard isThere(folder) else { throw missing(folder) }
    guard !RunLock.isHeld(folder: folder), FileSystem.exists(RunFolder(folder).file) else { return false }
    let path = RunFolder(folder).file
    let block = try FileDescriptor(opening: path, O_RDONLY).read(at: 0, count: Superblock.size)
    return try !FileSystem.exists(RunFolder(folder).journal) && !Superblock(block, path: path).isMarkedOpen
  }
}

extension Recorder {
  /// Repairs a run after a crash, so that any HDF5 tool opens run.h5, and writes waiting notes into it.
  /// - Throws: `UserError` if a process writes the run, or its files cannot be repaired.
  package static func recover(_ folder: String) throws {
    guard StoredRun.isThere(folder) else { throw StoredRun.missing(folder) }
    let lock = try RunLock(folder: folder)
    try CheckpointFolder(folder).removeTemporaryFiles()
    let (store, _) = try Recovery.resume(folder)
    // Unreadable notes do not keep a run from being repaired.
    let notes = try? Notes(waitingIn: folder)
    var sequence = try Recovery.nextSequence(of: store)
    try notes?.add(to: store) {
      defer { sequence += 1 }
      return FileLayout.Position(sequence: sequence, row: store.metrics.total)
    }
    try store.reserve()
    try store.write()
    store.close()
    try Recovery.settle(folder, like: store)
    notes?.remove()
    // The lock is held until here.
    _ = consume lock
  }

  /// Makes a new run.h5 for a run whose run.h5 cannot be read, from its newest undamaged checkpoint: without steps,
  /// events and samples, but with the notes and tags that can still be found.
  /// - Returns: the checkpoint's step, the new names of the old run.h5 and journal, if they existed, and the number of
  ///   notes and tags taken over.
  /// - Throws: `UserError` when run.h5 can be read, a process writes it, or every checkpoint is damaged.
  package static func rebuild(_ folder: String) throws -> (step: Int, aside: [String], notes: Int) {
    let path = RunFolder(folder).file
    do {
      _ = try StoredRun(opening: folder)
      throw UserError(.usage, "\(path) can be read, and a new one is not needed: leave --from-checkpoint out")
    } catch let error as UserError where error.status == .usage || error.isRefusalToRead {
      // What cannot be looked at now may be as good as it ever was.
      throw error
    } catch {}
    guard access(path, R_OK) == 0 || errno == ENOENT else { throw Failure("open", path).error }
    let lock = try RunLock(folder: folder)
    let checkpoint = try StoredRun.checkpoint(in: folder).checkpoint
    let files = CheckpointFolder(folder)
    // The same run: its checkpoints name it by when it began.
    let summary = try CheckpointFile.summary(files.path(of: checkpoint.state.step))
    let origin = summary.origin
    var beginning = Beginning(
      name: (folder as NSString).lastPathComponent, recipe: checkpoint.recipe, step: checkpoint.state.step,
      tokens: checkpoint.state.tokens, time: origin.created ?? Date().timeIntervalSince1970,
      parameters: checkpoint.tensors.reduce(0) { $0 + $1.count }, threads: checkpoint.state.threads,
      precision: origin.precision, corpus: origin.corpus, vocabulary: checkpoint.tokenizer.vocabulary,
      trainingTokens: origin.trainingTokens, heldOutTokens: origin.heldOutTokens,
      unigramEntropy: origin.unigramEntropy)
    beginning.ranks = checkpoint.state.ranks ?? 1
    let (aside, notes) = try Recovery.changing(path) {
      try FileSystem.remove(RunFolder.unfinished(path))
      let notes = try write(beginning, folder, at: path, sequence: summary.sequence)
      // What was recorded goes nowhere: somebody may put it together one day.
      let aside = try [path, RunFolder(folder).journal, RunFolder(folder).before].compactMap(setAside)
      try FileSystem.rename(RunFolder.unfinished(path), path)
      try FileSystem.sync(folder)
      return (aside, notes)
    }
    // The lock is held until here.
    _ = consume lock
    return (checkpoint.state.step, aside, notes)
  }

  /// Writes a run.h5 without steps, under the name of an unfinished file.
  /// - Returns: the number of notes and tags in it.
  private static func write(_ beginning: Beginning, _ folder: String, at path: String, sequence: Int) throws -> Int {
    let notes = Notes.salvaged(folder)
    let store = try Recovery.abandoningOnError(Store.create(path, beginning: beginning)) { store in
      store.beginnings.append(
        try FileLayout.row(
          SessionStart(beginning), step: beginning.step, time: beginning.time,
          at: FileLayout.Position(sequence: sequence, row: 0)))
      for (index, note) in notes.enumerated() {
        store.events.append(FileLayout.record(note, at: FileLayout.Position(sequence: sequence + 1 + index, row: 0)))
      }
      try store.reserve()
      try store.write()
      try Recovery.requireReadable(store, path)
    }
    store.close()
    return notes.count
  }

  /// Renames a file to the first free name for damaged files.
  /// - Returns: the new name; nil if there is no file.
  private static func setAside(_ path: String) throws -> String? {
    guard FileSystem.exists(path) else { return nil }
    var number = 1
    while FileSystem.exists(RunFolder.damaged(path, number)) { number += 1 }
    let name = RunFolder.damaged(path, number)
    try FileSystem.rename(path, name)
    return name
  }
}
