// Maps values to places on an axis, and finds the round numbers that label the axis.

/// An axis from one value to another, linear or logarithmic.
package struct Scale: Equatable, Sendable {
  package let lower: Double
  package let upper: Double
  package let isLogarithmic: Bool

  /// Accepts any bounds: bounds that are not finite or not in order become an axis around the usable one. A logarithmic axis
  /// needs a lower bound above 0; otherwise it is linear.
  package init(from lower: Double, to upper: Double, isLogarithmic: Bool = false) {
    var (lower, upper) = (lower.isFinite ? lower : 0, upper.isFinite ? upper : 1)
    if lower > upper { swap(&lower, &upper) }
    if upper - lower <= abs(upper) * 1e-9 || upper == lower {
      let margin = max(abs(upper) * 0.05, 1e-12)
      (lower, upper) = lower == 0 && upper == 0 ? (0, 1) : (lower - margin, upper + margin)
    }
    self.isLogarithmic = isLogarithmic && lower > 0
    self.lower = lower
    self.upper = upper
  }

  /// The place of a value: 0 at the lower bound, 1 at the upper one, beyond these for values outside, and −∞ for a value
  /// without a logarithm.
  package func position(of value: Double) -> Double {
    guard isLogarithmic else { return (value - lower) / (upper - lower) }
    return value > 0 ? (log(value) - log(lower)) / (log(upper) - log(lower)) : -.infinity
  }

  /// The point of a value among `count` points, counted from the lower bound and clipped to 0…count − 1.
  package func point(of value: Double, among count: Int) -> Int {
    let place = position(of: value) * Double(count - 1)
    guard place > 0 else { return 0 }
    return place >= Double(count - 1) ? max(count - 1, 0) : Int(place.rounded())
  }

  /// At most `count` round numbers inside the bounds, rising: multiples of 1, 2 or 5 × 10ⁿ; on a logarithmic axis 1, 2, 5 × 10ⁿ
  /// or powers of ten.
  package func ticks(atMost count: Int) -> [Double] {
    guard count > 0 else { return [] }
    if isLogarithmic, upper / lower >= 8 {
      let decades = Int(log10(lower).rounded(.down))...Int(log10(upper).rounded(.up))
      let ladders: [[Double]] = [[1, 2, 5], [1, 3], [1]]
      for multiples in ladders {
        var values: [Double] = []
        for decade in decades {
          for multiple in multiples {
            let value = multiple * power10(decade)
            if value >= lower * (1 - 1e-9), value <= upper * (1 + 1e-9) { values.append(value) }
          }
        }
        if values.count <= count, !values.isEmpty { return values }
      }
    }
    let step = Self.step(for: upper - lower, parts: count)
    let first = (lower / step - 1e-9).rounded(.up)
    let last = (upper / step + 1e-9).rounded(.down)
    guard first <= last, last - first < 1000 else { return [] }
    return Array(stride(from: first, through: last, by: 1).map { $0 * step + 0 }.prefix(count))
  }

  /// The smallest round number that is not below a value above 0: the end of an axis that begins at 0.
  package static func roundEnd(_ value: Double) -> Double {
    guard value > 0, value.isFinite else { return 1 }
    let base = power10(Int(log10(value).rounded(.down)))
    let multiples = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10]
    return base * (multiples.first { base * $0 >= value * (1 - 1e-9) } ?? 10)
  }

  /// The smallest of 1, 2 or 5 × 10ⁿ that divides `span` into fewer than `parts` + 1 pieces.
  package static func step(for span: Double, parts: Int) -> Double {
    guard span > 0, span.isFinite else { return 1 }
    let rough = span / Double(max(parts, 1))
    let base = power10(Int(log10(rough).rounded(.down)))
    for multiple in [1.0, 2, 5, 10] where base * multiple >= rough * (1 - 1e-9) {
      // A span of exactly `parts` steps has `parts` + 1 ticks.
      if span / (base * multiple) < Double(parts) - 1e-9 || parts == 1 { return base * multiple }
    }
    return base * 20
  }
}
