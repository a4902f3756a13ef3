// The page that wires the rest: the trainer's thread, the recorder's thread, and the mailboxes between them and the main
// thread. Nothing is shared; values cross.
import Corpus
import Dispatch
import Foundation
import Run
import RunFile
import Training

/// What the main thread hears of.
enum News: Sendable {
  case event(Event)
  /// What is being made ready, before the run begins.
  case preparing(String)
  /// The run could not begin.
  case failed(UserError)
  /// All is recorded and closed, or could not be.
  case closed(UserError?)
}

/// What the recorder's thread hears of.
private enum Entry: Sendable {
  case event(Event)
  /// What the main thread hears of when it is recorded.
  case occurred(Occurrence)
  case checkpoint(Checkpoint)
  /// The trainer is gone.
  case end
}

/// A run that goes on in threads of its own. The main thread sends requests and takes news.
final class Session: Sendable {
  let plan: Plan
  let requests = Mailbox<Request>()
  let news = Mailbox<News>()
  private let entries = Mailbox<Entry>()
  /// Checkpoints that may wait for the disk: more would fill the memory.
  private let places = DispatchSemaphore(value: 2)

  /// Whether somebody can decide what becomes of a run that diverged.
  private let isAttended: Bool

  init(_ plan: Plan, isAttended: Bool) {
    self.plan = plan
    self.isAttended = isAttended
  }

  /// Starts both threads.
  func start() {
    // Deep calls are rare and large frames are not: 16 MiB is never the limit.
    let thread = Thread { [self] in train() }
    thread.name = "trainer"
    thread.stackSize = 1 << 24
    thread.start()
  }

  /// Something that happened outside of the trainer, for the file; the main thread knows it already.
  func record(_ occurrence: Occurrence) { entries.send(.event(.occurred(occurrence))) }

  // MARK: The trainer's thread

  private func train() {
    do {
      let corpus = try plan.corpus { news.send(.preparing($0)) }
      var trainer = try Trainer(
        recipe: plan.recipe, corpus: corpus, from: plan.past?.checkpoint, threads: plan.threads, name: plan.name)
      try startRecording(trainer.beginning)
      news.send(.event(.began(trainer.beginning)))
      for notice in plan.notices + [plan.past?.change(of: trainer.beginning)].compactMap({ $0 }) {
        tell(.occurred(Occurrence(.warning, step: trainer.beginning.step, time: trainer.beginning.time, text: notice)))
      }
      let ending = trainer.run(
        obeying: requests, replaying: plan.past?.edits ?? [], isAttended: isAttended,
        to: Trainer.Outlets(
          report: { [self] in tell($0) },
          save: { [self] checkpoint in
            places.wait()
            entries.send(.checkpoint(checkpoint))
          }))
      // The recorder passes it on when all before it is stored: after an ending nothing comes.
      entries.send(.event(.ended(ending)))
      entries.send(.end)
    } catch let error as UserError {
      news.send(.failed(error))
    } catch let error as CorpusError {
      news.send(.failed(UserError(error)))
    } catch {
      news.send(.failed(UserError(.inputOutput, "\(error)")))
    }
  }

  private func tell(_ event: Event) {
    // A command is confirmed when nothing can take it away any more.
    if case .occurred(let occurrence) = event { return entries.send(.occurred(occurrence)) }
    news.send(.event(event))
    entries.send(.event(event))
  }

  // MARK: The recorder's thread

  /// Starts the recorder and waits until the run's folder is there, or cannot be.
  private func startRecording(_ beginning: Beginning) throws {
    let outcomes = Mailbox<UserError?>()
    let thread = Thread { [self] in
      do {
        let recorder =
          if let past = plan.past {
            try Recorder(resuming: plan.folder, from: past.checkpoint?.state.step ?? 0, beginning: beginning)
          } else {
            try Recorder(creating: plan.folder, beginning: beginning)
          }
        outcomes.send(nil)
        record(with: recorder)
      } catch {
        outcomes.send(error as? UserError ?? UserError(.inputOutput, "\(error)"))
      }
    }
    thread.name = "recorder"
    thread.stackSize = 1 << 23
    thread.start()
    if let error = outcomes.takeAll(waitingUntil: .distantFuture).first ?? nil { throw error }
  }

  /// Takes entries until the trainer is gone; then closes the file.
  private func record(with recorder: Recorder) {
    var bestStep = -1
    var unsaved: (checkpoint: Checkpoint, error: UserError)?
    var isOver = false
    while !isOver {
      for entry in entries.takeAll(waitingUntil: Date(timeIntervalSinceNow: 0.25)) {
        switch entry {
        case .event(let event):
          if case .evaluated(let evaluation) = event, evaluation.isBest { bestStep = evaluation.step }
          record(event, with: recorder)
        case .occurred(let occurrence):
          record(.occurred(occurrence), with: recorder)
          announce([occurrence])
        case .checkpoint(let checkpoint):
          let error = save(checkpoint, isBest: checkpoint.state.step == bestStep, with: recorder)
          unsaved = error.map { (checkpoint, $0) }
          places.signal()
        case .end: isOver = true
        }
      }
      announce(recorder.flushIfDue())
    }
    // The weights exist only here now: the disk gets a minute to take them.
    let deadline = Date(timeIntervalSinceNow: 60)
    while let (checkpoint, _) = unsaved, Date() < deadline {
      Thread.sleep(forTimeInterval: 2)
      let error = save(checkpoint, isBest: checkpoint.state.step == bestStep, with: recorder, isRetry: true)
      unsaved = error.map { (checkpoint, $0) }
    }
    var failure = unsaved?.error
    do {
      try recorder.close()
    } catch {
      failure = failure ?? error as? UserError ?? UserError(.inputOutput, "\(error)")
    }
    news.send(.closed(failure))
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

  /// Saves a checkpoint and says so.
  /// - Returns: why it could not be saved.
  private func save(
    _ checkpoint: Checkpoint, isBest: Bool, with recorder: Recorder, isRetry: Bool = false
  ) -> UserError? {
    do {
      announce([try recorder.save(checkpoint, isBest: isBest)])
      return nil
    } catch {
      let problem = error as? UserError ?? UserError(.inputOutput, "\(error)")
      if !isRetry {
        // The weights are in memory only: whoever watches gets the time to make room.
        let isLast = checkpoint.state.step >= plan.recipe.steps
        if isAttended, !isLast { requests.send(Request(.pause, by: .program)) }
        let advice =
          isLast
          ? "; it is tried again for a minute"
          : isAttended ? "; the run waits: s saves it when there is room, space goes on" : ""
        let failure = Occurrence(
          .failure, step: checkpoint.state.step, time: Date().timeIntervalSince1970,
          text: "the checkpoint is not saved: \(problem.message)\(advice)")
        announce([failure])
        record(.occurred(failure), with: recorder)
      }
      return problem
    }
  }
}
