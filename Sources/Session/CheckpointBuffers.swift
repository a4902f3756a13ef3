// The memory of checkpoints between the trainer and the disk. Nobody ever waits for it here: who is refused is told when there
// is some.
import Glibc
import Run
import RunFile
import Synchronization

/// Copies of the weights: one, or two where they are small, used again and again.
final class CheckpointBuffers: Sendable {
  private struct BufferState {
    var most = 1
    /// Those that the trainer, the recorder or the disk has.
    var taken = 0
    /// The memory of those that are stored.
    var spares: [Handoff] = []
    /// What a new one begins with: all of a checkpoint but the numbers.
    var outline: Checkpoint?
    /// What the disk does not take. It is tried again; a newer state may have its memory before.
    var refused: PendingCheckpoint?
    /// True while a thread clears the pages of the first copy.
    var isClearing = false
    /// Whether the trainer was refused one.
    var isAwaited = false
  }

  private let state = Mutex(BufferState())
  private let requests: RequestQueue
  private let clearing = Mutex<WorkerThread?>(nil)

  /// Two copies may take so much.
  private static let most = 1 << 30
  /// In the environment of tests: small checkpoints have one copy as well.
  private static let alone = "FORETOP_ONE_COPY"

  /// - Parameter requests: where the trainer hears that a copy is free which it was refused.
  init(telling requests: RequestQueue) { self.requests = requests }

  /// Allows a second copy where it is small, so that a disk that is busy for a moment makes no step wait.
  /// - Parameter available: bytes of memory.
  func allow(bytes: Int, of available: Int?) {
    guard getenv(Self.alone) == nil, 2 * bytes <= Self.most, available.map({ 2 * bytes <= $0 }) ?? true else { return }
    state.withLock { $0.most = 2 }
  }

  /// Takes the memory of the first copy beside the trainer, which would wait while it is cleared page by page. Where no
  /// thread can be made for that, the first save waits for it.
  /// - Parameter numbers: of each of its blocks.
  func prepare(_ first: consuming Checkpoint, numbers: Int) {
    let outline = first
    let parcel = Handoff(first)
    state.withLock { state in
      state.taken += 1
      state.outline = outline
      state.isClearing = true
    }
    let thread = try? WorkerThread("memory") { [self] in
      var copy = parcel.takeOut()
      copy?.weights = [Float](repeating: 0, count: numbers)
      copy?.firstMoments = [Float](repeating: 0, count: numbers)
      copy?.secondMoments = [Float](repeating: 0, count: numbers)
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

  /// Room for a copy: one that is free, or that of a state which the disk does not take. Never waits.
  /// - Returns: nil where all there may be is in use; a request to save follows when there is some.
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

  /// It is stored, or given up.
  func giveBack(_ pending: PendingCheckpoint) { giveBack(Handoff(pending.takeOut())) }

  /// It never came to be written, and its memory is gone.
  func giveBack() { change { $0.taken -= 1 } }

  private func giveBack(_ parcel: Handoff) {
    change { state in
      state.spares.append(parcel)
      state.taken -= 1
      state.isClearing = false
    }
  }

  /// The disk does not take it, and it waits to be tried again.
  func keep(_ refused: PendingCheckpoint) { change { $0.refused = refused } }

  /// Takes what waits out of the way of a newer state, to be tried again.
  /// - Returns: whether it is still there; else a newer state has its memory.
  func takeBack(_ refused: PendingCheckpoint) -> Bool {
    state.withLock { state in
      guard state.refused === refused else { return false }
      state.refused = nil
      return true
    }
  }

  private func change(_ body: (inout BufferState) -> Void) {
    let isAwaited = state.withLock { state in
      body(&state)
      defer { state.isAwaited = false }
      return state.isAwaited
    }
    if isAwaited { requests.sendOwn(.save) }
  }

  /// Waits until nothing goes on here.
  func end() { clearing.withLock { $0 }?.join() }
}
