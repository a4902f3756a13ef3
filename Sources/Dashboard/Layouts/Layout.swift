// The places of panels on a screen of any size, as values. Layout+File reads them from a file; Layout+BuiltIn has the one in
// code.
import Run
import TerminalUI

/// An arrangement of panels, with a variant for each range of sizes.
package struct Layout: Sendable, Equatable {
  /// A grid of panels for terminals of at least `columns` × `rows`.
  package struct Variant: Sendable, Equatable {
    package var columns: Int
    package var rows: Int
    package var columnTracks: [Track]
    package var rowTracks: [Track]
    /// The grid's rows; nil is an empty cell. The cells of a panel form a rectangle.
    package var areas: [[Panel?]]

    /// The place of each panel in a terminal of this size, which may be larger than the variant's minimum.
    package func rectangles(columns: Int, rows: Int) -> [(panel: Panel, rectangle: Rectangle)] {
      let lines = Track.boundaries(columnTracks, in: columns)
      let levels = Track.boundaries(rowTracks, in: rows)
      return panels.map { panel, across, down in
        let left = lines[across.lowerBound]
        let top = levels[down.lowerBound]
        return (
          panel,
          Rectangle(
            column: left, row: top, columns: lines[across.upperBound] - left, rows: levels[down.upperBound] - top)
        )
      }
    }

    /// Each panel with its ranges of grid columns and grid rows, in reading order.
    private var panels: [(Panel, Range<Int>, Range<Int>)] {
      var found: [(panel: Panel, across: Range<Int>, down: Range<Int>)] = []
      for (row, line) in areas.enumerated() {
        for (column, panel) in line.enumerated() {
          guard let panel else { continue }
          if let index = found.firstIndex(where: { $0.panel == panel }) {
            let (across, down) = (found[index].across, found[index].down)
            found[index].across = min(across.lowerBound, column)..<max(across.upperBound, column + 1)
            found[index].down = min(down.lowerBound, row)..<max(down.upperBound, row + 1)
          } else {
            found.append((panel, column..<(column + 1), row..<(row + 1)))
          }
        }
      }
      return found.map { ($0.panel, $0.across, $0.down) }
    }
  }

  /// The panel settings of a layout.
  package struct Settings: Sendable, Equatable {
    /// The chart's axes and smoothing; nil keeps the user's choice.
    package var x: Axis?
    package var isLogarithmic: Bool?
    package var smoothing: Double?
    /// The chart's lines by name (`loss/ntp`, `trained/ntp`, `held-out/*`); nil shows every loss, what is trained in the place of
    /// a loss, and the first head's held-out loss.
    package var series: [String]?
    /// Panels without a box.
    package var boxless: Set<Panel> = []

    package init() {}
  }

  package var name: String
  /// The digit key that shows the layout: 1…9.
  package var key: Int
  /// The variants; the first that fits the terminal is used.
  package var variants: [Variant]
  package var settings: Settings

  package init(name: String, key: Int, variants: [Variant], settings: Settings = Settings()) {
    self.name = name
    self.key = key
    self.variants = variants
    self.settings = settings
  }

  /// The panels and their places in a terminal of any size: those of the first variant that fits, or the status panel alone if
  /// none fits.
  package func arrangement(columns: Int, rows: Int) -> [(panel: Panel, rectangle: Rectangle)] {
    guard let variant = variants.first(where: { $0.columns <= columns && $0.rows <= rows }) else {
      return [(.status, Rectangle(column: 0, row: 0, columns: columns, rows: rows))]
    }
    return variant.rectangles(columns: columns, rows: rows)
  }
}
