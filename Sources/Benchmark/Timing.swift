// Time, and what many rounds of it come to.

/// Seconds that a body takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  let start = ContinuousClock.now
  try body()
  return (ContinuousClock.now - start) / .seconds(1)
}

/// The same thing measured several times.
struct Samples {
  private(set) var values: [Double] = []

  init(_ values: [Double] = []) { self.values = values }

  mutating func add(_ value: Double) { values.append(value) }

  var median: Double {
    let sorted = values.sorted()
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
  }

  var mean: Double { values.reduce(0, +) / Double(values.count) }

  /// Half of the range of the middle half, as a share of the median: how much to trust it.
  var spread: Double {
    let sorted = values.sorted()
    guard sorted.count > 1 else { return 0 }
    let quarter = sorted.count / 4
    return (sorted[sorted.count - 1 - quarter] - sorted[quarter]) / 2 / median
  }
}
