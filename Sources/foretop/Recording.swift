// The run's folder is written here: by the recorder's thread, which takes every event, and by two beside it, so that no row
// waits for the disk: one writes checkpoints, one waits for the journal and confirms what is in it.
import Dispatch
import Foundation
import Run
import RunFile

/// What becomes of a session's events and checkpoints.
final class Recording: Sendable {
  /// What the recorder's thread hears of.
  enum Entry: Sendable {
    case event(Event)
    /// What the main thread hears of when it is recorded.
    case occurred(Occurrence)
    case checkpoint(Parcel)
    case stored(StoredCheckpoint)
    case notStored(PendingCheckpoint, UserError)
    /// The journal is not on the disk.
    case notSynced(PendingSync, UserError)
    /// The trainer is gone.
    case end(Ending)
  }

  private let plan: Plan
  private let entries: Mailbox<Entry>
  private let requests: Mailbox<Request>
  private let news: Mailbox<News>
  private let copies: Copies
  /// Hears for how many seconds the recorder's thread was busy, each time.
  private let stalls: Mailbox<Double>?
  /// Checkpoints for the thread that writes them.
  private let checkpoints = Mailbox<PendingCheckpoint>()
  /// What the thread that waits for the disk confirms, in order.
  private let confirmations = Mailbox<Confirmation>()

  /// What may be said, and written, when the journal is on the disk.
  private struct Confirmation: Sendable {
    var sync: PendingSync?
    var occurrences: [Occurrence] = []
    var checkpoints: [PendingCheckpoint] = []
    /// Raised when all before it is confirmed.
    var fence: DispatchSemaphore?
  }

  /// How long a disk that does not take a checkpoint is left alone, and for how long one that is the last is tried.
  private static let pause = 2.0
  private static let patience = 60.0

  init(
    _ plan: Plan, entries: Mailbox<Entry>, requests: Mailbox<Request>, news: Mailbox<News>, copies: Copies,
    stalls: Mailbox<Double>? = nil
  ) {
    self.plan = plan
    self.entries = entries
    self.requests = requests
    self.news = news
    self.copies = copies
    self.stalls = stalls
  }

  /// Starts the recorder and waits until the run's folder is there, or cannot be.
  func start(_ beginning: Beginning) throws {
    let outcomes = Mailbox<UserError?>()
    run("recorder") { [self] in
      do {
        let recorder =
          if let past = plan.past {
            try Recorder(resuming: plan.folder, from: past.step ?? 0, beginning: beginning)
          } else {
            try Recorder(creating: plan.folder, beginning: beginning)
          }
        outcomes.send(nil)
        run("checkpoints") { [self] in writeCheckpoints() }
        run("journal") { [self] in confirm() }
        record(with: recorder)
      } catch {
        outcomes.send(error as? UserError ?? UserError(.inputOutput, "\(error)"))
      }
    }
    if let error = outcomes.takeAll(waitingUntil: .distantFuture).first ?? nil { throw error }
  }

  private func run(_ name: String, _ body: @escaping @Sendable () -> Void) {
    let thread = Thread(block: body)
    thread.name = name
    thread.stackSize = 1 << 23
    thread.start()
  }

  // MARK: The recorder's thread

  /// What it knows of the disk.
  private struct Disk {
    var bestStep = -1
    /// Checkpoints that are on their way, one that is tried again included.
    var writing = 0
    /// Why the newest one is not stored.
    var unsaved: UserError?
    /// Whether the trainer was asked to wait.
    var isHolding = false
    /// What is confirmed when the journal is on the disk.
    var unconfirmed = Confirmation()
  }

  /// Takes entries until the trainer is gone and its last checkpoint stored; then closes the file.
  private func record(with recorder: Recorder) {
    var disk = Disk()
    var ending: Ending?
    var deadline = Date.distantFuture
    recorder.isSyncedElsewhere = true
    while ending == nil || (disk.writing > 0 && Date() < deadline) {
      let waiting = entries.takeAll(waitingUntil: Date(timeIntervalSinceNow: 0.25))
      let start = DispatchTime.now()
      for entry in waiting {
        if case .end(let reason) = entry {
          ending = reason
        } else {
          take(entry, with: recorder, &disk, isLast: ending != nil)
        }
        // The weights exist only here now: the disk gets a minute to take them.
        if ending != nil, disk.unsaved != nil, deadline == .distantFuture {
          deadline = Date(timeIntervalSinceNow: Self.patience)
        }
      }
      disk.unconfirmed.occurrences += recorder.flushIfDue()
      send(&disk.unconfirmed, of: recorder)
      if ending == nil { hold(recorder.isStalled || disk.unsaved != nil, &disk) }
      stalls?.send(Double(DispatchTime.now().uptimeNanoseconds - start.uptimeNanoseconds) / 1e9)
    }
    recorder.isSyncedElsewhere = false
    if let ending { record(.ended(ending), with: recorder, &disk) }
    // After an ending nothing comes.
    let fence = DispatchSemaphore(value: 0)
    disk.unconfirmed.fence = fence
    send(&disk.unconfirmed, of: recorder)
    fence.wait()
    if let ending { news.send(.event(.ended(ending))) }
    var failure = disk.unsaved
    do {
      try recorder.close()
    } catch {
      failure = failure ?? error as? UserError ?? UserError(.inputOutput, "\(error)")
    }
    news.send(.closed(failure))
  }

