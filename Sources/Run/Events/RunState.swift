// The state of a session, computed from its events: the only reducer. The dashboard, the final summary and other
// subscribers each have their own value.

/// The phase of a run.
package enum RunPhase: Sendable, Equatable {
  case starting, training, paused
  case ended(Ending.Reason)
}

/// The state of a run, computed from its events. Applying an event twice changes nothing.
package struct RunState: Sendable, Equatable {
  /// The number of the newest event that was applied; 0 where events had no numbers.
  package private(set) var number = 0
  /// The beginning of the session; its recipe includes the settings changed since.
  package private(set) var beginning: Beginning?
  package var phase = RunPhase.starting
  /// The last step, or the mean of the last steps of a stored run.
  package private(set) var last: StepReport?
  package private(set) var evaluation: Evaluation?
  package private(set) var best: Evaluation?
  /// The step of the last checkpoint that is on the disk.
  package private(set) var savedStep: Int?
  /// The factor of the user's changes on the scheduled learning rate.
  package private(set) var rateFactor = 1.0
  /// λ of the heads that the user changed or a step reported.
  package private(set) var weights: [Head: Double] = [:]
  /// Changes that are not in the last step's report.
  private var changes: [ReplayedCommand] = []
  /// True if the last step was not taken, since a loss or the gradient was not finite.
  package private(set) var isDiverged = false
  package private(set) var ending: Ending?
  /// The text of the last failure.
  package private(set) var failure: String?
  /// The newest alert: something looked wrong, and the run went on.
  package private(set) var alert: Occurrence?
  /// The machine's limit in tokens per second, as this session measured it last; nil before.
  package private(set) var limit: Double?

  package init() {}

  /// Applies an event of a live session.
  /// - Returns: true if the event is new; events that were applied already change nothing.
  @discardableResult package mutating func apply(_ event: NumberedEvent) -> Bool {
    guard event.number > number else { return false }
    number = event.number
    apply(event.event)
    return true
  }

  /// Applies an event of a stored run. Every case sets values instead of counting, so that applying an event twice
  /// changes nothing.
  package mutating func apply(_ event: Event) {
    switch event {
    case .began(let beginning): begin(beginning)
    case .stepped(let report): apply(report, weights: report.losses)
    case .summedUp(let steps): apply(steps.mean, weights: [])
    case .evaluated(let evaluation):
      guard Self.isPlausible(evaluation.step) else { return }
      self.evaluation = evaluation
      if evaluation.isBest { best = evaluation }
    case .occurred(let occurrence): apply(occurrence)
    case .ended(let ending):
      self.ending = ending
      phase = .ended(ending.reason)
    case .ordered, .mapped, .wrote, .confirmed, .gap: break
    }
  }

  /// Another session follows, whose events are numbered from 1 again.
  package mutating func startSession() {
    number = 0
    phase = .starting
    ending = nil
    isDiverged = false
    failure = nil
  }

  private mutating func begin(_ beginning: Beginning) {
    var beginning = beginning
    beginning.recipe.steps = min(max(beginning.recipe.steps, 0), Self.mostSteps)
    beginning.recipe.schedule.warmup = min(max(beginning.recipe.schedule.warmup, 0), Self.mostSteps)
    beginning.step = min(max(beginning.step, 0), Self.mostSteps)
    self.beginning = beginning
    phase = .starting
    ending = nil
    changes = []
    // Another machine may train from here on, or other threads.
    limit = nil
    if let last, last.step > beginning.step { self.last = nil }
  }

  private mutating func apply(_ report: StepReport, weights losses: [HeadLoss]) {
    guard Self.isPlausible(report.step) else { return }
    last = report
    isDiverged = false
    rateFactor = factor(of: report.rate, at: report.step - 1)
    for loss in losses { weights[loss.head] = Double(loss.weight) }
    // A change that was asked for inside this step holds from the next one on.
    changes.removeAll { $0.step < report.step }
    for change in changes { apply(change) }
    if phase == .starting { phase = .training }
  }

  private mutating func apply(_ change: ReplayedCommand) {
    switch change.command {
    case .rate(.to(let rate)): rateFactor = factor(of: rate, at: change.step)
    case .weight(let change): weights[change.head] = change.weight
    default: break
    }
  }

  private mutating func apply(_ occurrence: Occurrence) {
    switch occurrence.kind {
    case .pause: phase = .paused
    case .proceed:
      phase = .training
      isDiverged = false
    case .diverged:
      phase = .paused
      isDiverged = true
      failure = occurrence.text
    case .failure: failure = occurrence.text
    case .rate, .weight:
      // A later step that is known already tells the rate and the weights that it was taken with.
      guard let change = ReplayedCommand(occurrence), change.step >= last?.step ?? 0 else { return }
      changes.removeAll { $0.command.word == change.command.word }
      changes.append(change)
      apply(change)
    case .setting: beginning?.recipe.take(occurrence)
    case .saved: savedStep = occurrence.step
    case .alert: alert = occurrence
    case .notice: limit = occurrence.limit ?? limit
    case .start, .branch, .skip, .refused, .warning, .end, .done: break
    }
  }

  /// A rate as a factor of the scheduled rate of a step, counted from 0.
  private func factor(of rate: Double, at step: Int) -> Double {
    guard let planned = scheduledRate(at: step), planned > 0 else { return 1 }
    let factor = rate / planned
    // Beyond six digits it is rounding.
    return factor.isFinite && factor > 0 ? (abs(factor - 1) < 1e-6 ? 1 : factor) : 1
  }

  private func scheduledRate(at step: Int) -> Double? {
    guard Self.isPlausible(step), let recipe = beginning?.recipe else { return nil }
    return recipe.scheduledRate(at: step)
  }

  /// The planned rate of a step, counted from 0, including the user's changes; nil without a recipe.
  package func plannedRate(at step: Int) -> Double? { scheduledRate(at: step).map { $0 * rateFactor } }

  /// True if a number is a plausible step: a foreign file may have any number.
  package static func isPlausible(_ step: Int) -> Bool { (0...mostSteps).contains(step) }
  private static let mostSteps = 1 << 50
}
