// How often it is told how much of a text is read.

/// Decides when it is time to tell that again: ten times a second.
struct ReadingPace {
  private var toldAt = ContinuousClock.now

  mutating func isDue() -> Bool {
    let now = ContinuousClock.now
    guard now - toldAt >= .milliseconds(100) else { return false }
    toldAt = now
    return true
  }
}
