// The loop around the step: handles requests, and samples, evaluates and saves when due.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

extension Trainer {
  /// Where a session's events and checkpoints go.
  package struct Outlets {
    let report: (Event) -> Void
    let save: (consuming Checkpoint, [Request]) -> Void
    let spare: (() -> Checkpoint?)?
    /// Makes a branch ready: of which checkpoint, at which step, for whom, and with which factor of the rate.
    let goBack: ((BackTarget, Int, Occurrence.Actor, Double?) throws -> BranchStart)?
    /// How many of how many windows an evaluation has measured.
    let progress: ((Int, Int) -> Void)?

    /// - Parameters:
    ///   - save: receives a complete copy of the state, and the requests that are answered when the copy is stored.
    ///   - spare: called for a buffer before a copy is made; it must not wait. If it returns nil, a request to save by
    ///     the program must follow when a buffer is free. Without `spare`, every copy is newly allocated.
    ///   - goBack: makes a branch ready that goes on when this session has ended, or says why it cannot.
    package init(
      report: @escaping (Event) -> Void, save: @escaping (consuming Checkpoint, [Request]) -> Void,
      spare: (() -> Checkpoint?)? = nil,
      goBack: ((BackTarget, Int, Occurrence.Actor, Double?) throws -> BranchStart)? = nil,
      progress: ((Int, Int) -> Void)? = nil
    ) {
      self.report = report
      self.save = save
      self.spare = spare
      self.goBack = goBack
      self.progress = progress
    }
  }

  /// The branch that goes on when this session has ended.
  package struct BranchStart {
    let name: String
    /// Of the checkpoint.
    let step: Int

    package init(name: String, step: Int) {
      self.name = name
      self.step = step
    }
  }

  /// The requests during a step, and where their answers go.
  struct Desk {
    let inbox: Inbox
    let outlets: Outlets
  }

