// Checkpoints of tables whose updates are lazy: rows are copied between the next steps, for a limited time after each, and
// before they change (Transformer/Memory/Parameters+TableCopies). The checkpoint is handed over when it has all rows, as they
// were at the step at which it was due.
import Kernels
import Run
import Transformer

/// A checkpoint that still lacks rows of tables.
final class GrowingCheckpoint {
  /// Nil when it was handed over.
  private var checkpoint: Checkpoint?
  /// Where its numbers lie. Its arrays are held here alone, and are neither resized nor looked at until `takeOut`: their
  /// numbers stay where they are.
  let blocks: CopiedBlocks

  /// - Parameters:
  ///   - checkpoint: complete but for tables.
  ///   - hasMoments: whether it has the moments of tables.
  init(_ checkpoint: consuming Checkpoint, hasMoments: Bool) {
    var own = consume checkpoint
    let weights = own.weights.withUnsafeMutableBufferPointer { $0.baseAddress! }
    let first = own.firstMoments.withUnsafeMutableBufferPointer { $0.baseAddress! }
    let second = own.secondMoments.withUnsafeMutableBufferPointer { $0.baseAddress! }
    blocks = CopiedBlocks(weights: weights, moments: hasMoments ? (first: first, second: second) : nil)
    self.checkpoint = own
  }

  /// Takes the checkpoint out, once.
  func takeOut() -> Checkpoint {
    guard let checkpoint else { preconditionFailure("a checkpoint is handed over once") }
    self.checkpoint = nil
    return checkpoint
  }
}

extension Trainer {
  /// Begins a checkpoint of the state as it is now: copies all but the tables whose updates are lazy. It is handed over at
  /// once if there are no such tables.
  func beginCheckpoint(in spare: consuming Checkpoint?, _ outlets: Outlets) {
    precondition(growing == nil, "one checkpoint is copied at a time")
    let later = model.parameters.lazyTableRanges
    let copy = copyOfState(in: consume spare, without: later)
    // Moments of a rank that is lost are missing: the next step says which.
    guard ranked?.ranks.failure == nil || ranked?.isSharded == false else { return }
    outlets.due?(state.step, savingRequests)
    savingRequests = []
    let begun = GrowingCheckpoint(consume copy, hasMoments: !recipe.leavesOutMoments)
    growing = begun
    model.parameters.beginCopyingTables(into: begun.blocks)
    if later.isEmpty { finishCheckpoint(outlets) }
  }

  /// Copies further rows after a step, and hands the checkpoint over when it has all.
  /// - Parameter seconds: the time of that step.
  func continueCheckpoint(after seconds: Double, _ outlets: Outlets) {
    guard growing != nil else { return }
    let end = ContinuousClock.now + .seconds(max(Self.leastCopying, seconds / 2))
    var lacksRows: Bool
    repeat {
      lacksRows = model.parameters.copyTableRows(most: rowsCopiedPerStep, threads: model.threads)
    } while lacksRows && rowsCopiedPerStep == nil && ContinuousClock.now < end
    if !lacksRows { finishCheckpoint(outlets) }
  }

  /// Seconds of copying after a step, at least. Training may wait for a step's time or 50 ms, whichever is longer: half of that
  /// is for the copy, the rest for other work between two steps (`foretop bench --only table-checkpoints`).
  private static let leastCopying = 0.025

  /// Copies all rows that a checkpoint lacks, and hands it over; does nothing without one.
  func finishCheckpoint(_ outlets: Outlets) {
    guard let growing else { return }
    while model.parameters.copyTableRows(threads: model.threads) {}
    self.growing = nil
    // Given away: a copy that stayed here would make the arrays be copied once more.
    outlets.save(growing.takeOut())
  }
}
