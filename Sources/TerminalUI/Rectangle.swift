// Where things are on a canvas, and how a length is shared among tracks.

/// A part of a canvas, in cells; `column` and `row` from the top left corner, counted from 0.
package struct Rectangle: Equatable, Sendable {
  package var column: Int
  package var row: Int
  package var columns: Int
  package var rows: Int

  package init(column: Int, row: Int, columns: Int, rows: Int) {
    self.column = column
    self.row = row
    self.columns = max(columns, 0)
    self.rows = max(rows, 0)
  }

  /// The first column and row beyond it.
  package var end: Int { column + columns }
  package var bottom: Int { row + rows }

  package var isEmpty: Bool { columns == 0 || rows == 0 }

  /// Smaller by this much on each side.
  package func inset(columns dx: Int = 0, rows dy: Int = 0) -> Rectangle {
    Rectangle(column: column + dx, row: row + dy, columns: columns - 2 * dx, rows: rows - 2 * dy)
  }

  package func intersection(_ other: Rectangle) -> Rectangle {
    let left = max(column, other.column)
    let top = max(row, other.row)
    return Rectangle(
      column: left, row: top, columns: min(end, other.end) - left, rows: min(bottom, other.bottom) - top)
  }

  /// The first `count` rows, and what is below them.
  package func splitTop(_ count: Int) -> (Rectangle, Rectangle) {
    let count = min(max(count, 0), rows)
    return (
      Rectangle(column: column, row: row, columns: columns, rows: count),
      Rectangle(column: column, row: row + count, columns: columns, rows: rows - count)
    )
  }

  /// The first `count` columns, and what is right of them.
  package func splitLeft(_ count: Int) -> (Rectangle, Rectangle) {
    let count = min(max(count, 0), columns)
    return (
      Rectangle(column: column, row: row, columns: count, rows: rows),
      Rectangle(column: column + count, row: row, columns: columns - count, rows: rows)
    )
  }
}

/// A column or row of a layout: a number of cells, or a share of what the cells leave.
package enum Track: Equatable, Sendable {
  case cells(Int)
  case share(Double)

  /// Where each track starts and ends in `length` cells: boundaries, one more than tracks, from 0 to `length` where there
  /// are shares. Tracks at the end are cut when there is not enough.
  package static func boundaries(_ tracks: [Track], in length: Int) -> [Int] {
    let all = sum(tracks[...])
    let free = Double(max(length - all.cells, 0))
    return (0...tracks.count).map { count in
      let (cells, shares) = sum(tracks[..<count])
      return min(cells + (all.shares > 0 ? Int((free * shares / all.shares).rounded()) : 0), length)
    }
  }

  private static func sum(_ tracks: ArraySlice<Track>) -> (cells: Int, shares: Double) {
    tracks.reduce(into: (0, 0)) { sum, track in
      switch track {
      case .cells(let count): sum.cells += count
      case .share(let share): sum.shares += share
      }
    }
  }
}
