// The page that wires the rest: the trainer's thread, the recorder's, the one that writes checkpoints, and the mailboxes
// between them and the main thread. Nothing is shared; values cross.
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

  /// Whether somebody can decide what becomes of a run that diverged.
  private let isAttended: Bool
  private let stalls: Mailbox<Double>?

  /// - Parameter stalls: see `Recording`.
  init(_ plan: Plan, isAttended: Bool, stalls: Mailbox<Double>? = nil) {
    self.plan = plan
    self.isAttended = isAttended
    self.stalls = stalls
    copies = Copies()
  }

  /// Starts the threads.
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
      var trainer = try trainer()
      let recording = Recording(plan, entries: entries, requests: requests, news: news, copies: copies, stalls: stalls)
      try recording.start(trainer.beginning)
      news.send(.event(.began(trainer.beginning)))
      for notice in trainer.corpus.notices {
        tell(.occurred(Occurrence(.notice, step: trainer.beginning.step, time: trainer.beginning.time, text: notice)))
      }
      for notice in plan.notices + [plan.past?.change(of: trainer.beginning)].compactMap({ $0 }) {
        tell(.occurred(Occurrence(.warning, step: trainer.beginning.step, time: trainer.beginning.time, text: notice)))
      }
      let ending = trainer.run(
        obeying: requests, replaying: plan.past?.edits ?? [], isAttended: isAttended,
        to: Trainer.Outlets(
          report: { [self] in tell($0) },
          save: { [self] in entries.send(.checkpoint(Parcel($0))) },
          spare: { [self] in copies.take() }))
      if let failure = trainer.failure { news.send(.stopped(UserError(failure))) }
      // The recorder passes it on when all before it is stored: after an ending nothing comes.
      entries.send(.end(ending))
    } catch let error as UserError {
      news.send(.failed(error))
    } catch let error as CorpusError {
      news.send(.failed(UserError(error)))
    } catch {
      news.send(.failed(UserError(.inputOutput, "\(error)")))
    }
  }

  /// Makes everything ready. What was read to go on from is let go of: the trainer has its own.
  private func trainer() throws -> Trainer {
    let start = plan.past?.start.takeOut()
    let corpus = try plan.corpus(by: start?.tokenizer) { news.send(.preparing($0)) }
    let trainer = try Trainer(recipe: plan.recipe, corpus: corpus, from: start, threads: plan.threads, name: plan.name)
    copies.allow(bytes: trainer.checkpointBytes)
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

/// Copies of the weights between the trainer and the disk: one, or two where they are small, used again and again.
final class Copies: Sendable {
  private let free = DispatchSemaphore(value: 1)
  private let spares = Mailbox<Parcel>()

  /// Two copies may take so much.
  private static let most = 1 << 30

  /// Allows a second copy where it is small, so that a disk that is busy for a moment makes no step wait.
  func allow(bytes: Int) { if 2 * bytes <= Self.most { free.signal() } }

  /// Takes the memory of the first copy beside the trainer, which would wait while it is cleared page by page.
  /// - Parameter numbers: of each of its blocks.
  func prepare(_ first: consuming Checkpoint, numbers: Int) {
    let parcel = Parcel(first)
    free.wait()
    let thread = Thread { [self] in
      if var copy = parcel.takeOut() {
        copy.weights = [Float](repeating: 0, count: numbers)
        copy.firstMoments = [Float](repeating: 0, count: numbers)
        copy.secondMoments = [Float](repeating: 0, count: numbers)
        spares.send(Parcel(copy))
      }
      free.signal()
    }
    thread.name = "memory"
    thread.start()
  }

  /// Waits until there may be one more; hands over the memory of one that is stored.
  func take() -> Checkpoint? {
    free.wait()
    var all = spares.takeAll()
    let last = all.popLast()
    for parcel in all { spares.send(parcel) }
    return last?.takeOut()
  }

  /// It is stored, or given up.
  func giveBack(_ pending: PendingCheckpoint) {
    spares.send(Parcel(pending.takeOut()))
    free.signal()
  }
}
