// The page that wires the rest: the trainer's thread, the recorder's, the one that writes checkpoints, and the mailboxes
// between them and the main thread. Nothing is shared; values cross.
import Corpus
import Foundation
import Kernels
import Run
import RunFile
import Synchronization
import Training

/// What the main thread hears of.
enum News: Sendable {
  case event(Event)
  /// What is being made ready, before the run begins.
  case preparing(String)
  /// The run could not begin.
  case failed(UserError)
  /// The trainer cannot go on, and ends: what is sound is being saved.
  case stopped(UserError)
  /// All is recorded and closed, or could not be.
  case closed(UserError?)
}

/// A run that goes on in threads of its own. The main thread sends requests and takes news.
final class Session: Sendable {
  let plan: Plan
  let requests = Mailbox<Request>()
  let news = Mailbox<News>()
  private let entries = Mailbox<Recording.Entry>()
  private let copies: Copies
  private let thread = Mutex<WorkerThread?>(nil)
  private let recording = Mutex<Recording?>(nil)

  /// Whether somebody can decide what becomes of a run that diverged.
  private let isAttended: Bool
  private let stalls: Mailbox<Double>?

  /// - Parameter stalls: see `Recording`.
  init(_ plan: Plan, isAttended: Bool, stalls: Mailbox<Double>? = nil) {
    self.plan = plan
    self.isAttended = isAttended
    self.stalls = stalls
    copies = Copies(telling: requests)
  }

  /// Starts the threads.
  /// - Throws: `UserError` when the first of them cannot be made.
  func start() throws {
    LibraryExit.tell { [news] in news.send(.failed($0)) }
    for change in plan.past?.weights ?? [] { requests.send(Request(.weight(change), by: .commandLine)) }
    // Deep calls are rare and large frames are not: 16 MiB is never the limit.
    let made = try WorkerThread("trainer", stackSize: 1 << 24) { [self] in train() }
    thread.withLock { $0 = made }
  }

  /// Waits for the threads, after `closed` or `failed`.
  func end() {
    thread.withLock { $0 }?.join()
    recording.withLock { $0 }?.join()
    copies.end()
  }

  /// The run with the folder where it is now: somebody may have moved it meanwhile.
  var planOfNow: Plan {
    guard let folder = recording.withLock({ $0 })?.folder, folder != plan.folder else { return plan }
    var plan = plan
    plan.runs = folder.parentFolder
    plan.name = (folder as NSString).lastPathComponent
    return plan
  }

  /// Something that happened outside of the trainer, for the file; the main thread knows it already.
  func record(_ occurrence: Occurrence) { entries.send(.event(.occurred(occurrence))) }

  // MARK: The trainer's thread

  private func train() {
    let recording = Recording(
      plan, isAttended: isAttended, entries: entries, requests: requests, news: news, copies: copies, stalls: stalls)
    self.recording.withLock { $0 = recording }
    do {
      try recording.makeThreads()
      var trainer = try trainer()
      try recording.start(trainer.beginning)
      news.send(.event(.began(trainer.beginning)))
      let beginning = trainer.beginning
      for notice in trainer.corpus.notices {
        tell(.occurred(Occurrence(.notice, step: beginning.step, time: beginning.time, text: notice)))
      }
      for notice in plan.notices {
        tell(.occurred(Occurrence(.warning, step: beginning.step, time: beginning.time, text: notice)))
      }
      for occurrence in plan.past?.occurrences(at: beginning) ?? [] { tell(.occurred(occurrence)) }
      let ending = trainer.run(
        obeying: requests, replaying: plan.past?.edits ?? [], isAttended: isAttended,
        to: Trainer.Outlets(
          report: { [self] in tell($0) },
          save: { [self] in entries.send(.checkpoint(Parcel($0))) },
          spare: { [self] in copies.take() }))
      if let failure = trainer.failure { news.send(.stopped(UserError(failure))) }
      // The recorder passes it on when all before it is stored: after an ending nothing comes.
      entries.send(.end(ending))
    } catch {
      recording.cancel()
      let error =
        (error as? CorpusError).map { UserError($0) } ?? UserError(error, while: "beginning the run “\(plan.name)”")
      news.send(.failed(error))
    }
  }

  /// Makes everything ready. What was read to go on from is let go of: the trainer has its own.
  private func trainer() throws -> Trainer {
    // Before a text is read and a tokenizer made: the network's own look at it comes long after.
    try Team.require(plan.threads)
    let start = plan.past?.start.takeOut()
    let corpus = try plan.corpus(by: start?.tokenizer) { news.send(.preparing($0)) }
    let trainer = try Trainer(recipe: plan.recipe, corpus: corpus, from: start, threads: plan.threads, name: plan.name)
    copies.allow(bytes: trainer.checkpointBytes, of: Machine.memory?.available)
    copies.prepare(trainer.checkpointWithoutNumbers, numbers: trainer.checkpointBytes / 12)
    return trainer
  }

  private func tell(_ event: Event) {
    // A command is confirmed when nothing can take it away any more.
    if case .occurred(let occurrence) = event { return entries.send(.occurred(occurrence)) }
    news.send(.event(event))
    entries.send(.event(event))
  }
}
