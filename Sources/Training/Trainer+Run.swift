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
    let save: (consuming Checkpoint) -> Void
    /// Hears at once that a checkpoint is due: its step, and the requests that it answers. `save` gets it when it is complete.
    let due: ((Int, [Request]) -> Void)?
    let spare: (() -> Checkpoint?)?
    /// Makes a branch ready: of which checkpoint, at which step, for whom, and with which factor of the rate.
    let goBack: ((BackTarget, Int, Occurrence.Actor, Double?) throws -> BranchStart)?
    /// How many of how many windows an evaluation has measured.
    let progress: ((Int, Int) -> Void)?
    /// True if the run has a screen, which `detach` leaves. Without it, a run counts as one that has.
    let hasScreen: (() -> Bool)?
    /// Takes a request to save what was saved already: who stores it answers. Without it, the trainer answers at once.
    let saveAgain: ((Request) -> Void)?

    /// - Parameters:
    ///   - save: receives a complete copy of the state. Steps may have been taken since that state.
    ///   - due: called before, at the moment of that state, with its step and the requests that are answered when the copy is
    ///     stored.
    ///   - spare: called for a buffer before a copy is made; it must not wait. If it returns nil, a request to save by
    ///     the program must follow when a buffer is free. Without `spare`, every copy is newly allocated.
    ///   - goBack: makes a branch ready that goes on when this session has ended, or says why it cannot.
    package init(
      report: @escaping (Event) -> Void, save: @escaping (consuming Checkpoint) -> Void,
      due: ((Int, [Request]) -> Void)? = nil, spare: (() -> Checkpoint?)? = nil,
      goBack: ((BackTarget, Int, Occurrence.Actor, Double?) throws -> BranchStart)? = nil,
      progress: ((Int, Int) -> Void)? = nil, hasScreen: (() -> Bool)? = nil,
      saveAgain: ((Request) -> Void)? = nil
    ) {
      self.report = report
      self.save = save
      self.due = due
      self.spare = spare
      self.goBack = goBack
      self.progress = progress
      self.hasScreen = hasScreen
      self.saveAgain = saveAgain
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
  package func run(
    obeying commands: Mailbox<Request>, replaying edits: [ReplayedCommand] = [], isAttended: Bool,
    to outlets: Outlets
  ) -> Ending {
    let inbox = Inbox(commands)
    let desk = Desk(inbox: inbox, outlets: outlets)
    defer { finishCheckpoint(outlets) }
    var edits = edits.inOrderOfSteps[...]
    if state.owesEvaluation == true {
      evaluateAsDue(inbox, outlets)
      save(outlets)
    }
    while state.step < recipe.steps, failure == nil, rankFault == nil, !hasReachedStop {
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
        judgeSizesIfDue()
        continueCheckpoint(after: report.phases.total, outlets)
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
    if let rankFault = rankFault ?? ranked?.ranks.failure { return fail(rankFault, outlets) }
    if isSaveDue, let ending = obey(inbox, outlets) { return ending }
    if failure != nil { return Ending(.failed, step: state.step, time: wallTime()) }
    if state.owesEvaluation == true { return Ending(.stopped, step: state.step, time: wallTime()) }
    return Ending(.finished, step: state.step, time: wallTime())
  }

  /// Ends the run before the next step, since the text cannot be read any more.
  func fail(_ error: CorpusError, _ outlets: Outlets) {
    failure = error
    let step = Figure.grouped(state.step)
    occurred(.failure, "\(error); the run is saved at step \(step) and ends", by: .program, outlets)
  }

  /// Samples, evaluates and saves, if due.
  private func doDueWork(_ inbox: Inbox, _ outlets: Outlets) {
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
  private func evaluateAsDue(_ inbox: Inbox, _ outlets: Outlets) {
    guard let evaluation = evaluate(inbox, outlets) else {
      if inbox.isStopping { state.owesEvaluation = true }
      return
    }
    state.owesEvaluation = nil
    stopIfDue(after: evaluation, outlets)
  }

  /// Ends the run if the recipe's `stop` says so. Evaluations that somebody asks for end nothing: the same recipe with the same
  /// changes ends at the same step.
  private func stopIfDue(after evaluation: Evaluation, _ outlets: Outlets) {
    guard let rule = try? StopRule(recipe), !rule.isEmpty else { return }
    var progress = state.stop ?? StopRule.StopProgress()
    let reason = rule.verdict(on: evaluation, &progress)
    state.stop = progress
    guard let reason, state.step < recipe.steps else { return }
    hasReachedStop = true
    let step = Figure.grouped(state.step)
    occurred(.notice, "\(rule.words(reason)); the run ends at step \(step)", by: .program, outlets)
  }

  /// Ends the session after a failed computation. The weights stay those of the last step.
  func fail(_ error: UserError, _ outlets: Outlets) -> Ending {
    let step = Figure.grouped(state.step)
    occurred(
      .failure, "\(error.message); the session ends with the weights of step \(step)", by: .program, outlets)
    return Ending(.failed, step: state.step, time: wallTime())
  }
}
