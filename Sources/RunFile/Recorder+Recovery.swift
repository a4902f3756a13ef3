// A run that was killed, made whole without going on with it: for those who open it with other tools.
import Foundation
import Run

extension Archive {
  /// Whether the last session of a run closed its file: nothing is left to be recovered.
  package static func isClosed(_ folder: String) throws -> Bool {
    guard isThere(folder) else { throw missing(folder) }
    guard !RunLock.isHeld(folder: folder), Folder.exists(Recovery.file(folder)) else { return false }
    let path = Recovery.file(folder)
    let block = try FileDescriptor(opening: path, O_RDONLY).read(at: 0, count: Superblock.size)
    return try !Folder.exists(Recovery.journal(folder)) && !Superblock(block, path: path).isMarkedOpen
  }
}

extension Recorder {
  /// Repairs what a crash left of a run, so that any HDF5 tool opens it, and puts notes in that wait beside it.
  /// - Throws: `UserError` when a process writes the run, or nothing can be made of its files.
  package static func recover(_ folder: String) throws {
    guard Archive.isThere(folder) else { throw Archive.missing(folder) }
    let lock = try RunLock(folder: folder)
    try CheckpointFolder(folder).removeLeftovers()
    let (store, _) = try Recovery.resume(folder)
    // A file of notes that cannot be read is no reason not to mend a run.
    let notes = try? Notes(waitingIn: folder)
    var sequence = try Recovery.nextSequence(of: store)
    try notes?.add(to: store) {
      defer { sequence += 1 }
      return Layout.Place(sequence: sequence, row: store.metrics.total)
    }
    try store.reserve()
    try store.write()
    store.close()
    try Recovery.settle(folder, like: store)
    notes?.remove()
    // The lock is held until here.
    _ = consume lock
  }

  /// Makes a new run.h5 for a run whose own cannot be read, from its newest whole checkpoint: without steps, events and
  /// samples.
  /// - Returns: the checkpoint's step, and the name that the damaged file has now; nil where there was none.
  /// - Throws: `UserError` when run.h5 can be read, a process writes it, or no checkpoint is whole.
  package static func rebuild(_ folder: String) throws -> (step: Int, aside: String?) {
    let path = Recovery.file(folder)
    if (try? Archive(opening: folder)) != nil {
      throw UserError(.usage, "\(path) can be read: there is no need for a new one")
    }
    guard access(path, R_OK) == 0 || errno == ENOENT else { throw Failure("open", path).error }
    let lock = try RunLock(folder: folder)
    let checkpoint = try Archive.checkpoint(in: folder).checkpoint
    let files = CheckpointFolder(folder)
    // The same run: its checkpoints name it by when it began.
    let summary = try CheckpointFile.summary(files.path(of: checkpoint.state.step))
    let origin = summary.origin
    let beginning = Beginning(
      name: (folder as NSString).lastPathComponent, recipe: checkpoint.recipe, step: checkpoint.state.step,
      tokens: checkpoint.state.tokens, time: origin.created ?? Date().timeIntervalSince1970,
      parameters: checkpoint.tensors.reduce(0) { $0 + $1.count }, threads: checkpoint.state.threads,
      precision: origin.precision, corpus: origin.corpus, vocabulary: checkpoint.tokenizer.vocabulary,
      trainingTokens: origin.trainingTokens, heldOutTokens: origin.heldOutTokens,
      unigramEntropy: origin.unigramEntropy)
    try Folder.remove(path + ".new")
    let store = try Store.create(path, beginning: beginning)
    let place = Layout.Place(sequence: summary.sequence, row: 0)
    store.beginnings.append(
      try Layout.row(SessionStart(beginning), step: beginning.step, time: beginning.time, at: place))
    try store.write()
    store.close()
    let aside = Folder.exists(path) ? path + ".damaged" : nil
    if let aside { try Folder.rename(path, aside) }
    for name in [Recovery.journal(folder), Recovery.before(folder)] { try Folder.remove(name) }
    try Folder.rename(path + ".new", path)
    try Folder.sync(folder)
    // The lock is held until here.
    _ = consume lock
    return (checkpoint.state.step, aside)
  }
}
