// Clocks.
import Foundation

/// Seconds since the last lap.
struct Stopwatch {
  private var last = ContinuousClock.now

  /// Seconds since the stopwatch was made, or since the last call of `lap`.
  mutating func lap() -> Double {
    let now = ContinuousClock.now
    defer { last = now }
    return (now - last) / .seconds(1)
  }
}

/// Unix time, seconds.
func wallTime() -> Double { Date().timeIntervalSince1970 }
