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

  @Test func `runs are compared by every number`() throws {
    let history = try dashboard(measured: true).history
    let metric = try #require(history.comparedMetrics.first { $0.name == "collapse/nc4-agreement" })
    #expect(metric.aim == .high)
    #expect(history.comparedMetrics.count { $0.name.hasPrefix("function/") } > 40)
    #expect(history.curve(metric, over: .step).last != nil)
  }
}
