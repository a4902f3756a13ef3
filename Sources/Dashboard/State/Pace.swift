// How long the rest of a run takes, from its latest steps.
import Run

/// The speed of a stretch of steps: all its numbers are means over the same steps.
struct Speed: Sendable {
  /// Tokens over active time, as `RecentSpeed` says.
  var tokensPerSecond: Double
  /// Seconds of a step: the sum of its phases.
  var step: Double
  /// Seconds, as `History.phaseNames` names them.
  var phases: [Double]
  /// Twice the standard error of a step's seconds.
  var uncertainty: Double
  /// The entries that it is of.
  var range: Range<Int>
}

/// The time that the rest of a run takes, as people read it.
struct TimeLeft: Sendable, Equatable {
  /// `24 m 10 s`; `about 24 m` where the range is half of it or more.
  let time: String
  /// ` ± 3 m`, or nothing.
  let range: String
  /// True if the range says that the time is little more than a guess.
  let isVague: Bool

  /// - Parameters:
  ///   - range: how far off the estimate may be, seconds; nil where nobody knows.
  ///   - least: the smallest range that is told.
  init(_ seconds: Double, range: Double?, shownAbove least: Double) {
    let range = range ?? 0
    isVague = range > least && range >= seconds / 2
    time = isVague ? "about " + Figure.roughDuration(seconds) : Figure.duration(seconds)
    self.range = range > least && !isVague ? " ± " + Figure.roughDuration(range) : ""
  }
}

/// The times of the latest steps.
package struct Pace: Sendable {
  private var durations: [Double] = []
  private var tokens: [Double] = []
  private var next = 0
  private static let capacity = 64

  package init() {}

  /// Takes in a step.
  /// - Parameters:
  ///   - seconds: that it took. A step whose time is not a number is left out.
  ///   - tokens: that it learned from; 0 where only the time is asked for.
  package mutating func add(_ seconds: Double, tokens count: Double = 0) {
    guard seconds.isFinite, seconds >= 0 else { return }
    if durations.count < Self.capacity {
      durations.append(seconds)
      tokens.append(count)
    } else {
      (durations[next], tokens[next]) = (seconds, count)
    }
    next = (next + 1) % Self.capacity
  }

  /// The tokens of the latest steps over their seconds: the mean of about ten seconds, of one step or more; nil before the first one.
  package var tokensPerSecond: Double? {
    var (seconds, count) = (0.0, 0.0)
    for age in 1...max(durations.count, 1) where age <= durations.count && (age == 1 || seconds < RecentSpeed.window) {
      let place = (next - age + Self.capacity) % Self.capacity
      guard durations.indices.contains(place) else { continue }
      seconds += durations[place]
      count += tokens[place]
    }
    return seconds > 0 ? count / seconds : nil
  }

  /// The mean time of a step, seconds; nil before the first one.
  var step: Double? { durations.isEmpty ? nil : durations.reduce(0, +) / Double(durations.count) }

  /// Twice the standard error of the mean step, seconds; nil while there are fewer than eight.
  var uncertainty: Double? { left(steps: 1)?.range }

  /// Seconds that `steps` more take, and how far off that may be: twice the standard error of the mean step, nil while
  /// there are fewer than eight.
  func left(steps: Int) -> (seconds: Double, range: Double?)? {
    guard let mean = step, steps > 0 else { return nil }
    let seconds = mean * Double(steps)
    guard durations.count >= 8 else { return (seconds, nil) }
    let squares = durations.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let count = Double(durations.count)
    return (seconds, 2 * (squares / (count - 1) / count).squareRoot() * Double(steps))
  }
}
