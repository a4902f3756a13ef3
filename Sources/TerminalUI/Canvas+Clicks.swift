// What a click means where: noted while a picture is drawn, so that the mouse and the eye agree.

/// What is shown at a place, for a click on it.
package enum ClickMeaning: Sendable, Equatable {
  /// An entry of a list, by its index.
  case row(Int)
  /// A chart, by the axis across its columns.
  case chart(Scale)
  /// A panel, by its index among all.
  case panel(Int)
}

extension ClickMeaning {
  /// Of a chart, the value at a column of its area.
  package func value(at column: Int, in area: Rectangle) -> Double? {
    guard case .chart(let scale) = self else { return nil }
    return scale.value(column: column - area.column, of: area.columns)
  }
}

extension Canvas {
  /// Notes what a click inside of an area means; what is noted later lies over what was noted before.
  package mutating func note(_ meaning: ClickMeaning, in area: Rectangle) {
    if !area.isEmpty { clicks.append((area, meaning)) }
  }

  /// What the cell at a place means, uppermost first, each with its area.
  package func meanings(column: Int, row: Int) -> [(area: Rectangle, meaning: ClickMeaning)] {
    clicks.reversed().filter { entry in
      column >= entry.area.column && column < entry.area.end && row >= entry.area.row && row < entry.area.bottom
    }
  }
}

extension Scale {
  /// The value in the middle of a column of a chart.
  package func value(column: Int, of columns: Int) -> Double {
    let share = min(max(Double(column) / Double(max(columns - 1, 1)), 0), 1)
    return isLogarithmic ? lower * power(upper / lower, share) : lower + share * (upper - lower)
  }
}
