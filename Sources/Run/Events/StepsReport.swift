// Many steps summed up, for charts.

/// Consecutive steps of a stored run, summed up.
package struct StepsReport: Codable, Sendable, Equatable {
  /// How many steps.
  package var count: Int
  /// Step, tokens, time and active time of the last of them; of all other numbers the means. What is not finite is left
  /// out; NaN where nothing is left.
  package var mean: StepReport
  /// The smallest and the largest finite numbers; NaN where there is none.
  package var minimum: StepReport
  package var maximum: StepReport
  /// How many of the steps have a number that is not finite.
  package var bad: StepReport

  package init(count: Int, mean: StepReport, minimum: StepReport, maximum: StepReport, bad: StepReport) {
    (self.count, self.mean, self.minimum, self.maximum, self.bad) = (count, mean, minimum, maximum, bad)
  }
}

extension StepReport {
  /// A report without numbers, to be filled in by the metric table.
  package static var empty: StepReport {
    StepReport(
      step: 0, tokens: 0, time: 0, active: 0, total: 0, losses: [], rate: 0, gradientNorm: 0, tokensPerSecond: 0,
      phases: Phases())
  }
}
