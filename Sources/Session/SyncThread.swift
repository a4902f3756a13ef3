// The thread that waits until the journal is on the disk, and confirms what is in it.
import Dispatch
import Run
import RunFile

/// What may be said, and written, when the journal is on the disk.
struct Confirmation: Sendable {
  var sync: PendingSync?
  /// Of how many failures the recorder knew when it made this: what was handed to the kernel before counts for nothing.
  var failures = 0
  /// Whether the disk does not take the journal, which is warned of: nothing of it is confirmed.
  var isRefused = false
  /// Whether the trainer is gone: its last checkpoint is written whatever becomes of the journal.
  var isLast = false
  /// The numbers of events that are confirmed then.
  var events: [Int] = []
  var checkpoints: [PendingCheckpoint] = []

  var hasContent: Bool { !events.isEmpty || !checkpoints.isEmpty }
}

extension RecordingThread {
  /// Waits until the journal is on the disk, then confirms what it has and lets checkpoints be written. What the disk did not
  /// take waits until it does.
  func confirm() {
    var waiting: [Confirmation] = []
    var failures = 0
    while !confirmations.isOver {
      waiting += confirmations.takeAll(waitingUntil: .distantFuture)
      // What was made before the recorder heard of a failure is not on the disk, whatever the kernel says: it forgets what it
      // could not write.
      if let last = waiting.lastIndex(where: { $0.failures == failures && !$0.isRefused }) {
        var isOnDisk = true
        // The last one's entries come after those of all others.
        if let sync = waiting[...last].last(where: { $0.failures == failures && $0.sync != nil })?.sync {
          do {
            try sync.wait()
            entries.send(.synced(sync))
          } catch {
            isOnDisk = false
            failures += 1
            entries.send(.notSynced(sync, UserError(error, while: "writing the journal")))
          }
        }
        if isOnDisk {
          for confirmation in waiting[...last] { pass(confirmation) }
          waiting.removeFirst(last + 1)
        }
      }
      passUnconfirmed(&waiting)
    }
    unconfirmed.withLock { $0 = waiting }
  }

  private func pass(_ confirmation: Confirmation) {
    for number in confirmation.events { hub.publish(.confirmed(number: number)) }
    for pending in confirmation.checkpoints { checkpoints.send(pending) }
  }

  /// Passes on the checkpoints that need not wait any longer: the journal was tried once more, and is warned of.
  private func passUnconfirmed(_ waiting: inout [Confirmation]) {
    let isWarnedOf = waiting.contains { $0.isRefused || $0.isLast }
    for index in waiting.indices {
      waiting[index].sync = nil
      guard isWarnedOf else { continue }
      for pending in waiting[index].checkpoints { checkpoints.send(pending) }
      waiting[index].checkpoints = []
    }
  }
}
