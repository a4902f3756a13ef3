// The mouse: what is seen at a place is what a click there chooses.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct MouseTests {
  private let size = (columns: 120, rows: 36)

  /// The first cell of a text in a picture.
  private func cell(_ text: String, in canvas: Canvas) throws -> (column: Int, row: Int) {
    for row in 0..<canvas.rows {
      let line = (0..<canvas.columns).map { canvas[$0, row].character }
      let found = line.indices.first { line[$0...].starts(with: text) }
      if let found { return (found, row) }
    }
    throw UserError(.data, "“\(text)” is not in the picture")
  }

  private func dashboard() throws -> Dashboard {
    var dashboard = Dashboard(.stored, layouts: try shippedLayouts())
    for event in MadeUpRun().events(to: 300) { dashboard.receive(event) }
    dashboard.fit(columns: size.columns, rows: size.rows)
    return dashboard
  }

  @Test func `a click on a chart puts the cursor under the pointer`() throws {
    var dashboard = try dashboard()
    let canvas = dashboard.draw(size: size, now: 0)
    let chart = try #require(
      canvas.meanings(column: 40, row: 6).first { if case .chart = $0.meaning { true } else { false } })
    for column in [chart.area.column, chart.area.column + chart.area.columns / 2, chart.area.end - 1] {
      _ = dashboard.press(.click(column: column, row: 6))
      let drawn = dashboard.draw(size: size, now: 0)
      let lines = (chart.area.column..<chart.area.end).filter {
        drawn[$0, chart.area.bottom].character == "┴" && drawn[$0, chart.area.bottom].style == .accent
      }
      #expect(lines.allSatisfy { abs($0 - column) <= 1 } && !lines.isEmpty, "column \(column): \(lines)")
    }
    // The last column is the last step, and the middle one the middle.
    _ = dashboard.press(.click(column: chart.area.end - 1, row: 6))
    #expect(dashboard.chart.cursor == 300)
    _ = dashboard.press(.click(column: chart.area.column + chart.area.columns / 2, row: 6))
    #expect(abs((dashboard.chart.cursor ?? 0) - 150) <= 5)
  }

  @Test func `the wheel zooms charts, scrolls panels, and a click focuses one`() throws {
    var dashboard = try dashboard()
    _ = dashboard.press(.wheel(isUp: true, column: 40, row: 6))
    #expect(dashboard.chart.zoom == 1)
    _ = dashboard.press(.wheel(isUp: false, column: 40, row: 6))
    #expect(dashboard.chart.zoom == 0)
    let place = try cell("events", in: dashboard.draw(size: size, now: 0))
    _ = dashboard.press(.click(column: place.column, row: place.row + 2))
    #expect(dashboard.focus == .events)
    _ = dashboard.press(.wheel(isUp: true, column: place.column, row: place.row + 2))
    #expect(dashboard.scroll[.events, default: 0] > 0)
    // Nothing is clicked through a dialog.
    _ = dashboard.press(.character("?"))
    _ = dashboard.press(.click(column: 40, row: 6))
    #expect(dashboard.chart.cursor == nil)
  }

  @Test func `clicks choose rows of lists and tokens of a text`() throws {
    var runs = RunsScreenTests.screen(["kjv-top", "kjv-ntp", "kjv-mtp4"])
    runs.fit(columns: size.columns, rows: size.rows)
    for name in ["kjv-mtp4", "kjv-top"] {
      let place = try cell(name, in: runs.draw(size: size, now: 0))
      _ = runs.press(.click(column: place.column, row: place.row))
      #expect(runs.chosenName == name)
    }
    _ = runs.press(.wheel(isUp: false, column: 5, row: 4))
    #expect(runs.chosenName == "kjv-ntp")

    var compare = CompareScreenTests.screen()
    compare.fit(columns: size.columns, rows: size.rows)
    let picture = compare.draw(size: size)
    let chart = try #require(picture.meanings(column: 60, row: 8).first)
    _ = compare.press(.click(column: chart.area.column, row: 8))
    let first = try #require(compare.place)
    _ = compare.press(.click(column: chart.area.end - 1, row: 8))
    #expect(try #require(compare.place) > first)
    _ = compare.press(.wheel(isUp: true, column: 60, row: 8))
    #expect(compare.zoom == 1)
  }
}
