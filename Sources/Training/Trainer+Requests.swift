// The trainer's handling of requests: between two steps, between two micro-batches of a step, and while the run is
// paused.
import Foundation
import Run

extension Trainer {
  /// Carries out the waiting requests; waits while the run is paused, and while there is no memory for a checkpoint
  /// that is due.
  /// - Returns: the session's ending, if a request asked for it; otherwise nil.
  func obey(_ inbox: Inbox, _ outlets: Outlets) -> Ending? {
    while true {
      while let request = inbox.next() {
        if let ending = obey(request, inbox, outlets) { return ending }
        // What was asked after some steps is done after them.
        if case .step = request.command, !isStoppingAfterSave { return nil }
      }
      let mayStep = state.step < recipe.steps && failure == nil
      guard isSaveDue || (mayStep && ((isPaused && !isPausedAfterStep) || isHeld)) else { return nil }
      // There is time for the rows that a checkpoint lacks.
      finishCheckpoint(outlets)
      inbox.wait()
    }
  }

  /// Handles requests during a step. A step is complete or not taken: a stop or a pause abandons the step, and the next
  /// step takes the same batch. A change of the rate or of a weight is answered now and applies from the next step on.
  /// A checkpoint has the weights before the step. Requests that compute with the network or change a setting wait for
  /// the end of the step, and so do all later requests.
  /// - Returns: true if the step continues.
  func attend(to desk: Desk) -> Bool {
    let inbox = desk.inbox
    if inbox.contains(where: { leavesStep($0) }) { return false }
    while let request = inbox.first, isObeyedInStep(request) {
      inbox.removeFirst()
      _ = obey(request, inbox, desk.outlets)
    }
    return true
  }

  private func leavesStep(_ request: Request) -> Bool {
    switch request.command {
    case .stop: true
    // The disk's pause is in no hurry, and a single step ends in one.
    case .pause: request.actor != .program && (!isPaused || stepsBeforePause > 1)
    default: false
    }
  }

  private func isObeyedInStep(_ request: Request) -> Bool {
    switch request.command {
    case .rate, .weight, .note, .detach: true
    // The copy would not have the changes that wait, and a session that goes on from it would not make them again.
    // Moments that other ranks have come when they have ended the step too.
    case .save, .saveAs: request.actor != .program && changes.isEmpty && ranked?.isSharded != true
    case .proceed: request.actor != .program && !isPaused && !isHeld
    default: false
    }
  }

