// Checkpoints beside the rows: what the recorder has to know and to say of them while another thread writes them.
import Run

extension Recorder {
  /// Begins a checkpoint: what came before it is on the disk, or warned of, when this returns; where another thread waits for
  /// the disk, when `takeSync` has been waited for.
  /// - Parameter isBest: whether its held-out loss is the lowest of the run so far.
  /// - Returns: what another thread may write, and lines as `record` returns them.
  /// - Throws: `UserError` when checkpoints of another history cannot be put out of its way.
  package func begin(
    _ checkpoint: consuming Checkpoint, isBest: Bool
  ) throws -> (pending: PendingCheckpoint, notices: [Occurrence]) {
    let notices = flush()
    try setAside()
    // One that is written again comes before what is stored of the steps after it.
    let sequence = min(nextSequence, replay.firstSequence(from: checkpoint.state.step) ?? nextSequence)
    let pending = PendingCheckpoint(
      consume checkpoint, in: place, isBest: isBest, sequence: sequence,
      of: CheckpointFile.Origin(beginning, created: created))
    return (pending, notices)
  }

  /// Gives checkpoints of a history that a replay has refuted other names.
  func setAside() throws {
    guard let step = cut?.step else { return }
    try CheckpointFolder(folder).setAside(from: step)
    cut?.step = nil
  }

  /// Makes room for a checkpoint that the disk does not take: gives back what run.h5 reserved and does not need yet.
  package func makeRoom() {
    // Where it fails, there is no more room than before, and the checkpoint says so.
    HDF5.alone { try? store.giveBackReserve() }
  }

  /// Records that a checkpoint has its name.
  /// - Returns: a line that says so, and lines as `record` returns them.
  package func finish(_ stored: StoredCheckpoint) -> [Occurrence] {
    let saved = stored.occurrence(at: now)
    if noticesComeBack { return [saved] + flush() }
    if !replay.takes(saved) { append(saved) }
    return [saved] + flush()
  }

  /// Writes a checkpoint aside, verifies it, gives it its name, and removes those that the recipe does not keep. Waits
  /// for all that.
  /// - Throws: `UserError` when it is not on the disk: nothing is changed then, and the older ones are still there.
  package func save(_ checkpoint: Checkpoint, isBest: Bool) throws -> Occurrence {
    finish(try begin(checkpoint, isBest: isBest).pending.write())[0]
  }
}
