// The loop around the step: obeying, sampling, evaluating and saving, each when it is due.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

/// Memory for a copy of the training state.
package enum Spare {
  /// That of a copy which nobody needs any more; nil takes new memory.
  case memory(of: Checkpoint?)
  /// All there may be is in use.
  case notNow
}

extension Trainer {
  /// Where a session's events and checkpoints go.
  package struct Outlets {
    let report: (Event) -> Void
    let save: (consuming Checkpoint) -> Void
    let spare: () -> Spare

    /// - Parameters:
    ///   - save: takes a complete copy.
    ///   - spare: asked for memory before a copy is made; it never waits. Who answers `notNow` sends a request to save,
    ///     by the program, when there is some.
    package init(
      report: @escaping (Event) -> Void, save: @escaping (consuming Checkpoint) -> Void,
      spare: @escaping () -> Spare = { .memory(of: nil) }
    ) {
      self.report = report
      self.save = save
      self.spare = spare
    }
  }

  /// Trains until the recipe's last step, or until a command stops it.
  ///
  /// Reports everything but the beginning and the ending, which the caller has: `beginning` and the result. `save` gets
  /// complete copies, and nothing is called saved here.
  /// - Parameters:
  ///   - edits: changes of rate and weights that were made before a crash, to be made again at their steps.
  ///   - isAttended: whether somebody can answer: then a loss that is not finite pauses the run, else it ends it.
  package mutating func run(
    obeying commands: Mailbox<Request>, replaying edits: [Edit] = [], isAttended: Bool,
    to outlets: Outlets
  ) -> Ending {
    let inbox = Inbox(commands)
    var edits = edits[...]
    while state.step < recipe.steps, failure == nil {
      if let ending = obey(inbox, outlets) { return ending }
      while let edit = edits.first, edit.step <= state.step {
        if edit.step == state.step { _ = obey(Request(edit.command, by: .program), inbox, outlets) }
        edits.removeFirst()
      }
      switch step(while: { !inbox.isStopping }) {
      case .stepped:
        outlets.report(.stepped(report))
        if isPausedAfterStep { pause(outlets) }
      case .diverged(let norm):
        diverged(losses, norm, isAttended, outlets)
        guard isAttended else { return Ending(.diverged, step: state.step, time: wallTime()) }
        continue
      case .failed(let error): return fail(error, outlets)
      case .left: continue
      case .unread(let error):
        fail(error, outlets)
        continue
      }
      doDueWork(inbox, outlets)
    }
    // What was learned before the text could not be read is sound.
    if failure != nil { save(outlets) }
    // What was measured after the last step has failed.
    if let failure = model.failure { return fail(UserError(failure), outlets) }
    if isSaveDue, let ending = obey(inbox, outlets) { return ending }
    if failure != nil { return Ending(.failed, step: state.step, time: wallTime()) }
    return Ending(.finished, step: state.step, time: wallTime())
  }

  /// The text cannot be read any more: the run ends as it is before the next step.
  private mutating func fail(_ error: CorpusError, _ outlets: Outlets) {
    failure = error
    occurred(.failure, "\(error); the run is saved at step \(state.step) and ends", by: .program, outlets)
  }

  /// What is due between two steps.
  private mutating func doDueWork(_ inbox: Inbox, _ outlets: Outlets) {
    let isLast = state.step == recipe.steps
    func isDue(_ every: Int) -> Bool { isLast || (every > 0 && state.step % every == 0) }
    if isDue(recipe.sample.every) {
      look(outlets)
      write(inbox, outlets)
    }
    if isDue(recipe.evaluate.every) { evaluate(inbox, outlets) }
    if isDue(recipe.save.every) { save(outlets) }
  }

  /// Ends the session: what the machine computes is of no use. The weights are those of the last step.
  private func fail(_ error: UserError, _ outlets: Outlets) -> Ending {
    occurred(
      .failure, "\(error.message); the session ends with the weights of step \(state.step)", by: .program, outlets)
    return Ending(.failed, step: state.step, time: wallTime())
  }

  // MARK: Obeying

