// Changes by more than ten times, which need a yes: screens ask for it, and a run refuses them from the socket without it.

/// A number before and after a large change.
package struct LargeChange: Sendable, Equatable {
  package let old, new: Double

  /// The new value as a multiple of the old one.
  package var factor: Double { new / old }

  /// Whether a change from one value to another is by more than ten times, up or down.
  package static func isLarge(from old: Double, to new: Double) -> Bool { distance(old, new) > most }

  /// A tenth as a rounded number is no more than ten times.
  static let most = 10.000001

  /// By how many times the values differ, at least 1.
  static func distance(_ one: Double, _ other: Double) -> Double { one == other ? 1 : max(one / other, other / one) }
}

/// The factors of the user's changes on the scheduled rate before the newest changes: several small changes within ten steps count
/// as one, and those within ten seconds where times are known, since a fast run takes a hundred steps between two keys.
package struct RateCaution: Sendable {
  /// Steps within which changes of the rate count as one.
  package static let steps = 10
  /// Seconds within which they do.
  private static let seconds = 10.0

  private var before: [(step: Int, time: Double, factor: Double)] = []
  private static let most = 64

  package init() {}

  /// Keeps the factor before a change, for as many steps as matter.
  /// - Parameters:
  ///   - step: the steps that were taken before the change.
  ///   - time: Unix time, seconds; nil if only steps count.
  package mutating func note(_ factor: Double, before step: Int, time: Double? = nil) {
    before.removeAll { !Self.isNear($0.step, $0.time, step, time) }
    if before.count >= Self.most { before.removeFirst() }
    before.append((step, time ?? -.infinity, factor))
  }

  private static func isNear(_ step: Int, _ time: Double, _ later: Int, _ laterTime: Double?) -> Bool {
    step >= later - steps || laterTime.map { abs($0 - time) <= seconds } ?? false
  }

  /// How far a command takes the rate within ten steps, the farthest; nil where the rate stays within ten times.
  /// - Parameters:
  ///   - step: the steps that are taken before the change.
  ///   - plan: the rates of coming steps as they are planned now.
  ///   - expected: the same once all that was asked before is done.
  ///   - time: Unix time, seconds; nil if only steps count.
  package func change(
    by command: Command, at step: Int, of plan: RatePlan, expecting expected: RatePlan, time: Double? = nil
  ) -> LargeChange? {
    guard let next = expected.after(command, at: step) else { return nil }
    // A change of the rate is the same at every step.
    let ahead = if case .rate = command { 1 } else { Self.steps }
    var farthest: (change: LargeChange, distance: Double)?
    for factor in [plan.factor] + before.filter({ Self.isNear($0.step, $0.time, step, time) }).map(\.factor) {
      var before = plan
      before.factor = factor
      let old = before.rate(at: step)
      guard old > 0 else { continue }
      for place in step..<max(min(step + ahead, next.steps), step + 1) {
        let new = next.rate(at: place)
        // What the schedule does anyway is no change.
        let length = min(LargeChange.distance(new, old), LargeChange.distance(new, before.rate(at: place)))
        if length > farthest?.distance ?? LargeChange.most { farthest = (LargeChange(old: old, new: new), length) }
      }
    }
    return farthest?.change
  }
}
