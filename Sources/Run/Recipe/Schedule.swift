// The learning rate's way through a run, as a share of the highest rate. The trainer steps by it; the rate panel draws it.
import Foundation

extension Recipe.ScheduleSettings {
  /// The share of `rate` that a step is taken with, before the user's edits.
  ///
  /// Warm-up, for all kinds: (s + 1) / (w + 1). Then with progress p = (s + 1 − w) / (S − w + 1) and floor m: cosine
  /// m + (1 − m)·½(1 + cos πp); linear m + (1 − m)(1 − p); constant 1; decay 1, and over the last fifth straight down
  /// to m, which the last step reaches. Past the end it stays where it was.
  ///
  /// From step f = `from` on, with n = `over` and u = s − f + 1: hold is the share at f; warmup the share times u / (n + 1), at
  /// most once; anneal goes straight from the share at f down to m, which the nth step reaches.
  ///
  /// - Parameters:
  ///   - step: s, counted from 0.
  ///   - steps: S, the steps of the whole run.
  package func multiplier(at step: Int, of steps: Int) -> Double {
    guard then != .scaled, step >= from else { return planned(at: step, of: steps) }
    let taken = Double(step - from + 1)
    switch then {
    case .scaled, .warmup: return planned(at: step, of: steps) * min(1, taken / Double(over + 1))
    case .hold: return planned(at: from, of: steps)
    case .anneal:
      let start = planned(at: from, of: steps)
      return start + (min(floor, start) - start) * min(1, taken / Double(max(over, 1)))
    }
  }

  /// Whether a command holds or anneals the rate at a step, counted from 0: its height does not follow from the schedule then.
  package func holds(at step: Int) -> Bool { step >= from && (then == .hold || then == .anneal) }

  /// Whether a step, counted from 0, is one of a warm-up, the first or a later one.
  package func isWarmingUp(at step: Int) -> Bool {
    then == .scaled || step < from ? step < warmup : then == .warmup && step - from < over
  }

  /// The first step, counted from 0, that is not one of the warm-up that `step` is in.
  package func endOfWarmup(at step: Int) -> Int { then == .warmup && step >= from ? from + over : warmup }

  /// The share without `then`.
  private func planned(at step: Int, of steps: Int) -> Double {
    if step < warmup { return Double(max(step, 0) + 1) / Double(warmup + 1) }
    let step = min(step, max(steps - 1, warmup))
    let progress = min(1, Double(step + 1 - warmup) / Double(max(steps - warmup + 1, 1)))
    switch kind {
    case .cosine: return floor + (1 - floor) * 0.5 * (1 + cos(.pi * progress))
    case .linear: return floor + (1 - floor) * (1 - progress)
    case .constant: return 1
    case .decay:
      let descent = max(steps / 5, 1)
      let start = max(steps - descent, warmup)
      guard step >= start else { return 1 }
      return 1 - (1 - floor) * min(1, Double(step + 1 - start) / Double(max(steps - start, 1)))
    }
  }
}

extension Recipe {
  /// The learning rate of a step, counted from 0, before the user's edits.
  package func scheduledRate(at step: Int) -> Double { schedule.rate * schedule.multiplier(at: step, of: steps) }
}