  func obey(_ request: Request, _ inbox: Inbox, _ outlets: Outlets) -> Ending? {
    if let doubt = doubt(about: request) {
      refuse(request, doubt, outlets)
      return nil
    }
    switch request.command {
    case .pause where request.actor == .program:
      if !isPaused && !isHeld { occurred(.pause, "waits for the disk", by: .program, outlets) }
      isHeld = true
    case .pause:
      if isPaused && !isPausedAfterStep {
        answer(request, outlets)
      } else {
        pause(outlets, by: request.actor, answering: request.id)
      }
    case .proceed: proceed(request, outlets)
    case .step(let count):
      isPaused = true
      pauseCondition = nil
      // Asked for again meanwhile, they are so many more.
      stepsBeforePause += max(count, 1)
      stepsAsked += max(count, 1)
      steppingRequests.append(request)
    case .until(let condition): proceed(until: condition, request, outlets)
    case .setting(let change): self.change(change, for: request, outlets)
    case .course(let change): self.change(change, for: request, outlets)
    case .prompt(let prompt): change(prompt: prompt, for: request, outlets)
    case .undo: undo(for: request, outlets)
    case .note(let text):
      outlets.report(
        .occurred(
          Occurrence(
            .notice, step: state.step, time: wallTime(), key: Annotation.note.rawValue, actor: request.actor,
            request: request.id, text: text)))
    case .rate(let change): self.change(change, for: request, outlets)
    case .weight(let change): self.change(change, for: request, outlets)
    case .save where request.actor == .program:
      if isSaveDue { save(outlets) }
      if isStoppingAfterSave && !isSaveDue { return stop(.stopped, answering: stoppingRequest, outlets) }
    case .save where state == savedState && (isKept || !request.actor.isByHand):
      if let again = outlets.saveAgain { again(request) } else { answer(request, outlets) }
      save(outlets)
    case .save, .saveAs:
      // What was saved because it was due is written again, to be kept.
      savedState = nil
      savingRequests.append(request)
      save(outlets)
    case .evaluate:
      guard corpus.heldOut.windows(of: recipe.model.context) > 0 else {
        refuse(request, "there is no held-out text to evaluate on: data.heldOut is 0, or too small", outlets)
        return nil
      }
      let losses = evaluate(inbox, outlets)?.losses.map { "\($0.head.name) \(Figure.loss(Double($0.loss)))" } ?? []
      answer(request, outlets, saying: losses.isEmpty ? "" : ": held-out " + losses.joined(separator: ", "))
    case .generate, .generateFrom:
      guard heads.first == .ntp else {
        refuse(request, "this run has no NTP head to generate text with", outlets)
        return nil
      }
      var prompt: String?
      if case .generateFrom(let text) = request.command { prompt = text }
      guard prompt.map(corpus.tokenizer.takesAll) ?? true else {
        refuse(request, "the prompt has words that are not tokens of this run", outlets)
        return nil
      }
      if prompt == nil { look(outlets) }
      write(inbox, after: prompt, outlets)
      answer(request, outlets)
    case .ask(let text): answer(text, for: request, outlets)
    case .limit: measureLimit(for: request, outlets)
    case .probe(let index):
      if show(probe: index, for: request, outlets) { answer(request, outlets) }
    case .stop(let saving):
      if saving { save(outlets) }
      if saving && isSaveDue {
        isStoppingAfterSave = true
        stoppingRequest = request
        return nil
      }
      return stop(saving ? .stopped : .abandoned, answering: request, outlets)
    case .leaveOut:
      if leaveBatchOut() { leaveOut("as before", by: request.actor, outlets) }
    case .back(let target): return goBack(to: target, for: request, outlets)
    case .detach:
      guard outlets.hasScreen?() ?? true else {
        refuse(request, "this run has no screen to leave: it prints lines, or is in the background already", outlets)
        return nil
      }
      answer(request, outlets)
    }
    return nil
  }

  /// Ends the session where a branch can go on from a checkpoint: what is learned is saved first.
  private func goBack(to target: BackTarget, for request: Request, _ outlets: Outlets) -> Ending? {
    do {
      try leave(for: target, request, outlets)
    } catch {
      refuse(request, UserError(error, while: "going back").message, outlets)
      return nil
    }
    save(outlets)
    guard isSaveDue else { return stop(.stopped, answering: nil, outlets) }
    isStoppingAfterSave = true
    return nil
  }

  /// Has a branch made ready, and says so.
  /// - Parameter factor: of the rate at the checkpoint, for the branch.
  func leave(
    for target: BackTarget, _ request: Request, rateFactor factor: Double? = nil, why: String = "", _ outlets: Outlets
  ) throws {
    guard let goBack = outlets.goBack else { throw UserError(.usage, "nothing can go back here") }
    // It may be the checkpoint that is meant.
    finishCheckpoint(outlets)
    let branch = try goBack(target, state.step, request.actor, factor)
    outlets.report(
      .occurred(
        Occurrence(
          .branch, step: state.step, time: wallTime(), key: "back", old: Double(state.step), new: Double(branch.step),
          actor: request.actor, request: request.id,
          text: "\(why)back to step \(Figure.grouped(branch.step)), goes on as “\(branch.name)”")))
  }

  private func proceed(_ request: Request, _ outlets: Outlets) {
    // What the program held goes on by itself, unless the user paused it too.
    let waited = isPaused || isHeld
    isHeld = false
    if request.actor != .program {
      isPaused = false
      pauseCondition = nil
      stepsBeforePause = 0
      answerStepping(outlets)
      // Who goes on does so without the checkpoint that waits.
      isSaveDue = isStoppingAfterSave
      if !isSaveDue { dropSaves(outlets) }
    }
    if waited && !isPaused {
      occurred(.proceed, "goes on", by: request.actor, answering: request.id, outlets)
    } else {
      answer(request, outlets)
    }
  }

