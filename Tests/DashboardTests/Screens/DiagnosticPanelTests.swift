// The panels of diagnostics, and what they say where nothing is measured.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct DiagnosticPanelTests {
  private let run: MadeUpRun = {
    var run = MadeUpRun()
    for name in ["function", "collapse"] { run.recipe.measure[every: name] = 2 }
    return run
  }()

  /// Evaluations of which every second one measures.
  private func dashboard(measured: Bool) throws -> Dashboard {
    var dashboard = run.dashboard(at: 300)
    for step in stride(from: 310, through: 400, by: 10) {
      dashboard.receive(.stepped(run.step(step)))
      var evaluation = run.evaluation(step)
      if measured, step % 20 == 0 {
        evaluation.diagnostics = run.recipe.diagnosticNumbers.enumerated().map { index, number in
          MeasuredNumber(number.path, number.path.hasSuffix("count") ? 1234 : Double(step + 7 * index) / 1000)
        }
      }
      dashboard.receive(.evaluated(evaluation))
    }
    let layout = try #require(try shippedLayouts().first { $0.name == "diagnostics" })
    dashboard.use([layout], problems: [], time: 0)
    dashboard.show(layout)
    return dashboard
  }

  @Test func `groups of tokens and neural collapse have a chart and a table`() throws {
    var dashboard = try dashboard(measured: true)
    let text = dashboard.draw(size: (120, 40), now: run.now(400)).text
    let values = Dictionary(run.recipe.diagnosticNumbers.enumerated().map { ($1.path, Double(400 + 7 * $0) / 1000) }) {
      first, _ in first
    }
    for word in [
      "tokens", "collapse", "held-out", "training", "of loss", "ntp fc", "ntp cf", Figure.short(1234), "NC4 agreement",
      "NC3 cosine",
      "NC1 log CDNV", "first", Figure.loss(try #require(values["function/ntp-fc"])),
      Figure.fixed(try #require(values["collapse/nc4-agreement"]), 3),
    ] {
      #expect(text.contains(word), "\(word):\n\(text)")
    }
    // Whole, it has a row for every group of every head.
    dashboard.focus = .tokens
    dashboard.isFullScreen = true
    let whole = dashboard.draw(size: (120, 40), now: run.now(400)).text
    for group in TokenGroup.allCases { #expect(whole.contains("top \(group.name)"), "\(whole)") }
    // Beside the numbers is their course over the five measurements, whose values rise.
    let row = try #require(whole.split(separator: "\n").first { $0.contains("ntp fc  ") })
    #expect(row.contains("▂") && row.contains("█"), "\(whole)")
    for panel in [Panel.tokens, .collapse] {
      dashboard.focus = panel
      for size in [(20, 4), (24, 8), (40, 12), (80, 24), (220, 60)] { dashboard.draw(size: size, now: 0).expectSound() }
    }
  }

  @Test func `without measurements the panels say what to set`() throws {
    let text = try dashboard(measured: false).draw(size: (120, 40), now: run.now(400)).text
    #expect(text.contains("measure.function is 2") && text.contains("measure.collapse is 2"), "\(text)")
    var off = MadeUpRun().dashboard(at: 300)
    off.focus = .collapse
    off.isFullScreen = true
    #expect(off.draw(size: (120, 40), now: run.now(300)).text.contains("not measured: measure.collapse is 0"))
  }

  /// A dashboard of a run that measures everything, at every second evaluation; the values rise with the steps.
  private func all(_ change: (inout Recipe) -> Void = { _ in }) throws -> Dashboard {
    var run = MadeUpRun()
    for kind in DiagnosticKind.all { run.recipe.measure[every: kind.name] = 2 }
    change(&run.recipe)
    var dashboard = run.dashboard(at: 300)
    for step in stride(from: 310, through: 400, by: 10) {
      dashboard.receive(.stepped(run.step(step)))
      var evaluation = run.evaluation(step)
      if step % 20 == 0 {
        evaluation.diagnostics = run.recipe.diagnosticNumbers.enumerated().map { index, number in
          MeasuredNumber(number.path, number.isCount ? 1234 : Double(step + 7 * index) / 1000)
        }
        for bin in 0..<ReliabilityDiagram.binCount where run.recipe.measure[every: "calibration"] > 0 {
          let names = ReliabilityDiagram.names(ofBin: bin)
          let middle = (Double(bin) + 0.5) / 10
          let accuracy = middle * Double(step) / 400
          let values = [
            (names.confidence, middle), (names.accuracy, accuracy), (names.count, Double(bin * step)),
          ]
          for (name, value) in values {
            evaluation.diagnostics.removeAll { $0.path == "calibration/\(name)" }
            // A bin without positions has no means.
            if bin > 0 || name == names.count {
              evaluation.diagnostics.append(MeasuredNumber("calibration/\(name)", value))
            }
          }
        }
      }
      dashboard.receive(.evaluated(evaluation))
    }
    let layout = try #require(try shippedLayouts().first { $0.name == "diagnostics" })
    dashboard.use([layout], problems: [], time: 0)
    dashboard.show(layout)
    return dashboard
  }

  @Test func `every diagnostic is shown over training on the screen of its run`() throws {
    var dashboard = try all()
    // Those with few numbers first, and bins by their bounds.
    let names = dashboard.chartedNumbers.map(\.name)
    #expect(
      Array(names.prefix(8)) == [
        "entropy mean", "entropy gap", "calibration ece", "calibration confidence", "states cosine", "states norm",
        "greedy distinct-1", "greedy distinct-2",
      ])
    let places = names.filter { $0.hasPrefix("position ntp-from-") }.compactMap { Int($0.dropFirst(18)) }
    #expect(places.count > 5 && places == places.sorted())
    #expect(names.contains("frequency top-1e-3") && !names.contains { $0.contains("count") || $0.contains("function") })
    dashboard.focus = .diagnostics
    dashboard.isFullScreen = true
    for size in [(80, 24), (120, 36), (220, 60)] {
      dashboard.scroll[.diagnostics] = 0
      dashboard.fit(columns: size.0, rows: size.1)
      var seen = ""
      for _ in names {
        seen += dashboard.draw(size: size, now: 0).text
        _ = dashboard.press(.down)
      }
      for name in names { #expect(seen.contains(name), "\(name) is missing at \(size)") }
    }
    // The row has the course, the value now and the first one.
    dashboard.scroll[.diagnostics] = 0
    let text = dashboard.draw(size: (120, 36), now: 0).text
    let numbers = Self.values(of: "entropy/mean", in: dashboard)
    #expect(numbers.count == 5)
    let row = try #require(text.split(separator: "\n").first { $0.contains("entropy mean") && $0.contains("▂") })
    #expect(row.contains("█"), "\(row)")
    #expect(row.contains(Figure.loss(numbers[4])) && row.contains(Figure.loss(numbers[0])), "\(row)")
    #expect(text.contains("━ mean") && text.contains("╌ gap"), "\(text)")
  }

  private static func values(of path: String, in dashboard: Dashboard) -> [Double] { dashboard.measuredValues(path) }

  @Test func `the chart is of the chosen number and those beside it`() throws {
    var dashboard = try all()
    dashboard.focus = .diagnostics
    dashboard.isFullScreen = true
    func choose(_ name: String) throws -> String {
      let place: Int = try #require(dashboard.chartedNumbers.firstIndex { $0.name == name })
      dashboard.scroll[.diagnostics] = place
      return dashboard.draw(size: (120, 36), now: 0).text
    }
    // The norm has an axis of its own.
    let cosine = try choose("states cosine")
    #expect(cosine.contains("━ cosine") && !cosine.contains("╌ norm"), "\(cosine)")
    let norm = try choose("states norm")
    #expect(norm.contains("━ norm") && !norm.contains("╌ cosine"), "\(norm)")
    // Of many bins some are drawn, the chosen one among them.
    let places = dashboard.chartedNumbers.filter { $0.name.hasPrefix("position top-from-") }
    #expect(places.count > 5)
    for place in places {
      let text = try choose(place.name)
      let isInLegend = ["━", "╌", "┅", "─", "┄"].contains { text.contains("\($0) \(place.short) ") }
      #expect(isInLegend, "\(place.name): \(text)")
      #expect(!text.contains("━ ntp-from-0"))
    }
  }

  @Test func `the reliability diagram is drawn where there is room`() throws {
    var dashboard = try all()
    let words = "accuracy by confidence · ece"
    #expect(dashboard.draw(size: (220, 60), now: 0).text.contains(words))
    dashboard.focus = .diagnostics
    dashboard.isFullScreen = true
    for size in [(80, 24), (120, 36), (220, 60)] {
      #expect(dashboard.draw(size: size, now: 0).text.contains(words), "\(size)")
    }
    for glyphs in Glyphs.allCases {
      dashboard.glyphs = glyphs
      for index in dashboard.chartedNumbers.indices.prefix(8) {
        dashboard.scroll[.diagnostics] = index
        for size in [(20, 4), (24, 8), (40, 12), (60, 20), (80, 24), (120, 36), (220, 60)] {
          dashboard.draw(size: size, now: 0).expectSound()
        }
      }
    }
  }

  @Test func `with a cursor the panels have the numbers of that time`() throws {
    var dashboard = try all()
    let numbers = Self.values(of: "entropy/mean", in: dashboard)
    dashboard.focus = .diagnostics
    dashboard.isFullScreen = true
    dashboard.chart.cursor = 345
    let text = dashboard.draw(size: (120, 36), now: 0).text
    let row = try #require(text.split(separator: "\n").first { $0.contains("entropy mean") && $0.contains("█") })
    #expect(row.contains(Figure.loss(numbers[1])) && !row.contains(Figure.loss(numbers[4])), "\(text)")
    dashboard.chart.cursor = 305
    let before = dashboard.draw(size: (120, 36), now: 0).text
    #expect(before.split(separator: "\n").contains { $0.contains("entropy mean") && $0.contains("—") }, "\(before)")
  }

  @Test func `a bar is as high as its accuracy, and its mark stands at the confidence`() throws {
    func diagram(_ bins: [Int: (confidence: Double, accuracy: Double, count: Double)]) throws -> [[Character]] {
      let diagram = try #require(
        ReliabilityDiagram { path in
          for (bin, values) in bins {
            let names = ReliabilityDiagram.names(ofBin: bin)
            switch path {
            case "calibration/\(names.confidence)": return values.confidence
            case "calibration/\(names.accuracy)": return values.accuracy
            case "calibration/\(names.count)": return values.count
            default: continue
            }
          }
          return path == "calibration/ece" ? 0.125 : nil
        })
      let text = diagram.picture(columns: 60, rows: 15, glyphs: .ascii)
      #expect(text.hasPrefix("accuracy by confidence . ece 0.125"))
      return text.split(separator: "\n", omittingEmptySubsequences: false).map(Array.init)
    }
    // A title, eleven rows of bars, the axis, its numbers and the counts; the bars begin after `0.0 +`.
    let rows = try diagram([0: (0.05, 0, 10), 4: (0.45, 1, 20), 9: (0.95, 0.5, 40)])
    #expect(rows.count == 15)
    let left = try #require(rows[1].firstIndex(of: "+")) + 1
    let width = 40
    func mark(_ bin: Int) -> Int? {
      (1...11).first { row in
        let line = rows[row]
        let cells = left + bin * width / 10..<left + (bin + 1) * width / 10
        return cells.contains { line.indices.contains($0) && line[$0] == "*" }
      }
    }
    #expect(mark(0) == 11 && mark(4) == 1 && mark(9) == 6 && mark(5) == nil, "\(rows.map { String($0) })")
    // The fifth bar reaches from the lowest to the highest row; the diagonal goes over the rest.
    for row in 2...11 { #expect(rows[row][left + 16] == "." || rows[row][left + 16] == "/") }
    #expect(rows[3].contains("/") && !rows[1][left..<left + 16].contains("."))
    // Counts are figures where all have room, and else as high as they are large.
    #expect(String(rows[14][left..<left + 2]) == "10" && String(rows[14][(left + 36)...]) == "40")
    let many = try diagram([0: (0.05, 0, 1000), 4: (0.45, 1, 20_000), 9: (0.95, 0.5, 40_000)])
    #expect(many[14][left + 36] == "#" && many[14][left] == "_" && many[14][left + 20] == " ")
  }

  @Test func `only what is measured has a panel`() throws {
    // Of all diagnostics, one.
    var dashboard = try all { recipe in
      for kind in DiagnosticKind.all where kind.name != "states" { recipe.measure[every: kind.name] = 0 }
    }
    for size in [(40, 12), (40, 16), (80, 24), (120, 36)] {
      let shown = dashboard.places(columns: size.0, rows: size.1).map(\.panel)
      #expect(shown.contains(.diagnostics) && !shown.contains(.tokens) && !shown.contains(.collapse), "\(size)")
    }
    #expect(dashboard.chartedNumbers.map(\.name) == ["states cosine", "states norm"])
    #expect(dashboard.layoutWords == "layout: diagnostics; not measured: measure.function and collapse are 0")
    // Of none, one sentence for all.
    dashboard = try all { recipe in
      for kind in DiagnosticKind.all { recipe.measure[every: kind.name] = 0 }
    }
    #expect(
      dashboard.layoutWords
        == "layout: diagnostics; this run measures no diagnostics: measure.function and all others are 0")
    dashboard = MadeUpRun().dashboard(at: 300)
    dashboard.focus = .diagnostics
    dashboard.isFullScreen = true
    let text = dashboard.draw(size: (120, 36), now: 0).text
    #expect(text.contains("not measured: measure.position, frequency, entropy, calibration, states and greedy are 0"))
  }

  @Test func `runs are compared by every number`() throws {
    let history = try dashboard(measured: true).history
    let metric = try #require(history.comparedMetrics.first { $0.name == "collapse/nc4-agreement" })
    #expect(metric.aim == .high)
    #expect(history.comparedMetrics.count { $0.name.hasPrefix("function/") } > 40)
    #expect(history.curve(metric, over: .step).last != nil)
  }
}
