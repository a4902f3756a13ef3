// Chooses a learning rate by short runs over a grid of rates.
import Run
import TerminalUI

/// The result of a search over rates.
package struct RateChoice: Sendable, Equatable {
  /// The rate with the best mean of the first metric; nil if all runs diverged.
  package let best: Double?
  /// The result as a sentence for the user.
  package let sentence: String

  /// The rates of a search around `rate`: three on each side, a factor of √10 apart, within a recipe's bounds.
  package static func grid(around rate: Double) -> [Double] {
    let exponents = [-1.5, -1, -0.5, 0, 0.5, 1, 1.5]
    let rates = exponents.map { rate * power($0) }.filter { RateChange.bounds.contains($0) }
    return rates.map { Double(Figure.scientific($0)) ?? $0 }
  }

  private static func power(_ exponent: Double) -> Double {
    let half = 10.0.squareRoot()
    return (0..<Int(abs(exponent) * 2)).reduce(1) { value, _ in exponent < 0 ? value / half : value * half }
  }

  package init(_ table: ExperimentTable) {
    let rated = table.rows.indices.compactMap { setting -> (rate: Double, row: ExperimentTable.SettingRow)? in
      table.recipe(of: setting).map { ($0.schedule.rate, table.rows[setting]) }
    }.sorted { $0.rate < $1.rate }
    let sound = rated.filter { $0.row.diverged == 0 && $0.row.values.first.flatMap { $0 } != nil }
    let isHigh = table.metrics.first.map(Evaluation.isBetterHigh) ?? false
    /// A mean, as a number that is lower for a better one.
    func cost(_ row: ExperimentTable.SettingRow) -> Double {
      row.values[0].map { isHigh ? -$0.mean : $0.mean } ?? .infinity
    }
    guard let metric = table.metrics.first, let best = sound.min(by: { cost($0.row) < cost($1.row) }),
      let value = best.row.values[0]
    else {
      self.best = nil
      sentence = "no rate can be recommended: at every rate, a run diverged or no run has ended"
      return
    }
    self.best = best.rate
    var words = "take schedule.rate \(Figure.rate(best.rate)): it has the \(isHigh ? "highest" : "lowest") \(metric), "
    words += ExperimentTable.figure(value.mean, of: metric)
    // Rates whose means are within a standard deviation, or 0.5 %, of the best one.
    let close = sound.filter { other in
      guard other.rate != best.rate, let its = other.row.values[0] else { return false }
      let spread = max(value.deviation ?? 0, its.deviation ?? 0, 0.005 * abs(value.mean))
      return abs(its.mean - value.mean) <= spread
    }
    if !close.isEmpty {
      words += "; \(close.map { Figure.rate($0.rate) }.joined(separator: ", ")) cannot be told apart from it"
    }
    if best.rate == rated.first?.rate {
      words += "; it is the lowest rate that was tried, and a lower one may be better"
    }
    if best.rate == rated.last?.rate {
      words += "; it is the highest rate that was tried, and a higher one may be better"
    }
    sentence = words
  }
}
