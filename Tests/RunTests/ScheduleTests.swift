// The schedule against values worked out by hand from its formulas.
import Foundation
import Testing

@testable import Run

struct ScheduleTests {
  private func schedule(_ kind: Recipe.ScheduleSettings.Curve, warmup: Int = 4, floor: Double = 0.1)
    -> Recipe.ScheduleSettings
  {
    var schedule = Recipe.ScheduleSettings()
    schedule.kind = kind
    schedule.warmup = warmup
    schedule.floor = floor
    return schedule
  }

  @Test(arguments: Recipe.ScheduleSettings.Curve.allCases)
  func `warm-up rises by equal parts and stops one part below the top`(kind: Recipe.ScheduleSettings.Curve) {
    let schedule = schedule(kind)
    for step in 0..<4 { #expect(schedule.multiplier(at: step, of: 100) == Double(step + 1) / 5) }
  }

  @Test func `cosine is half way between top and floor in the middle`() {
    // w = 4, S = 103: progress (s − 3) / 100 is one half at s = 53.
    let schedule = schedule(.cosine)
    #expect(abs(schedule.multiplier(at: 53, of: 103) - 0.55) < 1e-12)
    let first: Double = 0.1 + 0.9 * 0.5 * (1 + cos(Double.pi / 100))
    #expect(abs(schedule.multiplier(at: 4, of: 103) - first) < 1e-12)
    #expect(schedule.multiplier(at: 102, of: 103) > 0.1)
    #expect(schedule.multiplier(at: 102, of: 103) < 0.101)
  }

  @Test func `from a step on the schedule is held, warmed up again, or annealed`() {
    let plain = schedule(.cosine)
    for from in [0, 2, 30] {
      for (course, over) in [(Recipe.ScheduleSettings.Course.hold, 0), (.warmup, 9), (.anneal, 20)] {
        var schedule = plain
        (schedule.then, schedule.from, schedule.over) = (course, from, over)
        func share(_ step: Int) -> Double { schedule.multiplier(at: step, of: 100) }
        for step in 0..<from { #expect(share(step) == plain.multiplier(at: step, of: 100)) }
        let start = plain.multiplier(at: from, of: 100)
        switch course {
        case .hold: for step in from..<120 { #expect(share(step) == start) }
        case .warmup:
          #expect(abs(share(from) - start / 10) < 1e-12)
          #expect(schedule.isWarmingUp(at: from + 8) && !schedule.isWarmingUp(at: from + 9))
          for step in (from + 9)..<120 { #expect(share(step) == plain.multiplier(at: step, of: 100)) }
        default:
          #expect(abs(share(from + 9) - (start + min(plain.floor, start)) / 2) < 1e-12)
          for step in (from + 19)..<120 { #expect(abs(share(step) - min(plain.floor, start)) < 1e-12) }
        }
      }
    }
  }

  @Test func `linear goes straight down`() {
    let schedule = schedule(.linear)
    #expect(abs(schedule.multiplier(at: 53, of: 103) - 0.55) < 1e-12)
    #expect(abs(schedule.multiplier(at: 28, of: 103) - 0.775) < 1e-12)
  }

  @Test func `constant stays at the top after warm-up`() {
    let schedule = schedule(.constant)
    for step in [4, 50, 99, 200] { #expect(schedule.multiplier(at: step, of: 100) == 1) }
  }

  @Test func `decay holds and then reaches the floor with the last step`() {
    let schedule = schedule(.decay)
    #expect(schedule.multiplier(at: 4, of: 100) == 1)
    #expect(schedule.multiplier(at: 79, of: 100) == 1)
    #expect(abs(schedule.multiplier(at: 80, of: 100) - (1 - 0.9 / 20)) < 1e-12)
    #expect(abs(schedule.multiplier(at: 99, of: 100) - 0.1) < 1e-12)
  }

  @Test(arguments: Recipe.ScheduleSettings.Curve.allCases)
  func `every step of every length has a share between zero and one`(kind: Recipe.ScheduleSettings.Curve) {
    for warmup in [0, 1, 5, 50] {
      for steps in [1, 2, 4, 5, 6, 10, 49, 50, 51, 200] {
        let schedule = schedule(kind, warmup: warmup)
        for step in 0...(steps + 3) {
          let share = schedule.multiplier(at: step, of: steps)
          #expect(share > 0 && share <= 1, "\(kind) warm-up \(warmup) step \(step) of \(steps): \(share)")
        }
      }
    }
  }
}
