// What is asked of the trainer: looked at between two steps, between two micro-batches of one, and while the run is paused.
import Foundation
import Run

extension Trainer {
  /// Obeys what was asked; waits while paused, and while there is no memory for a checkpoint that is due.
  /// - Returns: how the session ends, where that was asked for.
  mutating func obey(_ inbox: Inbox, _ outlets: Outlets) -> Ending? {
    while true {
      while let request = inbox.next() {
        if let ending = obey(request, inbox, outlets) { return ending }
        if isPausedAfterStep && !isStoppingAfterSave { return nil }
      }
      let mayStep = state.step < recipe.steps && failure == nil
      guard isSaveDue || (mayStep && (isPaused || isHeld)) else { return nil }
      inbox.wait()
    }
  }

  /// Looks at what is asked while a step is being taken. A step is complete or not taken: a stop and a pause leave it, and its
  /// batch is the next one again; a change of the rate or of a weight is answered now and holds from the next step on; a
  /// checkpoint is of the weights before the step. What computes with the network waits for the end of the step, and so does
  /// what was asked after that.
  /// - Returns: whether the step goes on.
  mutating func attend(to desk: Desk) -> Bool {
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
    case .pause: request.actor != .program && !isPaused
    default: false
    }
  }

  private func isObeyedInStep(_ request: Request) -> Bool {
    switch request.command {
    case .rate, .weight: true
    // The copy would not have the changes that wait, and a session that goes on from it would not make them again.
    case .save: request.actor != .program && changes.isEmpty
    case .proceed: request.actor != .program && !isPaused && !isHeld
    default: false
    }
  }

  mutating func obey(_ request: Request, _ inbox: Inbox, _ outlets: Outlets) -> Ending? {
    switch request.command {
    case .pause where request.actor == .program:
      if !isPaused && !isHeld { occurred(.pause, "waits for the disk", by: .program, outlets) }
      isHeld = true
    case .pause:
      if isPaused { answer(request, outlets) } else { pause(outlets, by: request.actor, answering: request.id) }
    case .proceed: proceed(request, outlets)
    case .stepOnce:
      isPaused = true
      isPausedAfterStep = true
      steppingRequest = request.id
    case .rate(let change): self.change(change, for: request, outlets)
    case .weight(let change): self.change(change, for: request, outlets)
    case .save where request.actor == .program:
      if isSaveDue { save(outlets) }
      if isStoppingAfterSave && !isSaveDue { return stop(.stopped, answering: stoppingRequest, outlets) }
    case .save:
      if state == savedState {
        refuse(
          request, "the checkpoint of step \(state.step) is not saved again: it is stored, or being written", outlets)
      } else if let id = request.id {
        savingRequests.append(id)
      }
      save(outlets)
    case .evaluate:
      evaluate(inbox, outlets)
      answer(request, outlets)
    case .generate:
      look(outlets)
      write(inbox, outlets)
      answer(request, outlets)
    case .probe(let index):
      if show(probe: index, for: request, outlets) { answer(request, outlets) }
    case .stop(let saving):
      if saving { save(outlets) }
      if saving && isSaveDue {
        isStoppingAfterSave = true
        stoppingRequest = request.id
        return nil
      }
      return stop(saving ? .stopped : .abandoned, answering: request.id, outlets)
    case .detach: answer(request, outlets)
    }
    return nil
  }

  private mutating func proceed(_ request: Request, _ outlets: Outlets) {
    // What the program held goes on by itself, unless the user paused it too.
    let waited = isPaused || isHeld
    isHeld = false
    if request.actor != .program {
      isPaused = false
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

  mutating func pause(
    _ outlets: Outlets, by actor: Occurrence.Actor = .program, answering request: Int? = nil
  ) {
    isPaused = true
    let wasStepping = isPausedAfterStep
    isPausedAfterStep = false
    occurred(
      .pause, wasStepping ? "one step taken, paused" : "paused", by: actor, answering: request ?? steppingRequest,
      outlets)
    steppingRequest = nil
  }

  private func stop(_ reason: Ending.Reason, answering request: Int?, _ outlets: Outlets) -> Ending {
    answer(Request(.stop(saving: reason == .stopped), by: .program, id: request), outlets)
    return Ending(reason, step: state.step, time: wallTime())
  }

  /// Answers requests to save that nobody waits for any more.
  private mutating func dropSaves(_ outlets: Outlets) {
    for id in savingRequests {
      refuse(
        Request(.save, by: .program, id: id), "the checkpoint of step \(state.step) is skipped: the run goes on",
        outlets)
    }
    savingRequests = []
  }

  /// Says that a request was obeyed which leaves no line of its own.
  private func answer(_ request: Request, _ outlets: Outlets) {
    guard let id = request.id else { return }
    let word = request.command.word
    outlets.report(
      .occurred(
        Occurrence(
          .done, step: state.step, time: wallTime(), key: word, actor: request.actor, request: id,
          text: "\(word): done at step \(state.step)")))
  }
}

/// What a user asked that is not obeyed yet, oldest first.
final class Inbox {
  private let mailbox: Mailbox<Request>
  private var waiting: [Request] = []

  init(_ mailbox: Mailbox<Request>) { self.mailbox = mailbox }

  func next() -> Request? {
    waiting += mailbox.takeAll()
    return waiting.isEmpty ? nil : waiting.removeFirst()
  }

  /// The next one, which stays.
  var first: Request? { waiting.first }

  func removeFirst() { waiting.removeFirst() }

  /// Whether one of those that wait is such a request.
  func contains(where isMeant: (Request) -> Bool) -> Bool {
    waiting += mailbox.takeAll()
    return waiting.contains(where: isMeant)
  }

  /// Sleeps until something is asked.
  func wait() {
    if waiting.isEmpty { waiting += mailbox.takeAll(waitingUntil: .distantFuture) }
  }

  /// Whether something long should be left off, since a stop is asked for.
  var isStopping: Bool { contains { if case .stop = $0.command { true } else { false } } }
}
