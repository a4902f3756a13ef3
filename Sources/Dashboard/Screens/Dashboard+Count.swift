// A number typed before a key, as in vim: `5.` takes five steps. A digit also chooses a layout at once. If a key that takes a
// number follows, the view from before the first digit returns.
import Run
import TerminalUI

/// The number typed so far, and the view from before its first digit.
struct KeyCount: Sendable {
  var number: Int
  let layout: Layout
  let charts: (axis: Axis, isLogarithmic: Bool, smoothing: Double)
  let focus: Panel?
  let isFullScreen: Bool
  /// When the last digit was first seen, seconds of the program's clock.
  var since: Double?

  /// Seconds after which a digit was meant for a layout.
  static let patience = 2.0
}

extension Dashboard {
  /// Adds a digit to the count.
  /// - Returns: true if the digit must not choose a layout: a 0 that continues a number.
  mutating func countsOn(_ digit: Int) -> Bool {
    if var count {
      count.number = min(count.number * 10 + digit, CommandForm.mostSteps)
      count.since = nil
      self.count = count
      needsDrawing = true
      if digit == 0 { message = countHint }
      return digit == 0
    }
    guard digit > 0 else { return false }
    count = KeyCount(
      number: digit, layout: layout, charts: (axis, isLogarithmic, history.smoothing), focus: focus,
      isFullScreen: isFullScreen)
    return false
  }

  /// Discards the count if no key has followed its last digit for a while.
  mutating func passCount(to now: Double) {
    guard let since = count?.since else {
      count?.since = now
      return
    }
    guard now - since >= KeyCount.patience else { return }
    if !countHint.isEmpty, message.hasSuffix(countHint) { message = "" }
    count = nil
    needsDrawing = true
  }

  /// Discards the count: digits without a key after them were meant for layouts.
  package mutating func forgetPrefix() { count = nil }

  /// A hint at the effect of the digits so far; empty without digits, and if no step can be asked for.
  var countHint: String {
    guard steers, !isEnded, let count else { return "" }
    return "\(count.number). takes \(count.number == 1 ? "one step" : "\(Figure.grouped(count.number)) steps")"
  }

  /// Restores the view from before the first digit.
  mutating func restore(_ count: KeyCount) {
    layout = count.layout
    (axis, isLogarithmic) = (count.charts.axis, count.charts.isLogarithmic)
    history.smooth(count.charts.smoothing)
    focus = count.focus
    isFullScreen = count.isFullScreen
  }
}
