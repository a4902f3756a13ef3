// The share of runs that have solved their task, over samples. Runs that ended unsolved are censored: they count up to their
// end (Kaplan & Meier 1958).
import Glibc

/// The Kaplan–Meier curve of the share of solved runs.
package struct KaplanMeier: Sendable, Equatable {
  /// A run: the samples until it solved the task, or until it ended without (censored).
  package struct Observation: Sendable, Equatable {
    package let place: Double
    package let isSolved: Bool

    package init(_ place: Double, isSolved: Bool) {
      (self.place, self.isSolved) = (place, isSolved)
    }
  }

  /// A step of the curve, which holds from its place until the next one's.
  package struct ShareStep: Sendable, Equatable {
    package let place: Double
    /// The share of runs that have solved the task: 1 − S.
    package let share: Double
    /// The bounds of a pointwise confidence interval.
    package let lower: Double
    package let upper: Double
    /// The number of runs still watched at this place.
    package let atRisk: Int
    /// The number of runs that solved the task at this place.
    package let solved: Int
  }

  /// The steps by rising place; the first is at 0.
  package let steps: [ShareStep]
  package let observations: [Observation]

  /// The intervals are those of log(−log S) with Greenwood's variance (Kalbfleisch & Prentice, section 1.4). If no run or every
  /// run has solved the task, that variance is not defined, and the interval is the exact binomial one of the watched runs.
  package init(_ observations: [Observation], confidence: Double = 0.95) {
    self.observations = observations
    let sorted = observations.sorted { ($0.place, $0.isSolved ? 0 : 1) < ($1.place, $1.isSolved ? 0 : 1) }
    let z = NormalDistribution.bound(within: confidence)
    var survival = 1.0
    var greenwood = 0.0
    var index = 0
    // With no success in n trials, the bounds of the share are 0 and 1 − (α/2)^(1/n).
    func edge(_ count: Int) -> Double { count > 0 ? 1 - pow((1 - confidence) / 2, 1 / Double(count)) : 1 }
    var steps = [
      ShareStep(place: 0, share: 0, lower: 0, upper: edge(sorted.count), atRisk: sorted.count, solved: 0)
    ]
    while index < sorted.count {
      let place = sorted[index].place
      let atRisk = sorted.count - index
      let here = sorted[index...].prefix { $0.place == place }
      let solved = here.count(where: \.isSolved)
      index += here.count
      guard solved > 0 else { continue }
      survival *= 1 - Double(solved) / Double(atRisk)
      var (lower, upper): (Double, Double)
      if atRisk > solved {
        greenwood += Double(solved) / (Double(atRisk) * Double(atRisk - solved))
        let half = z * greenwood.squareRoot() / abs(log(survival))
        (lower, upper) = (1 - pow(survival, exp(-half)), 1 - pow(survival, exp(half)))
      } else {
        // All remaining runs have solved the task here.
        survival = 0
        (lower, upper) = (1 - edge(sorted.count { $0.isSolved || $0.place >= place }), 1)
      }
      steps.append(
        ShareStep(place: place, share: 1 - survival, lower: lower, upper: upper, atRisk: atRisk, solved: solved))
    }
    self.steps = steps
  }

  /// The step at a place.
  package func step(at place: Double) -> ShareStep { steps.last { $0.place <= place } ?? steps[0] }

  /// The median: the samples after which half of the runs have solved the task; nil if fewer did.
  package var median: Double? { steps.first { $0.share >= 0.5 }?.place }

  /// The longest time that a run was watched.
  package var end: Double { observations.map(\.place).max() ?? 0 }
}
