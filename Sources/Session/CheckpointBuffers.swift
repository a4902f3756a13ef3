// The memory of checkpoints between the trainer and the disk. No caller waits for memory here: a caller that gets none
// is told when memory is free.
import Glibc
import Run
import RunFile
import Synchronization

/// Buffers for copies of the weights: one, or two if the copies are small. The buffers are reused.
final class CheckpointBuffers: Sendable {
  private struct BufferState {
    var most = 1
    /// Number of buffers that the trainer, the recorder or the checkpoint thread holds.
    var taken = 0
    /// Buffers of stored checkpoints, free to be reused.
    var spares: [Handoff] = []
    /// A checkpoint without its numbers, from which a new buffer is made.
    var outline: Checkpoint?
    /// The checkpoint that the disk refused. Writing it is tried again, unless a newer state takes over its memory
    /// first.
    var refused: PendingCheckpoint?
    /// True while a thread clears the pages of the first copy.
    var isClearing = false
    /// True if the trainer asked for a buffer and got none.
    var isAwaited = false
  }

  private let state = Mutex(BufferState())
  private let requests: RequestQueue
  private let clearing = Mutex<WorkerThread?>(nil)

  /// The most bytes that two buffers may take together.
  private static let most = 1 << 30
  /// Environment variable of tests: small checkpoints have only one buffer, too.
  private static let alone = "FORETOP_ONE_COPY"

  /// - Parameter requests: the queue on which the trainer is told that a buffer is free, after it got none.
  init(telling requests: RequestQueue) { self.requests = requests }

  /// Allows a second buffer if it is small, so that a disk that is busy for a moment delays no step.
  /// - Parameter available: bytes of memory.
  func allow(bytes: Int, of available: Int?) {
    guard getenv(Self.alone) == nil, 2 * bytes <= Self.most, available.map({ 2 * bytes <= $0 }) ?? true else { return }
    state.withLock { $0.most = 2 }
  }

  /// Allocates the first buffer on another thread, since the kernel clears new memory page by page and the trainer
  /// would wait for that. If no thread can be made, the first save allocates the buffer.
  /// - Parameter numbers: numbers in the block of weights, and in either block of moments.
  func prepare(_ first: consuming Checkpoint, numbers: (weights: Int, moments: Int)) {
    let outline = first
    let parcel = Handoff(first)
    state.withLock { state in
      state.taken += 1
      state.outline = outline
      state.isClearing = true
    }
    let thread = try? WorkerThread("memory") { [self] in
      var copy = parcel.takeOut()
      copy?.weights = [Float](repeating: 0, count: numbers.weights)
      copy?.firstMoments = [Float](repeating: 0, count: numbers.moments)
      copy?.secondMoments = [Float](repeating: 0, count: numbers.moments)
      giveBack(Handoff(copy))
    }
    if thread == nil {
      state.withLock { state in
        state.taken -= 1
        state.isClearing = false
      }
    }
    clearing.withLock { $0 = thread }
  }

  /// A buffer for a copy: a free one, or that of a checkpoint which the disk refused. Never waits.
  /// - Returns: nil if all buffers are in use; a request to save follows when one is free.
  func take() -> Checkpoint? {
    state.withLock { state in
      // The first copy is there in a moment; a second beside it would take its memory for nothing.
      if state.taken < state.most, !state.isClearing {
        state.taken += 1
        return state.spares.popLast()?.takeOut() ?? state.outline
      }
      if let refused = state.refused {
        state.refused = nil
        return refused.takeOut()
      }
      state.isAwaited = true
      return nil
    }
  }

  /// Takes back the buffer of a checkpoint that is stored or given up.
  func giveBack(_ pending: PendingCheckpoint) { giveBack(Handoff(pending.takeOut())) }

  /// Counts a buffer as free whose checkpoint was never written and whose memory was released.
  func giveBack() { change { $0.taken -= 1 } }

  private func giveBack(_ parcel: Handoff) {
    change { state in
      state.spares.append(parcel)
      state.taken -= 1
      state.isClearing = false
    }
  }

  /// Keeps a checkpoint that the disk refused, to be tried again.
  func keep(_ refused: PendingCheckpoint) { change { $0.refused = refused } }

  /// Takes the refused checkpoint, to try again to write it.
  /// - Returns: whether the checkpoint is still there; otherwise a newer state has taken over its memory.
  func takeBack(_ refused: PendingCheckpoint) -> Bool {
    state.withLock { state in
      guard state.refused === refused else { return false }
      state.refused = nil
      return true
    }
  }

  /// Waits until every copy is stored or refused by the disk, for at most so many seconds. The caller holds no copy.
  func awaitWriting(atMost seconds: Double) {
    let end = ContinuousClock.now + .seconds(seconds)
    while state.withLock({ $0.taken > ($0.refused == nil ? 0 : 1) }), ContinuousClock.now < end { usleep(2000) }
  }

  private func change(_ body: (inout BufferState) -> Void) {
    let isAwaited = state.withLock { state in
      body(&state)
      defer { state.isAwaited = false }
      return state.isAwaited
    }
    if isAwaited { requests.sendOwn(.save) }
  }

  /// Waits for the thread that allocates the first buffer.
  func end() { clearing.withLock { $0 }?.join() }
}
