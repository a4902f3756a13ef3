// The recorder's part in checkpoints that another thread writes.
import Run

/// The place of a checkpoint among the events of its run.
package struct CheckpointMark: Sendable {
  package let step: Int
  /// The number of the run's first event after the checkpoint.
  let sequence: Int
}

extension Recorder {
  /// Notes the place of a checkpoint whose copy may come later, when further events are recorded. All earlier events are then
  /// on the disk, or a warning was recorded; if another thread syncs, they are on the disk once that thread has waited for the
  /// result of `takeSync`.
  /// - Parameter step: of the state that is copied.
  /// - Returns: the place, for `pending`, and lines as `record` returns them.
  /// - Throws: `UserError` if checkpoints of a replaced history cannot be renamed.
  package func mark(step: Int) throws -> (mark: CheckpointMark, notices: [Occurrence]) {
    let notices = flush()
    try setAside()
    // One that is written again comes before what is stored of the steps after it.
    let sequence = min(nextSequence, replay.firstSequence(from: step) ?? nextSequence)
    return (CheckpointMark(step: step, sequence: sequence), notices)
  }

  /// A checkpoint that another thread may write.
  /// - Parameters:
  ///   - mark: of the checkpoint's step.
  ///   - isBest: whether its held-out loss is the lowest of the run up to its step.
  ///   - kept: the names under which it stays until it is removed by hand; nil lets it go.
  ///   - number: its place among the session's checkpoints.
  package func pending(
    _ checkpoint: consuming Checkpoint, at mark: CheckpointMark, isBest: Bool, keptAs kept: [String]? = nil,
    number: Int = 0
  ) -> PendingCheckpoint {
    PendingCheckpoint(
      consume checkpoint, in: place, isBest: isBest, sequence: mark.sequence,
      of: CheckpointFile.Origin(beginning, created: created), keptAs: kept, number: number)
  }

  /// `mark` and `pending` at once: no event was recorded since the checkpoint's state.
  package func begin(
    _ checkpoint: consuming Checkpoint, isBest: Bool, keptAs kept: [String]? = nil, number: Int = 0
  ) throws -> (pending: PendingCheckpoint, notices: [Occurrence]) {
    let (mark, notices) = try self.mark(step: checkpoint.state.step)
    return (pending(consume checkpoint, at: mark, isBest: isBest, keptAs: kept, number: number), notices)
  }

  /// Renames checkpoints of a history that a replay has replaced.
  func setAside() throws {
    guard let step = cut?.step else { return }
    try CheckpointFolder(folder).setAside(from: step)
    cut?.step = nil
  }

  /// Makes room on a full disk for a checkpoint: releases the space that run.h5 reserved and does not need yet.
  package func makeRoom() {
    // Where it fails, there is no more room than before, and the checkpoint says so.
    HDF5.alone { try? store.giveBackReserve() }
  }

  /// Records a stored checkpoint, where what is recorded does not come back.
  /// - Parameter saved: the line that says so.
  /// - Returns: lines as `record` returns them.
  package func finish(_ saved: Occurrence) -> [Occurrence] {
    if !noticesComeBack, !replay.recognises(saved) { append(saved) }
    return flush()
  }

  /// Writes a checkpoint under a temporary name, verifies it, renames it, and removes checkpoints that the recipe does
  /// not keep. Waits for all of this.
  /// - Throws: `UserError` if the checkpoint is not on the disk: nothing is changed, and older ones are still there.
  package func save(_ checkpoint: Checkpoint, isBest: Bool) throws -> Occurrence {
    let saved = try begin(checkpoint, isBest: isBest).pending.write().occurrence(at: now)
    _ = finish(saved)
    return saved
  }
}