  /// Continues the training, and pauses when a condition is reached.
  private func proceed(until condition: PauseCondition, _ request: Request, _ outlets: Outlets) {
    if case .step(let step) = condition, step <= state.step {
      return refuse(
        request,
        "step \(Figure.grouped(step)) is not ahead: the run is at step \(Figure.grouped(state.step)); take a later one",
        outlets)
    }
    if case .step(let step) = condition, step > recipe.steps {
      return refuse(
        request,
        "step \(Figure.grouped(step)) is not reached: the run ends at step \(Figure.grouped(recipe.steps)); "
          + "“steps \(step)” makes it longer", outlets)
    }
    proceed(request, outlets)
    pauseCondition = (condition, request.actor)
  }

  /// Pauses if the step was the last of the requested ones, or the pause condition is reached.
  func pauseIfDue(after report: StepReport, _ outlets: Outlets) {
    if isPausedAfterStep {
      stepsBeforePause -= 1
      if stepsBeforePause == 0 { pause(outlets, by: steppingRequests.first?.actor ?? .program) }
    } else if let (condition, actor) = pauseCondition, condition.isReached(by: report) {
      isPaused = true
      pauseCondition = nil
      occurred(.pause, "\(condition.text) is reached, paused", by: actor, outlets)
    }
  }

  func pause(
    _ outlets: Outlets, by actor: Occurrence.Actor = .program, answering request: Int? = nil
  ) {
    let taken = stepsAsked > 0 && stepsBeforePause == 0 ? stepsAsked : 0
    isPaused = true
    stepsBeforePause = 0
    stepsAsked = 0
    pauseCondition = nil
    let text = taken == 0 ? "paused" : taken == 1 ? "one step taken, paused" : "\(taken) steps taken, paused"
    let answered = request ?? steppingRequests.first?.id
    occurred(.pause, text, by: actor, answering: answered, outlets)
    answerStepping(but: answered, outlets)
  }

  /// Answers the waiting requests for steps.
  func answerStepping(but answered: Int? = nil, _ outlets: Outlets) {
    for request in steppingRequests where request.id != answered { answer(request, outlets) }
    steppingRequests = []
    stepsAsked = 0
  }

  private func stop(_ reason: Ending.Reason, answering request: Request?, _ outlets: Outlets) -> Ending {
    if let request { answer(request, outlets) }
    // Who stops a run that waits because it has diverged leaves a run that has diverged.
    let hasDiverged = isPaused && guarded.haltedAt == state.step
    return Ending(hasDiverged && reason == .stopped ? .diverged : reason, step: state.step, time: wallTime())
  }

  /// Answers requests to save that will not be carried out.
  private func dropSaves(_ outlets: Outlets) {
    for request in savingRequests {
      refuse(
        request, "the checkpoint of step \(Figure.grouped(state.step)) is skipped: the run goes on",
        outlets)
    }
    savingRequests = []
  }

  /// Reports that a request was carried out which no other event answers.
  private func answer(_ request: Request, _ outlets: Outlets, saying remark: String = "") {
    guard let id = request.id else { return }
    let word = request.command.word
    outlets.report(
      .occurred(
        Occurrence(
          .done, step: state.step, time: wallTime(), key: word, actor: request.actor, request: id,
          text: "\(word): done at step \(Figure.grouped(state.step))\(remark)")))
  }
}

/// The user's requests that are not carried out yet, oldest first.
final class Inbox {
  private let mailbox: Mailbox<Request>
  private var waiting: [Request] = []

  init(_ mailbox: Mailbox<Request>) { self.mailbox = mailbox }

  func next() -> Request? {
    waiting += mailbox.takeAll()
    return waiting.isEmpty ? nil : waiting.removeFirst()
  }

  /// The next request, which stays in the inbox.
  var first: Request? { waiting.first }

  func removeFirst() { waiting.removeFirst() }

  /// True if a waiting request satisfies the condition.
  func contains(where isMeant: (Request) -> Bool) -> Bool {
    waiting += mailbox.takeAll()
    return waiting.contains(where: isMeant)
  }

  /// Sleeps until a request arrives.
  func wait() {
    if waiting.isEmpty { waiting += mailbox.takeAll(waitingUntil: .distantFuture) }
  }

  /// True if a stop was requested, so that long work should be cut off.
  var isStopping: Bool { contains { if case .stop = $0.command { true } else { false } } }
}
