// Rectangles on a canvas, and the division of a length among tracks.

/// A part of a canvas, in cells. `column` and `row` count from 0 at the top left corner.
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

  /// The first column beyond the rectangle (`end`), and the first row (`bottom`).
  package var end: Int { column + columns }
  package var bottom: Int { row + rows }

  package var isEmpty: Bool { columns == 0 || rows == 0 }

  /// The rectangle made smaller by this many cells on each side.
  package func inset(columns dx: Int = 0, rows dy: Int = 0) -> Rectangle {
    Rectangle(column: column + dx, row: row + dy, columns: columns - 2 * dx, rows: rows - 2 * dy)
  }

  package func intersection(_ other: Rectangle) -> Rectangle {
    let left = max(column, other.column)
    let top = max(row, other.row)
    return Rectangle(
      column: left, row: top, columns: min(end, other.end) - left, rows: min(bottom, other.bottom) - top)
  }

  /// The first `count` rows, and the rest below them.
  package func splitTop(_ count: Int) -> (Rectangle, Rectangle) {
    let count = min(max(count, 0), rows)
    return (
      Rectangle(column: column, row: row, columns: columns, rows: count),
      Rectangle(column: column, row: row + count, columns: columns, rows: rows - count)
    )
  }

  /// The first `count` columns, and the rest at their right.
  package func splitLeft(_ count: Int) -> (Rectangle, Rectangle) {
    let count = min(max(count, 0), columns)
    return (
      Rectangle(column: column, row: row, columns: count, rows: rows),
      Rectangle(column: column + count, row: row, columns: columns - count, rows: rows)
    )
  }
}

/// The size of a layout's column or row: a number of cells, or a share of the remaining cells.
package enum Track: Equatable, Sendable {
  case cells(Int)
  case share(Double)

  /// The boundaries of the tracks in `length` cells, one more than there are tracks. They begin at 0, and end at `length` if a
  /// track is a share. The last tracks are cut if `length` is too short.
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
