// A checkpoint to be written, with everything that another thread needs to write it while the recorder continues:
// seconds of writing delay no metrics.
import Foundation
import Run

/// A checkpoint that is not stored yet. Only one thread uses it at a time.
package final class PendingCheckpoint: @unchecked Sendable {
  // Unchecked: handed from thread to thread, and let go of by the one before.
  private var checkpoint: Checkpoint?
  private let place: RunPlace
  private let isBest: Bool
  private let isSpoilt: Bool
  private let sequence: Int
  private let origin: CheckpointFile.Origin
  /// The names under which it is kept; nil for one that may go.
  private let kept: [String]?
  package let step: Int
  /// Its place among the session's checkpoints: of one step there may be several.
  package let number: Int

  /// - Parameters:
  ///   - sequence: the number of the run's first event after the checkpoint.
  ///   - origin: the information about the run.
  ///   - kept: the names under which it stays until it is removed by hand; nil lets it go.
  init(
    _ checkpoint: consuming Checkpoint, in place: RunPlace, isBest: Bool, sequence: Int,
    of origin: CheckpointFile.Origin, keptAs kept: [String]?, number: Int
  ) {
    step = checkpoint.state.step
    isSpoilt = checkpoint.state.guarded?.isSuspect == true
    self.checkpoint = consume checkpoint
    self.place = place
    self.number = number
    // `back best` must lead to weights that training can continue from.
    self.isBest = isBest && !isSpoilt
    self.sequence = sequence
    self.origin = origin
    self.kept = kept
  }

  /// Writes the checkpoint under a temporary name, verifies it, renames it, and removes checkpoints that the recipe
  /// does not keep. May run on any thread.
  /// - Throws: `UserError` if the checkpoint is not on the disk: older ones are still there, and writing can be tried
  ///   again.
  package func write() throws -> StoredCheckpoint {
    guard let checkpoint else { preconditionFailure("a checkpoint that was taken out cannot be written") }
    let start = DispatchTime.now()
    let folder = CheckpointFolder(place.path)
    let bytes = try folder.write(checkpoint, isBest: isBest, sequence: sequence, of: origin)
    if let kept { try folder.keep(step, as: kept) }
    try folder.retain(newest: checkpoint.recipe.save.keep, every: checkpoint.recipe.save.keepEvery, after: step)
    let seconds = Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9
    return StoredCheckpoint(
      step: step, number: number, isBest: isBest, isSpoilt: isSpoilt, bytes: bytes, seconds: seconds,
      name: RunFolder.checkpointPath(of: step))
  }

  /// Takes the checkpoint out, so that its memory can be reused. Afterwards this value is empty.
  package func takeOut() -> Checkpoint? {
    defer { checkpoint = nil }
    return checkpoint
  }
}

/// A checkpoint that is on the disk under its final name.
package struct StoredCheckpoint: Sendable {
  package let step: Int
  /// See `PendingCheckpoint`.
  package let number: Int
  let isBest: Bool
  /// True if the loss was far above what it had been, or a tensor's norm had exploded, when the copy was made.
  let isSpoilt: Bool
  let bytes: Int
  let seconds: Double
  let name: String

  /// The log line of a stored checkpoint.
  /// - Parameter given: the name under which it is kept; nil for none.
  package func occurrence(at time: Double, as given: String? = nil) -> Occurrence {
    Occurrence(
      .saved, step: step, time: time, key: isSpoilt ? Occurrence.spoilt : isBest ? "best" : "", new: Double(bytes),
      text: "saved \(name)  \(Figure.bytes(Double(bytes))) in \(Figure.milliseconds(seconds))"
        + (given.map { " as \($0)" } ?? "") + (isSpoilt ? "; its weights are spoilt" : ""))
  }
}
