// The thread that syncs the journal to the disk, and confirms what is in it.
import Dispatch
import Run
import RunFile

/// The events to confirm and the checkpoints to write once the journal is on the disk.
struct Confirmation: Sendable {
  var sync: PendingSync?
  /// The number of failed syncs that the recorder knew of. What was handed to the kernel before a failed sync does not
  /// count as stored.
  var failures = 0
  /// True if the disk refuses the journal and the user was warned: no event is confirmed.
  var isRefused = false
  /// True if the trainer has ended: the last checkpoint is then written even if the journal cannot be synced.
  var isLast = false
  /// The numbers of the events to confirm.
  var events: [Int] = []
  var checkpoints: [PendingCheckpoint] = []

  var hasContent: Bool { !events.isEmpty || !checkpoints.isEmpty }
}

extension RecordingThread {
  /// Syncs the journal, then confirms its events and releases checkpoints to be written. After a failed sync, both wait
  /// for the next successful one.
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

  /// Passes on checkpoints without a sync: the journal was tried once more, and the user was warned.
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
