// The run's folder is written here: by the recorder's thread, which takes every event, and by two beside it, so that no row
// waits for the disk: one writes checkpoints (CheckpointThread), one waits for the journal and confirms what is in it (SyncThread).
import Dispatch
import Foundation
import Run
import RunFile
import Synchronization

/// What becomes of a session's events and checkpoints.
final class RecordingThread: Sendable {
  /// What the recorder's thread hears of.
  enum Entry: Sendable {
    case event(NumberedEvent)
    /// A copy of the training state, and the requests that it answers.
    case checkpoint(Handoff, answering: [Request])
    case stored(StoredCheckpoint)
    case notStored(PendingCheckpoint, UserError)
    /// A newer state took the place of one that was not stored.
    case superseded
    /// The journal is on the disk up to there.
    case synced(PendingSync)
    /// The journal is not on the disk.
    case notSynced(PendingSync, UserError)
    /// The trainer is gone.
    case end(Ending)
  }

  let request: RunRequest
  let isAttended: Bool
  let entries: Mailbox<Entry>
  let requests: RequestQueue
  let hub: EventHub
  let buffers: CheckpointBuffers
  /// Hears for how many seconds the recorder's thread was busy, each time.
  let stalls: Mailbox<Double>?
  /// Checkpoints for the thread that writes them.
  let checkpoints = Mailbox<PendingCheckpoint>()
  /// What the thread that waits for the disk confirms, in order.
  let confirmations = Mailbox<Confirmation>()
  /// What the run begins with, for the recorder's thread; and whether its folder could be made.
  private let beginnings = Mailbox<Beginning>()
  let outcomes = Mailbox<UserError?>()
  let threads = Mutex<Threads>(Threads())
  let place = Mutex<String?>(nil)
  /// What was still to be confirmed when the thread that does so ended.
  let unconfirmed = Mutex<[Confirmation]>([])

  struct Threads {
    var recorder, checkpoints, journal: WorkerThread?
  }

  /// How long a checkpoint that is the last is tried while the disk does not take it.
  static let patience = 55.0
  /// How long a thread that is in the middle of writing is waited for at the end.
  static let grace = 3.0

  init(
    _ request: RunRequest, isAttended: Bool, entries: Mailbox<Entry>, requests: RequestQueue, hub: EventHub,
    buffers: CheckpointBuffers, stalls: Mailbox<Double>? = nil
  ) {
    self.request = request
    self.isAttended = isAttended
    self.entries = entries
    self.requests = requests
    self.hub = hub
    self.buffers = buffers
    self.stalls = stalls
  }

  /// Makes the threads, before anything is on the disk: a machine that does not give them keeps no trace of the run.
  func makeThreads() throws {
    let recorder = try WorkerThread("recorder") { [self] in
      if let beginning = beginnings.takeAll(waitingUntil: .distantFuture).first { record(beginning) }
    }
    threads.withLock { $0.recorder = recorder }
    let checkpoints = try WorkerThread("checkpoints") { [self] in writeCheckpoints() }
    threads.withLock { $0.checkpoints = checkpoints }
    let journal = try WorkerThread("journal") { [self] in confirm() }
    threads.withLock { $0.journal = journal }
  }

  /// Starts the recorder and waits until the run's folder is there, or cannot be.
  func start(_ beginning: Beginning) throws {
    beginnings.send(beginning)
    if let error = outcomes.takeAll(waitingUntil: .distantFuture).first ?? nil { throw error }
  }

  /// Ends the threads where the run did not begin.
  func cancel() {
    beginnings.close()
    checkpoints.close()
    confirmations.close()
    let threads = self.threads.withLock { $0 }
    for thread in [threads.recorder, threads.checkpoints, threads.journal] { thread?.join() }
  }

  /// Waits until all threads have ended, after the recorder's was told to: two of them may hang in the disk, and are given up
  /// after a while.
  func end() {
    let threads = self.threads.withLock { $0 }
    threads.recorder?.join()
    threads.checkpoints?.join(until: .now() + Self.grace)
    threads.journal?.join(until: .now() + Self.grace)
  }

  /// The run's folder, as it was called last.
  var folder: String { place.withLock { $0 } ?? request.folder }
}
