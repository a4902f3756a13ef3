// The mouse on a run's screen: a click puts the charts' cursor or focuses a panel, the wheel zooms charts and scrolls panels.
import TerminalUI

extension Dashboard {
  /// Takes a click or a turn of the wheel.
  /// - Returns: false for other keys.
  mutating func point(_ key: Key) -> Bool {
    switch key {
    case .click(let column, let row):
      needsDrawing = true
      for (area, meaning) in draw(size: size, now: 0).meanings(column: column, row: row) {
        switch meaning {
        case .chart:
          guard let value = meaning.value(at: column, in: area) else { continue }
          putCursor(at: value)
        case .panel(let index): focus = Panel.allCases[index]
        case .row: continue
        }
        break
      }
      return true
    case .wheel(let isUp, let column, let row):
      needsDrawing = true
      guard let meaning = draw(size: size, now: 0).meanings(column: column, row: row).first?.meaning else {
        return true
      }
      switch meaning {
      case .chart:
        message = zoomRefusal(isCloser: isUp) ?? ""
        if message.isEmpty { zoomChart(by: isUp ? 1 : -1) }
      case .panel(let index): scroll(Panel.allCases[index], by: isUp ? -3 : 3)
      case .row: break
      }
      return true
    default: return false
    }
  }

  /// Puts the cursor at a place of the x axis, on the nearest step that is kept.
  private mutating func putCursor(at value: Double) {
    guard history.count > 0 else { return }
    let xs = history.places[axis]
    let above = min(xs.lowerBound(of: value), history.count - 1)
    let isBelowNearer = above > 0 && value - xs[above - 1] < xs[above] - value
    chart.cursor = history.places[.step][isBelowNearer ? above - 1 : above]
  }
}
