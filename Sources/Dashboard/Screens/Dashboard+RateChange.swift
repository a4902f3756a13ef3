// Changes of the learning rate before the run gets them: the questions, and the ghost, which is the schedule's curve as a change
// not yet confirmed would make it.
import Run
import TerminalUI

extension Dashboard {
  /// Asks for a rate. The user must confirm it first if the rate changes more than tenfold within ten steps or ten seconds, or if
  /// the rate is typed during the warm-up.
  mutating func askRate(_ change: RateChange, by actor: Occurrence.Actor = .key) -> Command? {
    guard let step = history.last?.step, let rate = expectedRate else { return ask(.rate(change), by: actor) }
    let new = change.applied(to: rate)
    guard new > 0, new <= RateChange.largest else {
      message =
        "the rate would be \(Figure.rate(new)): it must be above 0 and at most \(Figure.rate(RateChange.largest))"
      return nil
    }
    if case .to = change, beginning?.recipe.schedule.isWarmingUp(at: step) == true {
      confirmingActor = actor
      overlay = .warmup(rate: new)
      return nil
    }
    return askCarefully(.rate(change), by: actor)
  }

  /// Asks for a command that changes the rates of later steps. The user must confirm it first if the rate of one of the next ten
  /// steps changes more than tenfold.
  mutating func askCarefully(_ command: Command, by actor: Occurrence.Actor) -> Command? {
    guard jump(by: command) != nil else { return ask(command, by: actor) }
    confirm(command, by: actor)
    return nil
  }

  /// The rates of coming steps as they are planned now; nil without a recipe.
  var ratePlan: RatePlan? { beginning.map { RatePlan($0.recipe, factor: rateFactor) } }

  /// The same once all that was asked is done.
  private var expectedPlan: RatePlan? {
    guard let step = history.last?.step, let plan = ratePlan else { return nil }
    return asked.reduce(plan) { plan, asked in plan.after(asked.command, at: step) ?? plan }
  }

  /// The rate of the next step once all that was asked is done.
  var expectedRate: Double? {
    guard let step = history.last?.step, let rate = expectedPlan?.rate(at: step), rate > 0 else { return currentRate }
    return rate
  }

  /// How far a command takes the rate within ten steps; nil where it stays within tenfold.
  private func jump(by command: Command) -> LargeChange? {
    guard let last = history.last, let plan = ratePlan, let expected = expectedPlan else { return nil }
    return rateCaution.change(by: command, at: last.step, of: plan, expecting: expected, time: last.time)
  }

  /// What is asked before a rate changes much.
  func question(onRate command: Command) -> String {
    guard let jump = jump(by: command) else { return "Change the rate?" }
    let factor = "a factor of \(Figure.factor(jump.factor))"
    guard case .rate(let change) = command, let rate = expectedRate else {
      return
        "\(command.line): within \(RateCaution.steps) steps, rate \(Figure.rate(jump.old)) → \(Figure.rate(jump.new)) is "
        + "\(factor). Do it?"
    }
    let new = change.applied(to: rate)
    if let now = currentRate, abs(now / jump.old - 1) < 1e-6 {
      return "rate \(Figure.rate(jump.old)) → \(Figure.rate(new)) is \(factor). Take it?"
    }
    return "rate \(Figure.rate(rate)) → \(Figure.rate(new)), with the changes just before \(factor). Take it?"
  }

  // MARK: While the schedule warms up

  mutating func pressWhileWarmingUp(_ key: Key, _ rate: Double) -> Command? {
    switch key {
    case .character("s"):
      overlay = nil
      return askCarefully(.rate(.to(rate)), by: confirmingActor)
    case .character("h"):
      overlay = nil
      return askCarefully(.course(CourseChange(.hold, rate: rate)), by: confirmingActor)
    case .escape, .character("n"), .character("q"):
      overlay = nil
      message = "nothing is changed"
    default: break
    }
    return nil
  }

  func warmupAnswers(_ rate: Double) -> [(key: String, text: String)] {
    let peak = ghost.flatMap(goal).map { ", \($0)" } ?? ""
    return [
      ("s", "scale the schedule: \(Figure.rate(rate)) now\(peak)"), ("h", "hold \(Figure.rate(rate))"),
      ("esc", "leave it"),
    ]
  }

  // MARK: The ghost

  /// What the command that is being typed, or asked about, would make of the rates of coming steps; nil where there is none that
  /// changes them.
  var ghost: RatePlan? {
    let command: Command? =
      switch overlay {
      case .rate(let text, _): (try? RateChange(typed: text)).map(Command.rate)
      case .command(let prompt): try? Command(typed: prompt.text)
      case .course(let prompt): (try? change(of: prompt)).map(Command.course)
      case .confirm(let command): command
      case .warmup(let rate): .rate(.to(rate))
      default: nil
      }
    guard let command, let step = history.last?.step, let plan = expectedPlan?.after(command, at: step),
      0...RateChange.largest ~= plan.rate(at: step)
    else { return nil }
    return plan
  }

  /// Where a warm-up or an annealing leads to: `peak 1.0e-3 at step 501`; nil for other courses.
  func goal(of plan: RatePlan) -> String? {
    guard let step = history.last?.step else { return nil }
    let schedule = plan.schedule
    if schedule.isWarmingUp(at: step) {
      let end = schedule.endOfWarmup(at: step)
      return "peak \(Figure.rate(plan.rate(at: end))) at step \(Figure.grouped(end + 1))"
    }
    guard schedule.then == .anneal, schedule.from + schedule.over > step else { return nil }
    let end = schedule.from + schedule.over
    return "\(Figure.rate(plan.rate(at: end - 1))) at step \(Figure.grouped(end))"
  }
}
