// The learning rates of the steps to come, as the schedule and the user's changes make them, and as a command would make them.

/// What a run is going to take its steps with, as far as nothing else is asked for.
package struct RatePlan: Sendable, Equatable {
  package private(set) var schedule: Recipe.ScheduleSettings
  /// The steps of the whole run.
  package private(set) var steps: Int
  /// The factor of the user's changes on the scheduled rate.
  package var factor: Double

  package init(_ recipe: Recipe, factor: Double) {
    schedule = recipe.schedule
    steps = recipe.steps
    self.factor = factor
  }

  /// The learning rate of a step, counted from 0.
  package func rate(at step: Int) -> Double { scheduledRate(at: step) * factor }

  private func scheduledRate(at step: Int) -> Double { schedule.rate * schedule.multiplier(at: step, of: steps) }

  /// The plan after a command that is obeyed before a step, counted from 0; nil for a command that changes no rate.
  package func after(_ command: Command, at step: Int) -> RatePlan? {
    switch command {
    case .rate(let change): scaled(to: change.applied(to: rate(at: step)), at: step)
    case .course(let change): after(change, at: step)
    case .setting(let change) where change.setting == .steps:
      change.setting.accepts(change.applied(to: Double(steps))) ? lasting(Int(change.applied(to: Double(steps)))) : nil
    default: nil
    }
  }

  private func lasting(_ steps: Int) -> RatePlan {
    var plan = self
    plan.steps = steps
    return plan
  }

  private func scaled(to rate: Double, at step: Int) -> RatePlan {
    var plan = self
    let scheduled = scheduledRate(at: step)
    if scheduled > 0 { plan.factor = rate / scheduled }
    return plan
  }

  private func after(_ change: CourseChange, at step: Int) -> RatePlan {
    var plan = self
    plan.schedule.then = change.course
    plan.schedule.from = step
    plan.schedule.over = change.over
    guard change.course == .hold || change.course == .anneal else { return plan }
    // What is held or annealed begins with the rate that there is.
    var held = plan
    held.schedule.then = .hold
    let first = held.scheduledRate(at: step)
    if first > 0 { plan.factor = (change.rate ?? rate(at: step)) / first }
    return plan
  }
}
