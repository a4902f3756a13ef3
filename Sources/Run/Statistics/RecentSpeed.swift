// The speed of training as all screens and lists tell it.

/// Tokens per second: those of the last ten seconds of training over their active time, without pauses and evaluations.
package enum RecentSpeed {
  /// The active seconds over which a speed is a mean.
  package static let window = 10.0

  /// - Parameters:
  ///   - count: the number of entries, each with the tokens and the active seconds up to its end, in order.
  ///   - entry: reads one of them.
  /// - Returns: the speed over the last ten seconds, or of the last entry where that took longer; nil without two entries
  ///   that differ.
  package static func tokensPerSecond(
    of count: Int, _ entry: (Int) throws -> (tokens: Double, active: Double)
  ) rethrows -> Double? {
    guard count > 1 else { return nil }
    let last = try entry(count - 1)
    var (low, high) = (0, count - 2)
    while low < high {
      let middle = (low + high) / 2
      if try entry(middle).active < last.active - window { low = middle + 1 } else { high = middle }
    }
    return try speed(from: entry(low), to: last)
  }

  /// The speed between the ends of two steps; nil if there is none.
  package static func speed(
    from first: (tokens: Double, active: Double), to last: (tokens: Double, active: Double)
  ) -> Double? {
    let speed = (last.tokens - first.tokens) / (last.active - first.active)
    return last.active > first.active && speed.isFinite && speed > 0 ? speed : nil
  }
}
