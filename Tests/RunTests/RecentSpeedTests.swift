// The speed of training over its last ten seconds.
import Testing

@testable import Run

@Suite struct RecentSpeedTests {
  /// The totals at the ends of steps of 100 tokens.
  private func totals(_ seconds: [Double]) -> [(tokens: Double, active: Double)] {
    var active = 0.0
    return seconds.enumerated().map { index, duration in
      active += duration
      return (tokens: Double(index + 1) * 100, active: active)
    }
  }

  private func speed(_ seconds: [Double]) -> Double? {
    let totals = totals(seconds)
    return RecentSpeed.tokensPerSecond(of: totals.count) { totals[$0] }
  }

  @Test func `the speed is that of the last ten seconds`() throws {
    let fast = [Double](repeating: 0.25, count: 100)
    #expect(speed([Double](repeating: 2, count: 50) + fast) == 400)
    // Before there are ten seconds, all steps but the first, whose beginning nobody knows.
    #expect(speed([4, 0.5, 0.5]) == 200)
    // A step that takes longer is taken alone.
    #expect(speed([1, 1, 50]) == 2)
  }

  @Test func `one step, or none, has no speed`() {
    #expect(speed([]) == nil && speed([1]) == nil && speed([1, 0]) == nil)
  }
}
