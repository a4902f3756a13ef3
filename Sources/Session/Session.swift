// Connects the parts of a session: the trainer's thread, the recording threads, the hub and the queues between them.
// Threads share no state and exchange values. All threads end with the session.
import Corpus
import Foundation
import Kernels
import Run
import RunFile
import Synchronization
import Training

/// A live run in its own threads: it takes requests, and the hub's subscribers receive its events.
package final class TrainingSession: Sendable {
  package let request: RunRequest
  package let requests = RequestQueue()
  package let hub: EventHub
  private let entries = Mailbox<RecordingThread.Entry>()
  private let buffers: CheckpointBuffers
  private let thread = Mutex<WorkerThread?>(nil)
  private let recording = Mutex<RecordingThread?>(nil)
  private let control = Mutex<ControlServer?>(nil)
  private let setup = SessionSetup()
  private let screen = Mutex(false)
  /// Whether this session has saved the step with which it began: its checkpoint is this session's then.
  let startIsSaved = Atomic(false)
  /// What the run began with, and the session that follows this one.
  private let following = Mutex<(began: Beginning?, next: RunRequest?)>((nil, nil))

  /// True if a user can decide how a diverged run continues.
  private let isAttended: Bool
  private let stalls: Mailbox<Double>?
  private let beforeText: @Sendable () -> Void

  /// - Parameters:
  ///   - isAttended: true if a user can decide how a diverged run continues: then the run pauses, otherwise it ends.
  ///   - stalls: receives the seconds of every stretch for which the recorder's thread was busy.
  ///   - beforeText: called on the trainer's thread before the text is opened: a test holds the setting-up there.
  package init(
    _ request: RunRequest, isAttended: Bool, stalls: Mailbox<Double>? = nil,
    beforeText: @escaping @Sendable () -> Void = {}
  ) {
    self.beforeText = beforeText
    self.request = request
    self.isAttended = isAttended
    self.stalls = stalls
    hub = EventHub(recorder: entries)
    buffers = CheckpointBuffers(telling: requests)
  }

  /// Starts the threads. Subscribe before: later subscribers miss earlier events.
  /// - Throws: `UserError` when the trainer's thread cannot be made.
  package func start() throws {
    for change in request.past?.weights ?? [] { requests.send(.weight(change), by: .commandLine) }
    // A factor is one of the rate that is held.
    if let rate = request.past?.heldRate { requests.send(.rate(.to(rate)), by: .commandLine) }
    if let past = request.past, let factor = past.rateFactor {
      requests.send(.rate(.times(factor)), by: past.branchActor)
    }
    // Deep calls are rare and large frames are not: 16 MiB is never the limit.
    let made = try WorkerThread("trainer", stackSize: 1 << 24) { [self] in train() }
    thread.withLock { $0 = made }
  }

  /// Waits until all threads have ended, after `closed` or `failed`.
  package func end() {
    thread.withLock { $0.take() }?.join()
    recording.withLock { $0 }?.end()
    control.withLock { $0.take() }?.end()
    buffers.end()
  }

  /// The run's current address; its folder may have been moved since the start.
  package var address: RunAddress {
    recording.withLock { $0 }.map { RunAddress(folder: $0.folder, before: request.address) } ?? request.address
  }

  /// The session that follows this one in the same process: the run went back to a checkpoint. Nil where none does.
  package var next: RunRequest? { following.withLock { $0.next } }

  /// What the session began with; nil before it has.
  var began: Beginning? { following.withLock { $0.began } }

  func keepNext(_ request: RunRequest) { following.withLock { $0.next = request } }

  /// Stops the run while it is being set up; nothing is left of a new one. Its threads end when they can.
  /// - Returns: false if the run has begun: it can be asked to stop.
  @discardableResult package func cancelSetup() -> Bool {
    guard setup.cancel() else { return false }
    clearSetup(saying: SessionSetup.cancelled.message)
    return true
  }

  /// Answers who asked for something of a run that does not begin, and gives back its folder.
  private func clearSetup(saying sentence: String) {
    control.withLock { $0.take() }?.end(refusing: sentence)
    setup.giveBack()
    request.past?.branch?.giveUp()
  }

  /// True while the run has a screen in this process, which `detach` leaves.
  package var hasScreen: Bool {
    get { screen.withLock { $0 } }
    set { screen.withLock { $0 = newValue } }
  }

  /// Lets go of the session that would follow: its folder is removed.
  package func dropNext() { following.withLock { $0.next = nil } }

  /// Publishes an occurrence that did not happen in the trainer.
  package func report(_ occurrence: Occurrence) { hub.publish(.occurred(occurrence)) }

  /// Seconds for which a run that goes back waits for the disk, at most.
  private static let patience = 60.0

  // MARK: The trainer's thread

  private func train() {
    Team.flushSubnormals()
    let recording = RecordingThread(
      request, isAttended: isAttended, entries: entries, requests: requests, hub: hub, buffers: buffers, stalls: stalls)
    self.recording.withLock { $0 = recording }
    do {
      try recording.makeThreads()
      let place = try setup.begin(request)
      let problem = startControl()
      beforeText()
      let trainer = try trainer()
      defer { trainer.endOrders() }
      let beginning = try beginning(of: trainer)
      trainer.startGuarding(
        after: request.past?.backs ?? 0, isSameText: request.past?.change(of: beginning) == nil,
        older: request.past?.older)
      try setup.finish()
      try recording.start(beginning, in: place)
      following.withLock { $0.began = beginning }
      hub.publish(.began(beginning))
      if let problem {
        report(
          Occurrence(
            .warning, step: beginning.step, time: beginning.time,
            text: "other processes cannot follow or steer this run: \(problem.message)"))
      }
      for notice in trainer.corpus.notices {
        report(Occurrence(.notice, step: beginning.step, time: beginning.time, text: notice))
      }
      if let remark = beginning.remarkOnDiagnostics {
        report(Occurrence(.warning, step: beginning.step, time: beginning.time, text: remark))
      }
      if let step = trainer.stepWithoutMoments {
        report(
          Occurrence(
            .warning, step: beginning.step, time: beginning.time,
            text:
              "the checkpoint of step \(step) has no moments of memory layers' tables (save.weightsOnly): these begin at zero, "
              + "and the steps after it are not those of a run that went on without a stop"))
      }
      for notice in request.notices {
        report(Occurrence(.warning, step: beginning.step, time: beginning.time, text: notice))
      }
      for occurrence in request.past?.occurrences(at: beginning) ?? [] { report(occurrence) }
      let ending = trainer.run(
        obeying: requests.mailbox, replaying: request.past?.edits ?? [], isAttended: isAttended,
        to: Trainer.Outlets(
          report: { [hub] in hub.publish($0) },
          save: { [self] checkpoint in
            if checkpoint.state.step == request.past?.step { startIsSaved.store(true, ordering: .relaxed) }
            entries.send(.checkpoint(Handoff(checkpoint)))
          },
          due: { [entries] in entries.send(.due(step: $0, answering: $1)) },
          spare: { [buffers] in buffers.take() },
          goBack: { [self] in
            // Which checkpoints there are does not depend on how fast the disk is.
            buffers.awaitWriting(atMost: Self.patience)
            return try prepareBranch(from: $0, at: $1, by: $2, rateFactor: $3)
          },
          progress: { [hub] in hub.tell(.evaluating(done: $0, total: $1)) },
          hasScreen: { [self] in hasScreen },
          saveAgain: { [entries] in entries.send(.again($0)) }))
      if let failure = trainer.failure { hub.tell(.stopped(UserError(failure))) }
      // The recorder passes it on when all before it is stored: after an ending nothing comes.
      entries.send(.end(ending))
    } catch {
      recording.cancel()
      let error =
        (error as? CorpusError).map { UserError($0) } ?? UserError(error, while: "beginning the run “\(request.name)”")
      clearSetup(saying: "the run could not begin: \(error.message)")
      hub.tell(.failed(error))
    }
  }

  /// What the session begins with.
  private func beginning(of trainer: Trainer) throws -> Beginning {
    var beginning = trainer.beginning
    beginning.place = ComputingPlace(machine: Machine.kind, tokens: try trainer.corpus.fingerprint)
    beginning.parent = request.past?.parent(at: beginning.time)
    return beginning
  }

  /// Opens the control socket. The run continues if that fails.
  /// - Returns: the error, if there is no socket.
  private func startControl() -> UserError? {
    do {
      let server = try ControlServer(folder: request.folder, name: request.name, hub: hub, requests: requests) {
        [setup, hub] in
        guard setup.cancel() else { return false }
        hub.tell(.cancelled)
        return true
      }
      control.withLock { $0 = server }
      return nil
    } catch {
      return UserError(error, .unavailable, while: "making the control socket")
    }
  }

  /// Makes the trainer. The loaded checkpoint is released: the trainer has its own copy.
  private func trainer() throws -> Trainer {
    // Before a text is read and a tokenizer made: the network's own look at it comes long after.
    try Team.require(request.threads)
    let start = request.past?.start.takeOut()
    let corpus = try request.corpus(by: start?.tokenizer) {
      hub.tell(.preparing($0))
    } progress: {
      hub.tell(.progress($0, done: $1, total: $2))
    }
    try RunPlan(request.recipe, vocabulary: corpus.tokenizer.vocabulary, threads: request.threads)
      .check(
        freeDisk: MachineUse.freeDisk(at: request.folder), beside: StoredRun.replaceableBytes(in: request.folder),
        of: request.folder)
    if let ranks = request.ranks {
      hub.tell(.preparing("waiting for \(ranks.count - 1) other ranks to open the text"))
      try ranks.begin(request, on: corpus)
    }
    hub.tell(.preparing("making the network and its memory"))
    let trainer = try Trainer.make(
      recipe: request.recipe, corpus: corpus, from: start, threads: request.threads, name: request.name,
      task: request.task, ranks: request.ranks,
      progress: { [hub] in hub.tell(.progress(.weights, done: $0, total: $1)) })
    try trainer.makeReady(toRepeat: request.past?.edits ?? [])
    buffers.allow(bytes: trainer.checkpointBytes, of: MachineMemory.current?.available)
    buffers.prepare(trainer.checkpointWithoutNumbers, numbers: trainer.checkpointNumbers)
    return trainer
  }
}

extension UserError {
  /// A corpus's error, with a status for the shell.
  package init(_ error: CorpusError) {
    let status: Status =
      switch error.kind {
      case .missing: .noInput
      case .unreadable: .inputOutput
      case .changed, .empty, .tooShort, .badText, .badTokenizer, .badTeacher: .data
      case .usage: .usage
      case .cannotWriteCache: .cannotCreate
      }
    self.init(status, error.description)
  }
}
