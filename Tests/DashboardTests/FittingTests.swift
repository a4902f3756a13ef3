// Numbers and words that a narrow panel must not cut, and hints that must not be shown where they mean nothing.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct FittingTests {
  private let run = MadeUpRun()

  @Test func `an axis of two rows has round numbers`() {
    for (low, high) in [(2.96, 4.171_55), (1.23, 9.87), (0.011, 0.0173)] {
      let (_, ticks) = Scale.even(from: low, to: high, rows: 2, points: 4)
      #expect(!ticks.isEmpty && ticks.count <= 2)
      for label in Figure.labels(ticks) { #expect(label.filter(\.isNumber).count <= 4, "\(label)") }
    }
    let text = run.dashboard(at: 300).draw(size: (40, 12), now: run.now(300)).text
    #expect(text.firstMatch(of: /\d\.\d{4,} ┤/) == nil, "\(text)")
  }

  @Test func `the titles of the order panel are whole beside a sample that is compared`() throws {
    var dashboard = Dashboard(.live, layouts: try shippedLayouts())
    for event in run.events(to: 300) { dashboard.receive(event) }
    let text = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(text.contains("upcoming ahead") && text.contains("@50"), "\(text)")
  }

  @Test(arguments: [80, 90, 120]) func `the numbers of a text are not cut`(columns: Int) {
    let text = DataScreenTests().screen.draw(size: (columns, 36), now: 0).text
    #expect(text.contains("52.0 k held") && !text.contains("h…") && !text.contains("hel…"), "\(text)")
  }

  @Test func `a digit on a stored run says nothing of steps`() throws {
    var dashboard = Dashboard(.stored, layouts: try shippedLayouts())
    for event in run.events(to: 100) { dashboard.receive(event) }
    _ = dashboard.press(.character("3"))
    #expect(dashboard.message == "layout: throughput")
    var live = Dashboard(.live, layouts: try shippedLayouts())
    for event in run.events(to: 100) { live.receive(event) }
    _ = live.press(.character("3"))
    #expect(live.message == "layout: throughput; 3. takes 3 steps")
  }

  @Test func `keys of the rate stand where somebody can steer alone`() {
    func text(_ mode: Dashboard.Mode) -> String { run.dashboard(at: 100, mode).draw(size: (120, 36), now: 0).text }
    #expect(text(.live).contains("] +10 %") && text(.attached).contains("] +10 %"))
    #expect(!text(.stored).contains("] +10 %") && !text(.watched).contains("] +10 %"))
  }

  @Test func `what was clipped is said in narrow panels too`() throws {
    var dashboard = run.dashboard(at: 300)
    let layout = try #require(try shippedLayouts().first { $0.key == 3 })
    dashboard.show(layout)
    #expect(dashboard.draw(size: (80, 24), now: run.now(300)).text.contains("% clipped"))
  }
}
