// The two threads of a recording that wait for the disk: one confirms what the journal has, one writes checkpoints.
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
  var occurrences: [Occurrence] = []
  var checkpoints: [PendingCheckpoint] = []

  var hasContent: Bool { !occurrences.isEmpty || !checkpoints.isEmpty }
}

extension Occurrence {
  /// Whether it confirms what a user asked for and a crash could take away. All else is true at once.
  fileprivate var isConfirmation: Bool { kind == .rate || kind == .weight }
}

extension Recording {
  /// How long a disk that does not take a checkpoint is left alone.
  private static let pause = 2.0

  // MARK: The thread that waits for the journal

  /// Waits until the journal is on the disk, then says what happened and lets checkpoints be written. What the disk did not
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
    for occurrence in confirmation.occurrences { news.send(.event(.occurred(occurrence))) }
    for pending in confirmation.checkpoints { checkpoints.send(pending) }
  }

  /// Passes on what need not be on the disk: all but what confirms a command. Checkpoints wait for the journal to be tried
  /// once more; when it is warned of, they do not.
  private func passUnconfirmed(_ waiting: inout [Confirmation]) {
    let isWarnedOf = waiting.contains { $0.isRefused || $0.isLast }
    for index in waiting.indices {
      for occurrence in waiting[index].occurrences where !occurrence.isConfirmation {
        news.send(.event(.occurred(occurrence)))
      }
      waiting[index].occurrences.removeAll { !$0.isConfirmation }
      waiting[index].sync = nil
      guard isWarnedOf else { continue }
      for pending in waiting[index].checkpoints { checkpoints.send(pending) }
      waiting[index].checkpoints = []
    }
  }

  // MARK: The thread that writes checkpoints

  /// Writes one after the other. One that the disk does not take is tried again until it does, a newer one comes, or a newer
  /// state takes its memory.
  func writeCheckpoints() {
    var waiting: [PendingCheckpoint] = []
    var refused: PendingCheckpoint?
    while true {
      if waiting.isEmpty {
        waiting = checkpoints.takeAll(waitingUntil: refused == nil ? .distantFuture : .now() + Self.pause)
        if waiting.isEmpty && checkpoints.isOver { return }
      }
      if let old = refused {
        let isThere = copies.takeBack(old)
        if !isThere || !waiting.isEmpty {
          // The newer one has all that this one has.
          if isThere { copies.giveBack(old) }
          entries.send(.superseded)
          refused = nil
        }
      }
      guard let next = refused ?? waiting.first else { continue }
      if refused == nil { waiting.removeFirst() }
      refused = nil
      do {
        let stored = try next.write()
        copies.giveBack(next)
        entries.send(.stored(stored))
      } catch {
        let error = UserError(error, while: "writing the checkpoint of step \(next.step)")
        entries.send(.notStored(next, error))
        if error.status == .data {
          copies.giveBack(next)
        } else {
          refused = next
          copies.keep(next)
        }
      }
    }
  }
}