  /// Obeys what was asked; waits while paused, and while there is no memory for a checkpoint that is due.
  private mutating func obey(_ inbox: Inbox, _ outlets: Outlets) -> Ending? {
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

  private mutating func obey(_ request: Request, _ inbox: Inbox, _ outlets: Outlets) -> Ending? {
    switch request.command {
    case .pause where request.actor == .program:
      if !isPaused && !isHeld { occurred(.pause, "waits for the disk", by: .program, outlets) }
      isHeld = true
    case .pause:
      if !isPaused { pause(outlets, by: request.actor) }
    case .proceed:
      // What the program held goes on by itself, unless the user paused it too.
      let waited = isPaused || isHeld
      isHeld = false
      if request.actor != .program {
        isPaused = false
        // Who goes on does so without the checkpoint that waits.
        isSaveDue = isStoppingAfterSave
      }
      if waited && !isPaused { occurred(.proceed, "goes on", by: request.actor, outlets) }
    case .stepOnce:
      isPaused = true
      isPausedAfterStep = true
    case .rate(let change): self.change(change, for: request, outlets)
    case .weight(let change): self.change(change, for: request, outlets)
    case .save where request.actor == .program:
      if isSaveDue { save(outlets) }
      if isStoppingAfterSave && !isSaveDue { return Ending(.stopped, step: state.step, time: wallTime()) }
    case .save:
      if state == savedState {
        refuse(
          request, "the checkpoint of step \(state.step) is stored, or on its way, and is not saved once more", outlets)
      }
      save(outlets)
    case .evaluate: evaluate(inbox, outlets)
    case .generate:
      look(outlets)
      write(inbox, outlets)
    case .probe(let index): show(probe: index, for: request, outlets)
    case .stop(let saving):
      if saving { save(outlets) }
      if saving && isSaveDue {
        isStoppingAfterSave = true
        return nil
      }
      return Ending(saving ? .stopped : .abandoned, step: state.step, time: wallTime())
    case .detach: break
    }
    return nil
  }

  private mutating func pause(_ outlets: Outlets, by actor: Occurrence.Actor = .program) {
    isPaused = true
    let wasStepping = isPausedAfterStep
    isPausedAfterStep = false
    occurred(.pause, wasStepping ? "one step taken, paused" : "paused", by: actor, outlets)
  }

  private mutating func diverged(
    _ losses: [HeadLoss], _ norm: Double, _ isAttended: Bool, _ outlets: Outlets
  ) {
    isPaused = isAttended
    isPausedAfterStep = false
    // The sign of what is no number says nothing.
    let values = losses.map { "\($0.head.name) \($0.loss.isNaN ? .nan : $0.loss)" }.joined(separator: ", ")
    occurred(
      .diverged,
      "step \(state.step + 1) was not taken: \(values), gradient norm \(norm) "
        + (isAttended
          ? "— lower the rate and go on"
          : "— resume with a lower schedule.rate, or begin again where there is no checkpoint"),
      by: .program, outlets)
  }

  // MARK: What is due

  /// Hands over a copy, unless the last one was the same; one for which there is no memory now stays due.
  private mutating func save(_ outlets: Outlets) {
    isSaveDue = false
    guard state != savedState else { return }
    switch outlets.spare() {
    case .notNow: isSaveDue = true
    case .memory(let spare):
      savedState = state
      outlets.save(checkpoint(in: spare))
    }
  }

  private mutating func evaluate(_ inbox: Inbox, _ outlets: Outlets) {
    guard corpus.heldOut.windows(of: recipe.model.context) > 0 else {
      occurred(.notice, "nothing is held out (data.heldOut is 0): there is nothing to evaluate", by: .program, outlets)
      return
    }
    var watch = Stopwatch()
    let measured: (losses: [HeadLoss], order: OrderQuality?)?
    do {
      measured = try model.measure(
        on: corpus.heldOut, by: recipe, weights: weights, tokens: recipe.evaluate.tokens, while: { !inbox.isStopping })
    } catch {
      return fail(error, outlets)
    }
    // A failure ends the session before anything else is computed.
    guard let measured, model.failure == nil else { return }
    let first = measured.losses[0].loss
    let isBest = first < state.bestLoss
    if isBest { state.bestLoss = first }
    outlets.report(
      .evaluated(
        Evaluation(
          step: state.step, tokens: state.tokens, time: wallTime(), losses: measured.losses, order: measured.order,
          isBest: isBest, seconds: watch.lap())))
  }

  private mutating func look(_ outlets: Outlets) {
    guard let probes else { return }
    orderSamples = probes.samples(of: model, at: state.step, by: corpus.tokenizer)
    guard model.failure == nil else { return }
    outlets.report(.ordered(orderSamples[probe]))
  }

  private mutating func show(probe index: Int, for request: Request, _ outlets: Outlets) {
    guard let probes else {
      return refuse(
        request, "probe \(index + 1) cannot be shown: there is no TOP head to look at, or nothing is held out", outlets)
    }
    probe = ((index % probes.count) + probes.count) % probes.count
    if orderSamples.first?.step == state.step {
      outlets.report(.ordered(orderSamples[probe]))
    } else {
      look(outlets)
    }
  }

  private mutating func write(_ inbox: Inbox, _ outlets: Outlets) {
    guard heads.first == .ntp else { return }
    let tokenizer = corpus.tokenizer
    let prompt = tokenizer.tokens(of: recipe.sample.prompt)
    var written: [Int32] = []
    do {
      try model.write(
        after: prompt, tokens: Self.sampledTokens,
        sampling: Sampling(
          temperature: Self.sampledTemperature,
          random: RandomStream(seed: recipe.seed, purpose: "text at step \(state.step)"))
      ) { token in
        written.append(token)
        return !inbox.isStopping
      }
    } catch {
      occurred(.warning, "no text was written: \(error)", by: .program, outlets)
      return
    }
    let text = tokenizer.text(of: written, continuing: !prompt.isEmpty)
    // Numbers are told apart by a space.
    let gap = tokenizer.kind == .tokens && !recipe.sample.prompt.isEmpty ? " " : ""
    outlets.report(.wrote(TextSample(step: state.step, prompt: recipe.sample.prompt, text: gap + text)))
  }

  /// Length and temperature of the text that is shown while training.
  private static var sampledTokens: Int { 96 }
  private static var sampledTemperature: Double { 0.8 }

  private func occurred(
    _ kind: Occurrence.Kind, _ text: String, by actor: Occurrence.Actor, _ outlets: Outlets
  ) {
    outlets.report(.occurred(Occurrence(kind, step: state.step, time: wallTime(), actor: actor, text: text)))
  }
}

/// What a user asked that is not obeyed yet, oldest first.
private final class Inbox {
  private let mailbox: Mailbox<Request>
  private var waiting: [Request] = []

  init(_ mailbox: Mailbox<Request>) { self.mailbox = mailbox }

  func next() -> Request? {
    waiting += mailbox.takeAll()
    return waiting.isEmpty ? nil : waiting.removeFirst()
  }

  /// Sleeps until something is asked.
  func wait() {
    if waiting.isEmpty { waiting += mailbox.takeAll(waitingUntil: .distantFuture) }
  }

  /// Whether something long should be left off, since a stop is asked for.
  var isStopping: Bool {
    waiting += mailbox.takeAll()
    return waiting.contains { if case .stop = $0.command { true } else { false } }
  }
}