  private func take(_ entry: Entry, with recorder: Recorder, _ disk: inout Disk, isLast: Bool) {
    switch entry {
    case .event(let event):
      if case .evaluated(let evaluation) = event, evaluation.isBest { disk.bestStep = evaluation.step }
      record(event, with: recorder, &disk)
    case .occurred(let occurrence):
      record(.occurred(occurrence), with: recorder, &disk)
      disk.unconfirmed.occurrences.append(occurrence)
    case .checkpoint(let parcel):
      guard let checkpoint = parcel.takeOut() else { return }
      let isBest = checkpoint.state.step == disk.bestStep
      do {
        let (pending, notices) = try recorder.begin(checkpoint, isBest: isBest)
        disk.unconfirmed.occurrences += notices
        disk.writing += 1
        disk.unconfirmed.checkpoints.append(pending)
      } catch {
        let error = error as? UserError ?? UserError(.inputOutput, "\(error)")
        say(error, of: checkpoint.state.step, "", with: recorder, &disk)
      }
    case .stored(let stored):
      disk.writing -= 1
      disk.unsaved = nil
      disk.unconfirmed.occurrences += recorder.finish(stored)
    case .notSynced(let sync, let error): disk.unconfirmed.occurrences += recorder.takeBack(sync, error)
    case .notStored(let pending, let error):
      // What cannot be a checkpoint will not be one by waiting.
      if error.status == .data {
        disk.writing -= 1
        copies.giveBack(pending)
        say(error, of: pending.step, "", with: recorder, &disk)
        return
      }
      recorder.makeRoom()
      let isFirst = disk.unsaved == nil
      disk.unsaved = error
      let isOver = isLast || pending.step >= plan.recipe.steps
      let advice =
        isOver ? "; it is tried again for a minute" : "; the run waits and tries again; space goes on without it"
      if isFirst { say(error, of: pending.step, advice, with: recorder, &disk) }
    case .end: break
    }
  }

  /// Makes the trainer wait while the disk does not take what it has, and go on when it does.
  private func hold(_ isNeeded: Bool, _ disk: inout Disk) {
    guard isNeeded != disk.isHolding else { return }
    disk.isHolding = isNeeded
    requests.send(Request(isNeeded ? .pause : .proceed, by: .program))
  }

  private func record(_ event: Event, with recorder: Recorder, _ disk: inout Disk) {
    do {
      disk.unconfirmed.occurrences += try recorder.record(event)
    } catch {
      let step = if case .stepped(let report) = event { report.step } else { 0 }
      disk.unconfirmed.occurrences.append(
        Occurrence(.failure, step: step, time: Date().timeIntervalSince1970, text: "\(error)"))
    }
  }

  /// Hands over what is to be confirmed.
  private func send(_ confirmation: inout Confirmation, of recorder: Recorder) {
    let (pending, notices) = recorder.takeSync()
    confirmation.sync = pending
    confirmation.occurrences += notices
    let isEmpty =
      pending == nil && confirmation.occurrences.isEmpty && confirmation.checkpoints.isEmpty
      && confirmation.fence == nil
    if !isEmpty { confirmations.send(confirmation) }
    confirmation = Confirmation()
  }

  /// Says that a checkpoint is not saved.
  private func say(_ error: UserError, of step: Int, _ advice: String, with recorder: Recorder, _ disk: inout Disk) {
    let failure = Occurrence(
      .failure, step: step, time: Date().timeIntervalSince1970,
      text: "the checkpoint is not saved: \(error.message)\(advice)")
    record(.occurred(failure), with: recorder, &disk)
    disk.unconfirmed.occurrences.append(failure)
  }

  // MARK: The thread that waits for the disk

  /// Waits until the journal is on the disk, then says what happened and lets checkpoints be written.
  private func confirm() {
    while true {
      let waiting = confirmations.takeAll(waitingUntil: .distantFuture)
      // The last one's entries come after those of all others.
      if let last = waiting.last(where: { $0.sync != nil })?.sync {
        do {
          try last.wait()
        } catch {
          entries.send(.notSynced(last, error as? UserError ?? UserError(.inputOutput, "\(error)")))
        }
      }
      for confirmation in waiting {
        for occurrence in confirmation.occurrences { news.send(.event(.occurred(occurrence))) }
        for pending in confirmation.checkpoints { checkpoints.send(pending) }
        confirmation.fence?.signal()
      }
    }
  }

  // MARK: The thread that writes checkpoints

  /// Writes one after the other. One that the disk does not take is tried again until it does, or a newer one comes.
  private func writeCheckpoints() {
    var waiting: [PendingCheckpoint] = []
    var failed: PendingCheckpoint?
    while true {
      if waiting.isEmpty {
        waiting = checkpoints.takeAll(
          waitingUntil: failed == nil ? .distantFuture : Date(timeIntervalSinceNow: Self.pause))
      }
      if let old = failed, !waiting.isEmpty {
        // The newer one has all that this one has.
        entries.send(.notStored(old, Self.superseded))
        failed = nil
      }
      guard let next = failed ?? waiting.first else { continue }
      if failed == nil { waiting.removeFirst() }
      do {
        let stored = try next.write()
        copies.giveBack(next)
        failed = nil
        entries.send(.stored(stored))
      } catch {
        let error = error as? UserError ?? UserError(.inputOutput, "\(error)")
        failed = error.status == .data ? nil : next
        entries.send(.notStored(next, error))
      }
    }
  }

  /// Of one that was not stored before a newer one came.
  private static let superseded = UserError(.data, "a newer one takes its place")
}