  /// Trains until the recipe's last step, or until a command stops it.
  ///
  /// Reports all events except the beginning and the ending, which the caller reports: `beginning` and the result.
  /// `save` gets complete copies; only the recorder reports a checkpoint as saved.
  /// - Parameters:
  ///   - edits: changes of rate, weights and settings after the checkpoint, to be repeated at their steps.
  ///   - isAttended: true if a user can answer: a loss that is not finite then pauses the run; otherwise it ends the
  ///     run.
  package mutating func run(
    obeying commands: Mailbox<Request>, replaying edits: [ReplayedCommand] = [], isAttended: Bool,
    to outlets: Outlets
  ) -> Ending {
    let inbox = Inbox(commands)
    let desk = Desk(inbox: inbox, outlets: outlets)
    var edits = edits.inOrderOfSteps[...]
    if state.owesEvaluation == true {
      evaluateAsDue(inbox, outlets)
      save(outlets)
    }
    while state.step < recipe.steps, failure == nil, !hasReachedStop {
      if let ending = obey(inbox, outlets) { return ending }
      while let edit = edits.first, edit.step <= state.step {
        if edit.step == state.step { _ = obey(Request(edit.command, by: .program), inbox, outlets) }
        edits.removeFirst()
      }
      let outcome = step(beside: desk)
      let isTaken = if case .stepped = outcome { true } else { false }
      makeChanges(isTaken: isTaken, outlets)
      switch outcome {
      case .stepped(let report):
        outlets.report(.stepped(report))
        guarded.skips = 0
        if let newAlarm { tell(of: newAlarm, outlets) }
        pauseIfDue(after: report, outlets)
        if isGuarded, state.guarded?.hasJustSpoilt == true,
          let ending = guardAgainst(.spoilt, isAttended: isAttended, outlets)
        {
          return ending
        }
      case .diverged(let losses, let norm):
        if let ending = guardAgainst(.nonFinite(losses, norm: norm), isAttended: isAttended, outlets) { return ending }
        continue
      case .spiked(let alarm):
        if let ending = guardAgainst(.spike(alarm), isAttended: isAttended, outlets) { return ending }
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
    if state.owesEvaluation == true { return Ending(.stopped, step: state.step, time: wallTime()) }
    return Ending(.finished, step: state.step, time: wallTime())
  }

  /// Ends the run before the next step, since the text cannot be read any more.
  private mutating func fail(_ error: CorpusError, _ outlets: Outlets) {
    failure = error
    occurred(.failure, "\(error); the run is saved at step \(state.step) and ends", by: .program, outlets)
  }

  /// Samples, evaluates and saves, if due.
  private mutating func doDueWork(_ inbox: Inbox, _ outlets: Outlets) {
    let isLast = state.step == recipe.steps
    func isDue(_ every: Int) -> Bool { isLast || (every > 0 && state.step % every == 0) }
    if isDue(recipe.sample.every) {
      look(outlets)
      write(inbox, outlets)
    }
    if isDue(recipe.evaluate.every) { evaluateAsDue(inbox, outlets) }
    if isDue(recipe.save.every) || hasReachedStop { save(outlets) }
  }

  /// An evaluation that belongs to the run. One that a stop cuts short is made up for when the run goes on, so that a run that was
  /// stopped has the same evaluations as one that was not.
  private mutating func evaluateAsDue(_ inbox: Inbox, _ outlets: Outlets) {
    guard let evaluation = evaluate(inbox, outlets) else {
      if inbox.isStopping { state.owesEvaluation = true }
      return
    }
    state.owesEvaluation = nil
    stopIfDue(after: evaluation, outlets)
  }

  /// Ends the run if the recipe's `stop` says so. Evaluations that somebody asks for end nothing: the same recipe with the same
  /// changes ends at the same step.
  private mutating func stopIfDue(after evaluation: Evaluation, _ outlets: Outlets) {
    guard let rule = try? StopRule(recipe), !rule.isEmpty else { return }
    var progress = state.stop ?? StopRule.StopProgress()
    let reason = rule.verdict(on: evaluation, &progress)
    state.stop = progress
    guard let reason, state.step < recipe.steps else { return }
    hasReachedStop = true
    occurred(.notice, "\(rule.words(reason)); the run ends at step \(state.step)", by: .program, outlets)
  }

  /// Ends the session after a failed computation. The weights stay those of the last step.
  private func fail(_ error: UserError, _ outlets: Outlets) -> Ending {
    occurred(
      .failure, "\(error.message); the session ends with the weights of step \(state.step)", by: .program, outlets)
    return Ending(.failed, step: state.step, time: wallTime())
  }

  // MARK: What is due

  /// Hands over a copy of the state, unless the last copy was of the same state. If there is no memory for it now,
  /// saving stays due.
  mutating func save(_ outlets: Outlets) {
    isSaveDue = false
    guard state != savedState else { return }
    var spare: Checkpoint?
    if let memory = outlets.spare {
      spare = memory()
      guard spare != nil else {
        isSaveDue = true
        return
      }
    }
    noteSoundWeights()
    savedState = state
    isKept = savingRequests.contains(where: \.actor.isByHand)
    // Given away: a copy that stayed here would make the arrays be copied once more.
    outlets.save(checkpoint(in: consume spare), savingRequests)
    savingRequests = []
  }

  /// - Returns: what was measured; nil where nothing was, which is reported.
  @discardableResult mutating func evaluate(_ inbox: Inbox, _ outlets: Outlets) -> Evaluation? {
    guard corpus.heldOut.windows(of: recipe.model.context) > 0 else {
      // Once is enough: it does not change.
      if !hasToldOfNoHeldOut {
        occurred(.notice, "there is no text to evaluate on: data.heldOut is 0", by: .program, outlets)
      }
      hasToldOfNoHeldOut = true
      return nil
    }
    var watch = Stopwatch()
    var toldAt = ContinuousClock.now
    let gradients = groupGradients()
    var measured: Measured?
    do {
      measured = try model.measure(
        on: corpus.heldOut, by: recipe, weights: weights, tokens: recipe.evaluate.tokens,
        while: { done, total in
          if let progress = outlets.progress, ContinuousClock.now - toldAt > .milliseconds(100) {
            toldAt = .now
            progress(done, total)
          }
          return !inbox.isStopping
        })
      // An evaluation that stops short measures nothing.
      if measured != nil { try addGradientsAtH(to: &measured!.losses) }
    } catch {
      fail(error, outlets)
      return nil
    }
    // A failure ends the session before anything else is computed.
    guard let measured, model.failure == nil else { return nil }
    let first = measured.losses[0].loss
    let isBest = first < state.bestLoss
    if isBest { state.bestLoss = first }
    let evaluation = Evaluation(
      step: state.step, tokens: state.tokens, time: wallTime(), losses: measured.losses, order: measured.order,
      paths: measured.paths, gradients: gradients, isBest: isBest, seconds: watch.lap())
    outlets.report(.evaluated(evaluation))
    return evaluation
  }

  mutating func look(_ outlets: Outlets) {
    guard let probes else { return }
    orderSamples = probes.samples(of: model, at: state.step, by: corpus.tokenizer)
    guard model.failure == nil else { return }
    report(probe: probe, outlets)
  }

  /// Reports the sample of a probe, with what the MTP heads expect at the same place.
  private mutating func report(probe index: Int, _ outlets: Outlets) {
    guard let probes else { return }
    if orderSamples[index].further == nil, heads.contains(where: { $0.kind.target == .furtherToken }) {
      let expectation = model.expectation(after: probes.text(of: index), heads: heads, by: corpus.tokenizer)
      guard model.failure == nil else { return }
      orderSamples[index].further = expectation.further
    }
    outlets.report(.ordered(orderSamples[index]))
  }

  /// - Returns: true if there is such a probe; otherwise the request was refused.
  mutating func show(probe index: Int, for request: Request, _ outlets: Outlets) -> Bool {
    guard let probes else {
      refuse(
        request, "probe \(index + 1) cannot be shown: the network has no TOP head, or no text is held out", outlets)
      return false
    }
    probe = ((index % probes.count) + probes.count) % probes.count
    if orderSamples.first?.step == state.step {
      report(probe: probe, outlets)
    } else {
      look(outlets)
    }
    return true
  }

  /// - Parameter prompt: nil takes the recipe's.
  mutating func write(_ inbox: Inbox, after prompt: String? = nil, _ outlets: Outlets) {
    guard heads.first == .ntp else { return }
    let tokenizer = corpus.tokenizer
    if let graphs = corpus.heldOut.graphs { return writePath(graphs, outlets) }
    let words = prompt ?? recipe.sample.prompt
    let prompt = tokenizer.tokens(of: words)
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
    let gap = tokenizer.kind == .tokens && !words.isEmpty ? " " : ""
    outlets.report(.wrote(TextSample(step: state.step, prompt: words, text: gap + text)))
  }

  /// Writes the path of a test graph, another one at every sample, as the likeliest tokens one after the other.
  private func writePath(_ graphs: StarGraphs, _ outlets: Outlets) {
    let sample = graphs.sample(state.step / max(1, recipe.sample.every) % graphs.count)
    let (prompt, path) = (Array(sample[..<graphs.shape.prefix]), Array(sample[graphs.shape.prefix...]))
    var written: [Int32] = []
    do {
      try model.write(
        after: prompt, tokens: path.count,
        sampling: Sampling(temperature: 0, random: RandomStream(seed: recipe.seed, purpose: "text"))
      ) { token in
        written.append(token)
        return true
      }
    } catch {
      occurred(.warning, "no path was written: \(error)", by: .program, outlets)
      return
    }
    let verdict = written == path ? "right" : "wrong, it is \(corpus.tokenizer.text(of: path))"
    let text = "\(corpus.tokenizer.text(of: written))(\(verdict))"
    outlets.report(.wrote(TextSample(step: state.step, prompt: corpus.tokenizer.text(of: prompt), text: text)))
  }

  /// Length, in tokens, and temperature of the samples during training.
  private static var sampledTokens: Int { 96 }
  private static var sampledTemperature: Double { 0.8 }

  func occurred(
    _ kind: Occurrence.Subject, _ text: String, by actor: Occurrence.Actor, answering request: Int? = nil,
    _ outlets: Outlets
  ) {
    outlets.report(
      .occurred(Occurrence(kind, step: state.step, time: wallTime(), actor: actor, request: request, text: text)))
  }
}
