// Changes of the learning rate before the run gets them: the questions, and the ghost, which is the schedule's curve as a change
// not yet confirmed would make it.
import Run
import TerminalUI

extension Dashboard {
  /// Asks for a rate. The user must confirm it first if the rate changes more than tenfold within ten steps, or if the rate is
  /// typed during the warm-up.
  mutating func askRate(_ change: RateChange, by actor: Occurrence.Actor = .key) -> Command? {
    guard let rate = expectedRate else { return ask(.rate(change), by: actor) }
    let new = change.applied(to: rate)
    guard new > 0, new <= RateChange.largest else {
      message =
        "the rate would be \(Figure.rate(new)): it must be above 0 and at most \(Figure.rate(RateChange.largest))"
      return nil
    }
    if case .to = change, let step = history.last?.step, beginning?.recipe.schedule.isWarmingUp(at: step) == true {
      confirmingActor = actor
      overlay = .warmup(rate: new)
      return nil
    }
    if jump(to: new) != nil {
      confirm(.rate(change), by: actor)
      return nil
    }
    return ask(.rate(change), by: actor)
  }

  /// The schedule's rate at the next step, without the user's changes.
  private var scheduledRate: Double? {
    history.last.flatMap { plannedRate(at: $0.step) }.map { $0 / rateFactor }.flatMap { $0 > 0 ? $0 : nil }
  }

  /// The rate at the next step once all waiting commands are executed.
  private var expectedRate: Double? {
    guard let scheduledRate else { return currentRate }
    return asked.reduce(scheduledRate * rateFactor) { rate, asked in
      if case .rate(let change) = asked.command { change.applied(to: rate) } else { rate }
    }
  }

  /// Of the rates of the last ten steps, the one farthest from `new`, if it is more than tenfold away; otherwise nil.
  func jump(to new: Double) -> Double? {
    let step = history.last?.step ?? 0
    var rates = [currentRate].compactMap { $0 }
    if let scheduledRate {
      rates += factorsBefore.filter { $0.step >= step - Self.cautiousSteps }.map { scheduledRate * $0.factor }
    }
    func distance(_ rate: Double) -> Double { max(new / rate, rate / new) }
    guard let farthest = rates.filter({ $0 > 0 }).max(by: { distance($0) < distance($1) }) else { return nil }
    return distance(farthest) > 10.000001 ? farthest : nil
  }

  /// The question before a large change of the rate.
  func question(_ change: RateChange) -> String {
    guard let rate = expectedRate else { return "Change the rate?" }
    let new = change.applied(to: rate)
    let old = jump(to: new) ?? rate
    let factor = "a factor of \(Figure.factor(new / old))"
    if let now = currentRate, abs(now / old - 1) < 1e-6 {
      return "rate \(Figure.rate(old)) → \(Figure.rate(new)) is \(factor). Take it?"
    }
    return "rate \(Figure.rate(rate)) → \(Figure.rate(new)), with the changes of the last ten steps \(factor). Take it?"
  }

  // MARK: While the schedule warms up

  mutating func pressWhileWarmingUp(_ key: Key, _ rate: Double) -> Command? {
    switch key {
    case .character("s"):
      overlay = nil
      return ask(.rate(.to(rate)), by: confirmingActor)
    case .character("h"):
      overlay = nil
      return ask(.course(CourseChange(.hold, rate: rate)), by: confirmingActor)
    case .escape, .character("n"), .character("q"):
      overlay = nil
      message = "nothing is changed"
    default: break
    }
    return nil
  }

  func warmupAnswers(_ rate: Double) -> [(key: String, text: String)] {
    let factor = currentRate.map { rate / $0 } ?? 1
    let peak = peak(times: factor).map { ", up to \($0)" } ?? ""
    return [
      ("s", "scale the schedule: \(Figure.rate(rate)) now\(peak)"), ("h", "hold \(Figure.rate(rate))"),
      ("esc", "leave it"),
    ]
  }

  // MARK: The ghost

  /// The factor by which the change in the prompt or in the question would multiply the schedule's rate; nil without such a
  /// change.
  var ghostFactor: Double? {
    let change: RateChange?
    switch overlay {
    case .rate(let text, _): change = try? RateChange(typed: text)
    case .command(let prompt):
      if case .rate(let typed)? = try? Command(typed: prompt.text) { change = typed } else { change = nil }
    case .confirm(.rate(let asked)): change = asked
    case .warmup(let rate): change = .to(rate)
    default: change = nil
    }
    guard let change, let rate = expectedRate, let now = currentRate, now > 0 else { return nil }
    let new = change.applied(to: rate)
    guard new > 0, new <= RateChange.largest else { return nil }
    return new / now
  }

  /// The highest rate of the warm-up and its step, times `factor`: `1.0e-3 at step 501`; nil if the schedule has no warm-up.
  func peak(times factor: Double) -> String? {
    guard let schedule = beginning?.recipe.schedule, let step = history.last?.step, schedule.isWarmingUp(at: step)
    else {
      return nil
    }
    let end = schedule.endOfWarmup(at: step)
    return plannedRate(at: end).map { "\(Figure.rate($0 * factor)) at step \(Figure.grouped(end + 1))" }
  }
}
