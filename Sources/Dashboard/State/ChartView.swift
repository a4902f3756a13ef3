// The view of the charts over the run: the visible part of the x axis, the cursor, and the range of the y axis.
import TerminalUI

/// The view of the charts.
struct ChartView: Sendable, Equatable {
  /// The step that the cursor stands at; nil follows the end.
  var cursor: Double?
  /// The zoom: how often the visible part of the x axis was halved.
  var zoom = 0
  /// True if the y axis includes all values, even the rarest spikes.
  var showsWholeRange = false

  static let closest = 20
}

extension Dashboard {
  /// The part of the x axis that charts show: all of it, the newest part of it, or a part around the cursor.
  var visibleX: Scale {
    let (first, last) = (firstX, history.end(axis))
    guard chart.zoom > 0 else { return Scale(from: first, to: last) }
    let width = (last - first) / Double(1 << chart.zoom)
    let place = cursorPlace?[axis] ?? last
    let start = min(max(place - width / 2, first), last - width)
    return Scale(from: start, to: start + width)
  }

  /// The entry of the history that the cursor reads; nil without a cursor.
  var cursorEntry: Int? {
    guard history.count > 0, let cursor = chart.cursor else { return nil }
    return min(max(history.places[.step].lowerBound(of: cursor.nextUp) - 1, 0), history.count - 1)
  }

  var cursorPlace: Moment? { cursorEntry.map { history.places[$0] } }

  /// Moves the cursor by a share of the visible part, at least by one entry; a new cursor starts at the end.
  mutating func moveCursor(by share: Double) {
    guard history.count > 0 else { return }
    let entry = cursorEntry ?? history.count - 1
    let x = visibleX
    let xs = history.places[axis]
    let target = xs[entry] + share * (x.upper - x.lower)
    let found = share < 0 ? xs.lowerBound(of: target) : xs.lowerBound(of: target.nextUp) - 1
    let moved = share < 0 ? min(found, entry - 1) : max(found, entry + 1)
    chart.cursor = history.places[.step][min(max(moved, 0), history.count - 1)]
    // Beyond the last step, the view follows the end.
    if moved >= history.count { chart.cursor = nil }
  }

  /// Zooms in or out.
  mutating func zoomChart(by steps: Int) { chart.zoom = min(max(chart.zoom + steps, 0), ChartView.closest) }

  /// The reason why zooming has no effect now; nil if it has.
  func zoomRefusal(isCloser: Bool) -> String? {
    guard history.count > 0 else { return "there is no step yet" }
    guard isCloser else { return chart.zoom > 0 ? nil : "all is shown" }
    let x = visibleX
    let entries = history.places[axis].lowerBound(of: x.upper.nextUp) - history.places[axis].lowerBound(of: x.lower)
    return chart.zoom < ChartView.closest && entries > 8 ? nil : "closer is not possible"
  }
}
