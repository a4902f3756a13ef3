// The run's folder is written here: by the recorder's thread, which takes every event, and by a thread beside it, which
// writes checkpoints for as long as that takes.
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
    /// The trainer is gone.
    case end(Ending)
  }

  private let plan: Plan
  private let entries: Mailbox<Entry>
  private let requests: Mailbox<Request>
  private let news: Mailbox<News>
  private let copies: Copies
  /// Checkpoints for the thread that writes them.
  private let checkpoints = Mailbox<PendingCheckpoint>()

  /// How long a disk that does not take a checkpoint is left alone, and for how long one that is the last is tried.
  private static let pause = 2.0
  private static let patience = 60.0

  init(
    _ plan: Plan, entries: Mailbox<Entry>, requests: Mailbox<Request>, news: Mailbox<News>, copies: Copies
  ) {
    self.plan = plan
    self.entries = entries
    self.requests = requests
    self.news = news
    self.copies = copies
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
  }

  /// Takes entries until the trainer is gone and its last checkpoint stored; then closes the file.
  private func record(with recorder: Recorder) {
    var disk = Disk()
    var ending: Ending?
    var deadline = Date.distantFuture
    while ending == nil || (disk.writing > 0 && Date() < deadline) {
      for entry in entries.takeAll(waitingUntil: Date(timeIntervalSinceNow: 0.25)) {
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
      announce(recorder.flushIfDue())
      if ending == nil { hold(recorder.isStalled || disk.unsaved != nil, &disk) }
    }
    if let ending { record(.ended(ending), with: recorder) }
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
      record(event, with: recorder)
    case .occurred(let occurrence):
      record(.occurred(occurrence), with: recorder)
      announce([occurrence])
    case .checkpoint(let parcel):
      guard let checkpoint = parcel.takeOut() else { return }
      let isBest = checkpoint.state.step == disk.bestStep
      do {
        let (pending, notices) = try recorder.begin(checkpoint, isBest: isBest)
        announce(notices)
        disk.writing += 1
        checkpoints.send(pending)
      } catch {
        say(error as? UserError ?? UserError(.inputOutput, "\(error)"), of: checkpoint.state.step, "", with: recorder)
      }
    case .stored(let stored):
      disk.writing -= 1
      disk.unsaved = nil
      announce([recorder.finish(stored)])
    case .notStored(let pending, let error):
      // What cannot be a checkpoint will not be one by waiting.
      if error.status == .data {
        disk.writing -= 1
        copies.giveBack(pending)
        say(error, of: pending.step, "", with: recorder)
        return
      }
      recorder.makeRoom()
      let isFirst = disk.unsaved == nil
      disk.unsaved = error
      let isOver = isLast || pending.step >= plan.recipe.steps
      let advice =
        isOver ? "; it is tried again for a minute" : "; the run waits and tries again; space goes on without it"
      if isFirst { say(error, of: pending.step, advice, with: recorder) }
    case .end: break
    }
  }

  /// Makes the trainer wait while the disk does not take what it has, and go on when it does.
  private func hold(_ isNeeded: Bool, _ disk: inout Disk) {
    guard isNeeded != disk.isHolding else { return }
    disk.isHolding = isNeeded
    requests.send(Request(isNeeded ? .pause : .proceed, by: .program))
  }

  private func record(_ event: Event, with recorder: Recorder) {
    do {
      announce(try recorder.record(event))
    } catch {
      let step = if case .stepped(let report) = event { report.step } else { 0 }
      announce([Occurrence(.failure, step: step, time: Date().timeIntervalSince1970, text: "\(error)")])
    }
    if case .ended = event { news.send(.event(event)) }
  }

  private func announce(_ occurrences: [Occurrence]) {
    for occurrence in occurrences { news.send(.event(.occurred(occurrence))) }
  }

  /// Says that a checkpoint is not saved.
  private func say(_ error: UserError, of step: Int, _ advice: String, with recorder: Recorder) {
    let failure = Occurrence(
      .failure, step: step, time: Date().timeIntervalSince1970,
      text: "the checkpoint is not saved: \(error.message)\(advice)")
    announce([failure])
    record(.occurred(failure), with: recorder)
  }

  // MARK: The thread that writes checkpoints

  /// Writes one after the other. One that the disk does not take is tried again until it does, or a newer one comes.
  private func writeCheckpoints() {
    // Training comes first: on Linux this is of the thread.
    setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, 10)
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
