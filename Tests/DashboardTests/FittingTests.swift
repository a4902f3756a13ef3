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

  @Test func `a long name is cut, not left out`() throws {
    var dashboard = Dashboard(.live)
    for event in run.events(to: 300) {
      guard case .began(var beginning) = event else {
        dashboard.receive(event)
        continue
      }
      beginning.name = "a-very-long-name-of-a-run-with-all-its-settings"
      dashboard.receive(.began(beginning))
    }
    let size = (columns: 120, rows: 36)
    let first = dashboard.draw(size: size, now: run.now(300)).text.split(separator: "\n").first ?? ""
    #expect(first.contains(" a-very-long-name-of-a-r…") || first.contains("with-all-its-settings"), "\(first)")
    // While it evaluates, other things go first.
    var evaluating = run.dashboard(at: 400)
    evaluating.evaluate(done: 3, total: 12, at: run.now(400))
    let line = evaluating.draw(size: (80, 24), now: run.now(400)).text.split(separator: "\n").first ?? ""
    #expect(line.contains("kjv-top-3") && line.contains("◐ eval 25 %"), "\(line)")
  }

  @Test(arguments: [(20, 4), (40, 12), (80, 24), (120, 36), (220, 60)])
  func `while an evaluation goes on, all that stands beside the state stays at its place`(columns: Int, rows: Int) {
    var dashboard = run.dashboard(at: 410)
    func line() -> String {
      String(dashboard.draw(size: (columns, rows), now: run.now(410)).text.split(separator: "\n").first ?? "")
    }
    let training = line()
    for (done, words) in [(0, "◐ eval 0 %"), (3, "◐ eval 25 %"), (11, "◐ eval 91 %")] {
      dashboard.evaluate(done: done, total: 12, at: run.now(410))
      let state = "● training ".padded(to: max(words.width, 11))
      #expect(line().replacing(words.padded(to: 11), with: state) == training, "\(line())")
    }
  }

  @Test func `a sign has one meaning among the states, whatever the characters`() {
    let states = ["training", "finished", "paused", "interrupted", "evaluating", "diverged", "starting"]
    for glyphs in Glyphs.allCases {
      let signs = states.map { StateWord.look(of: $0).sign.map(glyphs.character(for:)) }
      #expect(Set(signs).count == states.count, "\(glyphs): \(signs)")
    }
  }

  @Test func `an event for whose end there is no room says that it goes on`() throws {
    var dashboard = run.dashboard(at: 300)
    let words = "a spike at step 300: the gradient's norm is 248.4, 248 times what is usual, more than ever before"
    dashboard.receive(run.occurred(.alert, 300, words))
    for step in 301...302 { dashboard.receive(run.occurred(.notice, step, "something else")) }
    let lines = dashboard.draw(size: (80, 24), now: run.now(300)).text.split(separator: "\n")
    let line = try #require(lines.last { $0.contains("a spike at step 300") })
    #expect(line.contains(" …") && !line.contains("ever before"), "\(line)")
  }

  @Test func `a run that has diverged has no time left`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.receive(run.occurred(.diverged, 300, "the loss of ntp is not finite"))
    let line = dashboard.draw(size: (120, 36), now: run.now(300)).text.split(separator: "\n").first ?? ""
    #expect(!line.contains(" left") && line.contains("✗ diverged"), "\(line)")
  }

  @Test func `what is done before the first step belongs to no step`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.prepare("making the network and its memory", at: run.now(300))
    dashboard.fit(columns: 120, rows: 36)
    let text = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(text.contains("making the") && !text.contains("step   0"), "\(text)")
    #expect(dashboard.log.count { !$0.hasStep } == 1)
  }

  @Test func `a run of less than a second has a time, in the status bar and on the axis`() {
    var dashboard = Dashboard(.stored)
    dashboard.receive(run.began)
    for number in 1...760 {
      var report = run.step(number)
      report.active = Double(number) * 5e-4
      dashboard.receive(.stepped(report))
    }
    let line = dashboard.draw(size: (120, 36), now: run.now(760)).text.split(separator: "\n").first ?? ""
    #expect(line.contains("trained 0.4 s"), "\(line)")
    let ticks = Dashboard.timeTicks(to: Scale(from: 0, to: 0.38), atMost: 6)
    #expect(ticks.map(Dashboard.timeLabel) == ["0 s", "0.1 s", "0.2 s", "0.3 s"])
    #expect([5, 300, 330].map(Dashboard.timeLabel) == ["5 s", "5 m", "5 m 30 s"])
  }

  @Test func `what has begun is seen in a short bar`() {
    var work = WorkProgress(of: .windows)
    work.take(done: 0, total: 2000, now: 0)
    #expect(work.bar(8).text == "────────")
    work.take(done: 220, total: 2000, now: 1)
    #expect(work.bar(8).text == "━───────")
  }

  @Test func `a label of an axis is whole or left out`() {
    var canvas = Canvas(columns: 20, rows: 2)
    let area = Rectangle(column: 0, row: 0, columns: 20, rows: 2)
    #expect(Canvas.labelStart("3.4 M", at: 19, from: 0, in: area) == 15)
    canvas.drawAxis(
      Scale(from: 0, to: 10), ticks: [(0, "0"), (9, "3.0 M"), (10, "3.4 M")], left: 1, columns: 19, in: area)
    #expect(canvas.text.contains("3.0 M") && !canvas.text.contains("3.4"))
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
