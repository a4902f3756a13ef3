// Several runs as one number.

/// The mean of some numbers and how far they lie apart.
package struct MeanDeviation: Sendable, Equatable {
  package let mean: Double
  /// The standard deviation of a sample, with n − 1; nil for one number.
  package let deviation: Double?
  package let count: Int

  /// Nil where there are no numbers.
  package init?(_ numbers: [Double]) {
    guard !numbers.isEmpty else { return nil }
    count = numbers.count
    let mean = numbers.reduce(0, +) / Double(numbers.count)
    self.mean = mean
    let squares = numbers.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    deviation = numbers.count > 1 ? (squares / Double(numbers.count - 1)).squareRoot() : nil
  }
}
