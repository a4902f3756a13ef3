// The thread that writes checkpoints, so that no row of run.h5 waits for them.
import Dispatch
import Run
import RunFile

extension RecordingThread {
  /// Seconds between two tries to write a checkpoint that the disk refuses.
  private static let pause = 2.0

  /// Writes checkpoints one after the other. Writing a checkpoint that the disk refuses is tried again until it
  /// succeeds, a newer checkpoint comes, or a newer state takes over its memory.
  func writeCheckpoints() {
    var waiting: [PendingCheckpoint] = []
    var refused: PendingCheckpoint?
    while true {
      if waiting.isEmpty {
        waiting = checkpoints.takeAll(waitingUntil: refused == nil ? .distantFuture : .now() + Self.pause)
        if waiting.isEmpty && checkpoints.isOver { return }
      }
      if let old = refused {
        let isThere = buffers.takeBack(old)
        if !isThere || !waiting.isEmpty {
          // The newer one has all that this one has.
          if isThere { buffers.giveBack(old) }
          entries.send(.superseded)
          refused = nil
        }
      }
      guard let next = refused ?? waiting.first else { continue }
      if refused == nil { waiting.removeFirst() }
      refused = nil
      do {
        let stored = try next.write()
        buffers.giveBack(next)
        entries.send(.stored(stored))
      } catch {
        let error = UserError(error, while: "writing the checkpoint of step \(next.step)")
        entries.send(.notStored(next, error))
        if error.status == .data {
          buffers.giveBack(next)
        } else {
          refused = next
          buffers.keep(next)
        }
      }
    }
  }
}
