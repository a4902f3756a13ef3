// A debiased exponential moving average: without the pull towards zero at its start.
import Foundation
import Run

/// A debiased exponential moving average: s ← β s + (1 − β) v, shown as s / (1 − βⁿ). It skips values that are not
/// finite.
package struct Smoothing: Sendable, Equatable {
  /// β; 0 does not smooth.
  package let factor: Double
  private var sum = 0.0
  private var weight = 0.0

  package init(factor: Double) {
    self.factor = min(max(factor, 0), 0.9999)
  }

  /// Takes a value; returns the average, NaN before the first finite value.
  package mutating func add(_ value: Float) -> Float {
    if value.isFinite {
      sum = factor * sum + (1 - factor) * Double(value)
      weight = factor * weight + (1 - factor)
    }
    return weight > 0 ? Float(sum / weight) : .nan
  }

  /// Takes many values at once, by their mean.
  mutating func add(_ summary: Series.Statistics) -> Float {
    if let mean = summary.mean {
      let kept = pow(factor, Double(summary.count))
      sum = kept * sum + (1 - kept) * mean
      weight = kept * weight + (1 - kept)
    }
    return weight > 0 ? Float(sum / weight) : .nan
  }

  /// A factor as text: `0.90`, `0.995`.
  package static func figure(_ factor: Double) -> String { Figure.fixed(factor, factor > 0.99 ? 3 : 2) }

  /// The steps of the keys + and −.
  package static let ladder = [0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999]
}

/// A series and its average.
package struct SmoothedSeries: Sendable {
  package private(set) var raw = Series()
  package private(set) var smooth = Series()
  private var smoothing: Smoothing

  package init(factor: Double) { smoothing = Smoothing(factor: factor) }

  /// A series that begins late: no values for the entries so far.
  init(factor: Double, missingAt places: Places) {
    self.init(factor: factor)
    raw = Series(missingAt: places)
    smooth = raw
  }

  package mutating func append(_ value: Float) {
    raw.append(value)
    smooth.append(smoothing.add(value))
  }

  /// Adds an entry that stands for many values.
  package mutating func append(_ summary: Series.Statistics) {
    raw.append(summary)
    smooth.append(smoothed(summary))
  }

  /// Replaces the average's entries by one that stands for as many values.
  private mutating func smoothed(_ summary: Series.Statistics) -> Series.Statistics {
    let average = smoothing.add(summary)
    return Series.Statistics(
      minimum: average, maximum: average, mean: average, bad: average.isNaN ? summary.count + summary.bad : 0,
      of: summary.count + summary.bad)
  }

  /// Forgets all but the first `count` values.
  package mutating func cut(to count: Int) {
    guard count < raw.count else { return }
    raw.cut(to: count)
    smoothAgain(factor: smoothing.factor)
  }

  /// Replaces old entries by fewer: see `Series.fold`.
  mutating func fold(_ fold: Places.Fold) {
    raw.fold(fold)
    smooth.fold(fold)
  }

  /// Takes another β, for all values.
  package mutating func smoothAgain(factor: Double) {
    smoothing = Smoothing(factor: factor)
    smooth = Series()
    for index in 0..<raw.summedUp { smooth.append(smoothed(raw.summary(of: index..<index + 1))) }
    for value in raw.values[raw.summedUp...] { smooth.append(smoothing.add(value)) }
  }
}
