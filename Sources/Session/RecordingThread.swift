// Three threads write the run's folder, so that no row waits for the disk: the recorder's thread handles every event,
// one thread writes checkpoints (CheckpointThread), and one waits until the journal is on the disk and confirms what is
// in it (SyncThread).
import Dispatch
import Foundation
import Run
import RunFile
import Synchronization

/// Records a session's events and checkpoints.
final class RecordingThread: Sendable {
  /// A message to the recorder's thread.
  enum Entry: Sendable {
    case event(NumberedEvent)
    /// A checkpoint is due of the state after all events before this one, and answers requests; its copy follows.
    case due(step: Int, answering: [Request])
    /// The copy of the state that was due last.
    case checkpoint(Handoff)
    /// A request for the checkpoint that was due last.
    case again(Request)
    case stored(StoredCheckpoint)
    case notStored(PendingCheckpoint, UserError)
    /// A newer state replaced a checkpoint that was not stored.
    case superseded
    /// The journal is on the disk up to this point.
    case synced(PendingSync)
    /// The journal could not be synced to the disk.
    case notSynced(PendingSync, UserError)
    /// The trainer has ended.
    case end(Ending)
  }

  let request: RunRequest
  let isAttended: Bool
  let entries: Mailbox<Entry>
  let requests: RequestQueue
  let hub: EventHub
  let buffers: CheckpointBuffers
  /// Receives the seconds of every stretch for which the recorder's thread was busy.
  let stalls: Mailbox<Double>?
  /// Checkpoints for the thread that writes them.
  let checkpoints = Mailbox<PendingCheckpoint>()
  /// The confirmations for the sync thread, in order.
  let confirmations = Mailbox<Confirmation>()
  /// The first event of the session and the run's folder, for the recorder's thread.
  private let beginnings = Mailbox<(Beginning, RunReservation?)>()
  let outcomes = Mailbox<UserError?>()
  let threads = Mutex<Threads>(Threads())
  let place = Mutex<String?>(nil)
  /// Confirmations that were pending when the sync thread ended.
  let unconfirmed = Mutex<[Confirmation]>([])

  struct Threads {
    var recorder, checkpoints, journal: WorkerThread?
  }

  /// Seconds for which saving the last checkpoint is tried again.
  static let patience = 55.0
  /// Seconds to wait at the end for a thread that is writing.
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

  /// Makes the threads before anything is written, so that the run leaves no trace if the machine refuses threads.
  func makeThreads() throws {
    let recorder = try WorkerThread("recorder") { [self] in
      if let (beginning, place) = beginnings.takeAll(waitingUntil: .distantFuture).first {
        record(beginning, in: place)
      }
    }
    threads.withLock { $0.recorder = recorder }
    let checkpoints = try WorkerThread("checkpoints") { [self] in writeCheckpoints() }
    threads.withLock { $0.checkpoints = checkpoints }
    let journal = try WorkerThread("journal") { [self] in confirm() }
    threads.withLock { $0.journal = journal }
  }

  /// Starts the recorder and waits until the run has begun in its folder, or could not begin.
  /// - Parameter place: the folder, where it was taken before.
  func start(_ beginning: Beginning, in place: RunReservation?) throws {
    beginnings.send((beginning, place))
    if let error = outcomes.takeAll(waitingUntil: .distantFuture).first ?? nil { throw error }
  }

  /// Ends the threads if the run did not begin.
  func cancel() {
    beginnings.close()
    checkpoints.close()
    confirmations.close()
    let threads = self.threads.withLock { $0 }
    for thread in [threads.recorder, threads.checkpoints, threads.journal] { thread?.join() }
  }

  /// Waits until all threads have ended, after the recorder's thread was told to end. The checkpoint and sync threads
  /// may hang in a disk operation and are given up after a while.
  func end() {
    let threads = self.threads.withLock { $0 }
    threads.recorder?.join()
    threads.checkpoints?.join(until: .now() + Self.grace)
    threads.journal?.join(until: .now() + Self.grace)
  }

  /// The last known path of the run's folder.
  var folder: String { place.withLock { $0 } ?? request.folder }
}
