// A number typed before a key, as in vim: `5.` takes five steps. Each digit chooses a layout as well; where a key follows at
// once that takes the number, the layout from before the first digit is put back.
import Run
import TerminalUI

/// Digits typed so far, and what was seen before the first of them.
struct KeyCount: Sendable {
  var number: Int
  let layout: Layout
  let axis: Axis
  let isLogarithmic: Bool
  let smoothing: Double
  let focus: Panel?
  let isFullScreen: Bool
}

extension Dashboard {
  /// Takes a digit.
  /// - Returns: whether it does nothing else: a 0 that continues a number.
  mutating func countsOn(_ digit: Int) -> Bool {
    if var count {
      count.number = min(count.number * 10 + digit, CommandForm.mostSteps)
      self.count = count
      needsDrawing = true
      if digit == 0 { message = countHint }
      return digit == 0
    }
    guard digit > 0 else { return false }
    count = KeyCount(
      number: digit, layout: layout, axis: axis, isLogarithmic: isLogarithmic, smoothing: history.smoothing,
      focus: focus,
      isFullScreen: isFullScreen)
    return false
  }

  /// Forgets digits: after a while, they were meant for layouts.
  package mutating func forgetPrefix() { count = nil }

  /// What the digits so far would do.
  /// Nothing where no step can be asked for.
  var countHint: String {
    guard steers, !isEnded, let count else { return "" }
    return "\(count.number). takes \(Figure.grouped(count.number)) steps"
  }

  /// Puts back what the digits changed.
  mutating func restore(_ count: KeyCount) {
    layout = count.layout
    axis = count.axis
    isLogarithmic = count.isLogarithmic
    history.smooth(count.smoothing)
    focus = count.focus
    isFullScreen = count.isFullScreen
  }
}
