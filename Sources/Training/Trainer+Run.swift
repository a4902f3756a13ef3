// The loop around the step: obeying, sampling, evaluating and saving, each when it is due.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

extension Trainer {
  /// Where a session's events and checkpoints go.
  package struct Outlets {
    let report: (Event) -> Void
    let save: (consuming Checkpoint) -> Void
    let spare: () -> Checkpoint?

    /// - Parameters:
    ///   - save: takes a complete copy.
    ///   - spare: asked before a copy is made for one that is stored and whose memory can be used again; waits while
    ///     there may be no more of them.
    package init(
      report: @escaping (Event) -> Void, save: @escaping (consuming Checkpoint) -> Void,
      spare: @escaping () -> Checkpoint? = { nil }
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
      case .left: continue
      case .unread(let error):
        fail(error, outlets)
        continue
      }
      if let ending = rest(inbox, outlets) { return ending }
    }
    guard failure == nil else {
      // What was learned so far is sound.
      save(outlets)
      return Ending(.failed, step: state.step, time: wallTime())
    }
    return Ending(.finished, step: state.step, time: wallTime())
  }

  /// The text cannot be read any more: the run ends as it is before the next step.
  private mutating func fail(_ error: CorpusError, _ outlets: Outlets) {
    failure = error
    occurred(.failure, "\(error); the run is saved at step \(state.step) and ends", by: .program, outlets)
  }

  /// What is due between two steps.
  private mutating func rest(_ inbox: Inbox, _ outlets: Outlets) -> Ending? {
    let isLast = state.step == recipe.steps
    func isDue(_ every: Int) -> Bool { isLast || (every > 0 && state.step % every == 0) }
    if isDue(recipe.sample.every) {
      look(outlets)
      write(inbox, outlets)
    }
    if isDue(recipe.evaluate.every) { evaluate(inbox, outlets) }
    if isDue(recipe.save.every) { save(outlets) }
    return nil
  }

  // MARK: Obeying

  /// Obeys what was asked; waits while paused.
  private mutating func obey(_ inbox: Inbox, _ outlets: Outlets) -> Ending? {
    while true {
      while let request = inbox.next() {
        if let ending = obey(request, inbox, outlets) { return ending }
        if isPausedAfterStep { return nil }
      }
      guard isPaused || isHeld, failure == nil else { return nil }
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
      if request.actor != .program { isPaused = false }
      if waited && !isPaused { occurred(.proceed, "goes on", by: request.actor, outlets) }
    case .stepOnce:
      isPaused = true
      isPausedAfterStep = true
    case .rate(let change): self.change(change, by: request.actor, outlets)
    case .weight(let change): self.change(change, by: request.actor, outlets)
    case .save:
      if state == savedState {
        occurred(.refused, "the checkpoint of step \(state.step) is stored, or on its way", by: request.actor, outlets)
      }
      save(outlets)
    case .evaluate: evaluate(inbox, outlets)
    case .generate:
      look(outlets)
      write(inbox, outlets)
    case .probe(let index): show(probe: index, outlets)
    case .stop(let saving):
      if saving { save(outlets) }
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

  private mutating func change(_ change: RateChange, by actor: Occurrence.Actor, _ outlets: Outlets) {
    let old = rate
    let new = change.applied(to: old)
    guard new.isFinite, new > 0, new <= RateChange.largest, scheduledRate > 0 else {
      occurred(
        .refused, "the rate stays \(compact(old)): \(compact(new)) is not above 0 and at most \(RateChange.largest)",
        by: actor, outlets)
      return
    }
    // Always by the new rate, so that replaying a stored rate gives the same bits.
    state.rateFactor = new / scheduledRate
    outlets.report(
      .occurred(
        Occurrence(
          .rate, step: state.step, time: wallTime(), key: "rate", old: old, new: new, actor: actor,
          text: "rate \(compact(old)) → \(compact(new))")))
  }

  private mutating func change(_ change: WeightChange, by actor: Occurrence.Actor, _ outlets: Outlets) {
    let name = change.head.name
    guard heads.contains(change.head) else {
      return occurred(.refused, "this network has no \(name) head, so there is no weight to change", by: actor, outlets)
    }
    guard change.isInRange else {
      return occurred(
        .refused,
        "the weight of \(name) stays \(short(weight(of: change.head))): \(short(change.weight)) is not from 0 to "
          + "\(Int(WeightChange.largest))", by: actor, outlets)
    }
    guard change.weight > 0 || heads.contains(where: { $0 != change.head && weight(of: $0) > 0 }) else {
      return occurred(
        .refused,
        "the weight of \(name) stays \(short(weight(of: change.head))): no other loss has one, and nothing would be"
          + " learned", by: actor, outlets)
    }
    let old = weight(of: change.head)
    setWeight(of: change.head, to: change.weight)
    outlets.report(
      .occurred(
        Occurrence(
          .weight, step: state.step, time: wallTime(), key: name, old: old, new: change.weight, actor: actor,
          text: "weight of \(name) \(short(old)) → \(short(change.weight))")))
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

  /// Hands over a copy, unless the last one was the same.
  private mutating func save(_ outlets: Outlets) {
    guard state != savedState else { return }
    let spare = outlets.spare()
    savedState = state
    outlets.save(checkpoint(in: spare))
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
    guard let measured else { return }
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
    outlets.report(.ordered(orderSamples[probe]))
  }

  private mutating func show(probe index: Int, _ outlets: Outlets) {
    guard let probes else {
      occurred(.refused, "there is no TOP head to look at, or nothing is held out", by: .program, outlets)
      return
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

/// At most three significant digits, as a rate is written: 2.4e-4.
private func compact(_ value: Double) -> String {
  guard value.isFinite else { return "\(value)" }
  let parts = String(format: "%.2e", value).split(separator: "e")
  let digits = parts[0].reversed().drop { $0 == "0" }.drop { $0 == "." }
  return "\(String(digits.reversed()))e\(Int(parts[1]) ?? 0)"
}

/// At most four significant digits, as a weight is written: 0.5.
private func short(_ value: Double) -> String { String(format: "%.4g", value) }
