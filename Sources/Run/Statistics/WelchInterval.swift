// The difference of two means with unequal variances (Welch 1947).

/// A difference of means with its confidence interval.
package struct WelchInterval: Sendable, Equatable {
  /// The first mean minus the second.
  package let difference: Double
  package let lower: Double
  package let upper: Double
  /// Degrees of freedom, by Welch and Satterthwaite's equation.
  package let freedom: Double
  /// The two-sided p value: the probability of a difference at least as large if both means are equal.
  package let p: Double

  /// Nil if a sample has fewer than two numbers, or both variances are 0.
  package init?(_ first: [Double], minus second: [Double], confidence: Double = 0.95) {
    guard let one = MeanDeviation(first), let two = MeanDeviation(second), let a = one.deviation, let b = two.deviation
    else { return nil }
    let (v, w) = (a * a / Double(one.count), b * b / Double(two.count))
    guard v + w > 0 else { return nil }
    difference = one.mean - two.mean
    freedom = (v + w) * (v + w) / (v * v / Double(one.count - 1) + w * w / Double(two.count - 1))
    let error = (v + w).squareRoot()
    let half = StudentT.bound(within: confidence, freedom: freedom) * error
    (lower, upper) = (difference - half, difference + half)
    p = 1 - StudentT.probability(within: abs(difference) / error, freedom: freedom)
  }
}
