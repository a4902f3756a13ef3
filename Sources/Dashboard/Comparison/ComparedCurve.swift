// A curve to be compared with others: its value at a place, and the place where it first reaches a value.
import Run

/// A metric of a run over an axis: its finite values, in the order of their places.
package struct ComparedCurve: Sendable, Equatable {
  /// Which values are better: low ones, as of losses, or high ones.
  package enum Aim: Sendable { case low, high }

  /// The places, never falling, one per value.
  package let xs: [Double]
  package let values: [Double]
  /// The standard deviation at each place if the values are means of several runs; otherwise empty.
  package let deviations: [Double]
  package let aim: Aim
  /// The best value up to each place, for a binary search for the first place with a value.
  private let records: [Double]

  /// Makes a curve of the finite values.
  /// - Parameters:
  ///   - xs: the places, never falling.
  ///   - values: one per place.
  ///   - deviations: one per place, or none.
  package init(_ xs: [Double], _ values: [Double], deviations: [Double] = [], aim: Aim = .low) {
    precondition(xs.count == values.count && (deviations.isEmpty || deviations.count == xs.count))
    let kept = xs.indices.filter { values[$0].isFinite && xs[$0].isFinite }
    let isWhole = kept.count == xs.count
    self.xs = isWhole ? xs : kept.map { xs[$0] }
    self.values = isWhole ? values : kept.map { values[$0] }
    self.deviations = isWhole || deviations.isEmpty ? deviations : kept.map { deviations[$0] }
    self.aim = aim
    var record = aim == .low ? Double.infinity : -.infinity
    records = self.values.map { value in
      record = aim == .low ? min(record, value) : max(record, value)
      return record
    }
  }

  package var isEmpty: Bool { xs.isEmpty }
  /// The first and the last place; nil without values.
  package var ends: (first: Double, last: Double)? { xs.first.map { ($0, xs[xs.count - 1]) } }
  package var last: Double? { values.last }

  /// The best value, and the place where it was first reached.
  package var best: (value: Double, x: Double)? {
    guard let best = records.last, let index = values.firstIndex(of: best) else { return nil }
    return (best, xs[index])
  }

  /// The value at a place, on the straight line between its neighbours; nil before the first and after the last.
  package func value(at x: Double) -> Double? { interpolated(values, at: x) }

  /// The standard deviation at a place; nil for a single run.
  package func deviation(at x: Double) -> Double? { deviations.isEmpty ? nil : interpolated(deviations, at: x) }

  private func interpolated(_ numbers: [Double], at x: Double) -> Double? {
    guard let ends, x >= ends.first, x <= ends.last else { return nil }
    let index = xs.lowerBound(of: x)
    guard index > 0, xs[index] > x else { return numbers[index] }
    let (left, right) = (xs[index - 1], xs[index])
    return numbers[index - 1] + (numbers[index] - numbers[index - 1]) * (x - left) / (right - left)
  }

  /// The first place with this value or a better one, on the straight line between two places; nil if there is none.
  package func place(reaching value: Double) -> Double? {
    let index = records.lowerBound { aim == .low ? $0 > value : $0 < value }
    guard index < xs.count else { return nil }
    guard index > 0, values[index] != values[index - 1] else { return xs[index] }
    let share = (value - values[index - 1]) / (values[index] - values[index - 1])
    return xs[index - 1] + (xs[index] - xs[index - 1]) * min(max(share, 0), 1)
  }

  /// The slope over a stretch of this width around a place; nil outside the curve, and for a single place.
  package func slope(at x: Double, over width: Double) -> Double? {
    guard let ends, x >= ends.first, x <= ends.last else { return nil }
    let (left, right) = (max(x - width / 2, ends.first), min(x + width / 2, ends.last))
    guard right > left, let low = value(at: left), let high = value(at: right) else { return nil }
    return (high - low) / (right - left)
  }

  /// The cost of each value: the place where it was first reached, over the values.
  package var costs: ComparedCurve {
    var steps: [(value: Double, x: Double)] = []
    for index in records.indices where index == 0 || records[index] != records[index - 1] {
      steps.append((records[index], xs[index]))
    }
    if aim == .low { steps.reverse() }
    return ComparedCurve(steps.map(\.value), steps.map(\.x), aim: .low)
  }

  /// The mean of several curves at the places of the first one where all have a value.
  package static func mean(of curves: [ComparedCurve]) -> ComparedCurve {
    guard let first = curves.first, curves.count > 1 else { return curves.first ?? ComparedCurve([], []) }
    let low = curves.compactMap { $0.ends?.first }.max() ?? 0
    let high = curves.compactMap { $0.ends?.last }.min() ?? -1
    guard !curves.contains(where: \.isEmpty), low <= high else { return ComparedCurve([], [], aim: first.aim) }
    var places = first.xs.filter { $0 >= low && $0 <= high }
    // Curves with different places still share their ends.
    if places.first != low { places.insert(low, at: 0) }
    if let last = places.last, last < high { places.append(high) }
    let spreads = places.map { x in MeanDeviation(curves.compactMap { $0.value(at: x) }) }
    return ComparedCurve(
      places, spreads.map { $0?.mean ?? .nan }, deviations: spreads.map { $0?.deviation ?? 0 }, aim: first.aim)
  }
}
