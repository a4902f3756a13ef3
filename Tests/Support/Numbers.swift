// Random numbers and comparisons for tests: seeded, so that a failure comes back.

/// A small generator (SplitMix64), the same numbers for the same seed on every machine.
package struct Dice: RandomNumberGenerator {
  private var state: UInt64

  package init(_ seed: UInt64) { state = seed }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// `count` floats in −scale … scale.
  package mutating func floats(_ count: Int, scale: Float = 1) -> [Float] {
    (0..<count).map { _ in Float.random(in: -scale...scale, using: &self) }
  }

  /// `count` tokens below `vocabulary`.
  package mutating func tokens(_ count: Int, below vocabulary: Int) -> [Int32] {
    (0..<count).map { _ in Int32.random(in: 0..<Int32(vocabulary), using: &self) }
  }
}

/// The largest |a − b| / (floor + |b|).
package func largestError(_ a: [Float], _ b: [Double], floor: Double = 1) -> Double {
  precondition(a.count == b.count)
  return zip(a, b).map { $0.isFinite ? abs(Double($0) - $1) / (floor + abs($1)) : .infinity }.max() ?? 0
}

/// The slope of f at x[i], by central differences.
package func slope(of f: ([Double]) -> Double, at x: [Double], _ i: Int, by h: Double = 1e-5) -> Double {
  var up = x
  var down = x
  up[i] += h
  down[i] -= h
  return (f(up) - f(down)) / (2 * h)
}
