// The losses: names that are never left out, a cursor that reads, a part of the axis, and an axis that spikes do not take over.
import Foundation
import Support
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct LossPanelTests {
  let run = MadeUpRun()

  /// A run whose losses stand apart, with so many heads.
  private func dashboard(heads count: Int, steps: Int = 400) -> Dashboard {
    var run = run
    run.recipe.objective.mtp.heads = count
    var dashboard = Dashboard(.live)
    dashboard.receive(run.began)
    for number in 1...steps {
      var report = run.step(number)
      for head in 2...max(count, 2) where count > 1 {
        let loss = report.losses[0].loss * (1 + 0.05 * Float(head))
        report.losses.insert(HeadLoss(head: .mtp(head), loss: loss, positions: 4096), at: head - 1)
      }
      dashboard.receive(.stepped(report))
    }
    return dashboard
  }

  @Test(arguments: ["40x12", "80x24", "120x36", "220x60"], [1, 2, 4, 8, 16])
  func `every line is named or counted`(size text: String, heads: Int) {
    let size = text.split(separator: "x").compactMap { Int($0) }
    let dashboard = dashboard(heads: heads)
    let picture = dashboard.draw(size: (size[0], size[1]), now: run.now(400)).text
    let values = dashboard.history.tracks.map { Figure.loss($0.smoothed) }
    let missing = values.filter { !picture.contains($0) }
    let isCounted = picture.contains("+\(missing.count)") || picture.contains("+\(missing.count + 1)")
    #expect(missing.isEmpty || (size[0] < 80 && isCounted), "\(missing) are not in\n\(picture)")
  }

  @Test func `the first losses have short numbers beside them, though they hardly differ`() {
    var dashboard = Dashboard(.live)
    dashboard.receive(run.began)
    var report = run.step(1)
    for index in report.losses.indices { report.losses[index].loss = 6.4493 + 0.0004 * Float(index) }
    dashboard.receive(.stepped(report))
    let text = dashboard.draw(size: (120, 36), now: run.now(1)).text
    #expect(text.contains(/6\.\d+ ┤/) && !text.contains(/\d\.\d{3,} ┤/), "\(text)")
  }

  @Test(arguments: [(60, 16), (40, 12)]) func `many names leave the curves room`(columns: Int, rows: Int) throws {
    let lines = dashboard(heads: 16).draw(size: (columns, rows), now: run.now(400)).text.split(separator: "\n")
    let axis = try #require(lines.firstIndex { $0.hasPrefix("│") && $0.contains("┴") })
    let legend = lines[axis...].prefix { $0.hasPrefix("│") }.count - 2
    #expect(legend <= 2 && axis - 2 >= 3, "\(lines.joined(separator: "\n"))")
    #expect(lines[axis...].contains { $0.contains(" +") }, "\(lines.joined(separator: "\n"))")
  }

  @Test func `sixteen heads have marks on their lines that differ, and shades from strong to weak`() throws {
    let dashboard = dashboard(heads: 16)
    let canvas = dashboard.draw(size: (120, 36), now: run.now(400))
    let chart = canvas.text.split(separator: "\n")[2..<16].joined()
    for head in Head.all where head.hasBlock {
      #expect(chart.contains(head.look.symbol), "\(head.name) has no mark in the chart:\n\(canvas.text)")
    }
    try expectPicture("sixteen-heads-120x36", canvas)
  }

  @Test func `the cursor reads what the steps reported`() {
    var dashboard = dashboard(heads: 4)
    for _ in 0..<20 { _ = dashboard.press(.left) }
    let entry = dashboard.cursorEntry!
    let step = Int(dashboard.history.places[.step][entry])
    #expect(step < 380 && step > 100)
    let picture = dashboard.draw(size: (120, 36), now: run.now(400)).text
    let wide = dashboard.draw(size: (220, 60), now: run.now(400)).text
    for track in dashboard.history.tracks {
      #expect(picture.contains(Figure.loss(Double(track.losses.smooth.values[entry]))), "\(picture)")
      #expect(wide.contains(Figure.loss(Double(track.losses.raw.values[entry]))), "\(wide)")
    }
    #expect(picture.contains("per 50") && wide.contains("slope per 50"), "\(picture)")
    #expect(picture.contains("step \(step) · \(Figure.short(Double(step * 4096))) tokens"))
    // One entry to the left, however close one looks.
    for _ in 0..<30 { _ = dashboard.press(.character("z")) }
    _ = dashboard.press(.left)
    #expect(dashboard.cursorEntry == entry - 1)
    #expect(dashboard.visibleX.upper - dashboard.visibleX.lower < 20)
    _ = dashboard.press(.end)
    #expect(dashboard.cursorEntry == nil && dashboard.visibleX.upper == 400)
    for _ in 0..<30 { _ = dashboard.press(.character("Z")) }
    #expect(dashboard.visibleX.lower == 0)
    #expect(dashboard.message == "all is shown")
  }

  @Test(arguments: ["40x12", "80x24", "120x36"], [1, 4, 16])
  func `the cursor's values come first and hide little of the curves`(size text: String, heads: Int) {
    let size = text.split(separator: "x").compactMap { Int($0) }
    var dashboard = dashboard(heads: heads)
    dashboard.receive(run.occurred(.saved, 360, "saved checkpoints/000000360.h5"))
    func dots(_ picture: String) -> Int { picture.unicodeScalars.count { (0x2801...0x28FF).contains($0.value) } }
    let before = dots(dashboard.draw(size: (size[0], size[1]), now: run.now(400)).text)
    for _ in 0..<4 { _ = dashboard.press(.left) }
    let picture = dashboard.draw(size: (size[0], size[1]), now: run.now(400)).text
    let value = dashboard.history.tracks[0].losses.smooth.values[dashboard.cursorEntry!]
    #expect(picture.contains(Figure.loss(Double(value))), "\(picture)")
    #expect(!picture.contains("enter shows all") && dots(picture) * 4 >= before * 3, "\(picture)")
    #expect(picture.components(separatedBy: "saved checkpoints").count <= 2, "\(picture)")
  }

  @Test(arguments: Glyphs.allCases) func `held-out losses do not hide the curve that they lie on`(glyphs: Glyphs) {
    let cases: [(above: Float, rings: ClosedRange<Int>)] = [(0, 2...26), (2, 30...70)]
    for (above, rings) in cases {
      var dashboard = Dashboard(.live, glyphs: glyphs)
      dashboard.receive(run.began)
      for number in 1...400 {
        dashboard.receive(.stepped(run.step(number)))
        guard number % 5 == 0 else { continue }
        var evaluation = run.evaluation(number)
        let loss = Float(dashboard.history.tracks[0].smoothed) + above
        evaluation.losses = [HeadLoss(head: .ntp, loss: loss, positions: 60_000)]
        dashboard.receive(.evaluated(evaluation))
      }
      let picture = dashboard.draw(size: (120, 36), now: run.now(400)).text
      let chart = picture.split(separator: "\n")[2..<16].map { $0.prefix(70) }.joined()
      let count = chart.count { $0 == (glyphs == .ascii ? "o" : "○") }
      #expect(rings.contains(count), "\(count):\n\(picture)")
    }
  }

  @Test func `the cursor names what happened near it`() {
    var dashboard = dashboard(heads: 1)
    dashboard.receive(run.occurred(.rate, 200, "rate 1.0e-3 → 5.0e-4", by: .key))
    while (dashboard.cursorPlace?.step ?? 400) > 200 { _ = dashboard.press(.left) }
    let place = dashboard.cursorPlace!.step
    if place != 200 { dashboard.chart.cursor = 200 }
    #expect(dashboard.draw(size: (120, 36), now: run.now(400)).text.contains("rate 1.0e-3 → 5.0e-4  (key)"))
  }

  @Test func `what is followed is the end, and a part of the axis has as many columns as all of it`() {
    var dashboard = dashboard(heads: 1)
    for _ in 0..<3 { _ = dashboard.press(.character("z")) }
    #expect(dashboard.visibleX == Scale(from: 350, to: 400))
    dashboard.receive(.stepped(run.step(401)))
    #expect(dashboard.visibleX.upper == 401)
    let picture = dashboard.draw(size: (80, 24), now: run.now(401)).text
    #expect(picture.contains("1/8 of x") && picture.contains(" 360 ") && !picture.contains(" 200 "), "\(picture)")
  }

  @Test func `without shades a few dots stand for the band, and nothing hides the line`() {
    var dashboard = Dashboard(.live)
    dashboard.receive(run.began)
    for number in 1...2000 {
      var report = run.step(number)
      report.losses[0].loss += number.isMultiple(of: 2) ? 0.8 : -0.8
      dashboard.receive(.stepped(report))
    }
    func dots(_ dashboard: Dashboard) -> Int {
      let chart = dashboard.draw(size: (80, 24), now: run.now(2000)).text.split(separator: "\n")[2..<9]
      return chart.joined(separator: "").unicodeScalars.reduce(0) { sum, scalar in
        (0x2800...0x28FF).contains(scalar.value) ? sum + Int(scalar.value - 0x2800).nonzeroBitCount : sum
      }
    }
    let banded = dots(dashboard)
    dashboard.hasShades = false
    #expect(dots(dashboard) < banded * 3 / 4 && dots(dashboard) > 0)
    // While there are few steps, the band is theirs.
    var early = self.dashboard(heads: 1, steps: 12)
    let text = early.draw(size: (80, 24), now: run.now(12)).text
    early.hasShades = false
    #expect(early.draw(size: (80, 24), now: run.now(12)).text == text)
  }

  @Test func `the first steps are a line, not dust`() {
    let canvas = dashboard(heads: 1, steps: 12).draw(size: (80, 24), now: run.now(12))
    // Between two values of the plot, no column is empty.
    let chart = canvas.text.split(separator: "\n")[2..<9].map(Array.init)
    for column in 13..<76 {
      let dots = chart.contains { $0.count > column && ("\u{2801}"..."\u{28FF}").contains($0[column]) }
      #expect(dots, "column \(column) is empty:\n\(canvas.text)")
    }
  }
}

extension LossPanelTests {
  @Test func `a resumed session has a mark and a line`() {
    var dashboard = run.dashboard(at: 300)
    guard case .began(var beginning) = run.began else {
      Issue.record("the event has another kind")
      return
    }
    (beginning.step, beginning.time) = (250, run.now(300) + 100)
    dashboard.receive(.began(beginning))
    #expect(dashboard.history.marks.all.contains { $0.kind == .resumed && $0.at.step == 250 })
    let picture = dashboard.draw(size: (120, 36), now: run.now(300) + 100).text
    #expect(picture.contains("resumed at step 250") && picture.contains("▸ resumed"), "\(picture)")
    // The time between the sessions is no part of a step.
    var report = run.step(251)
    report.time = run.now(300) + 500
    dashboard.receive(.stepped(report))
    #expect(dashboard.history.speed!.phases[5] < 1)
  }

  @Test func `the speed's parts add up, and other is what the phases do not name`() throws {
    let dashboard = run.dashboard(at: 60)
    let speed = try #require(dashboard.history.speed)
    #expect(abs(speed.phases.reduce(0, +) - speed.step) < 1e-9)
    // A step takes 0.52 s, of which 0.5082 are named.
    #expect(abs(speed.phases[5] - 0.0118) < 1e-4)
    // Its active time, from whose noise the mean is taken, is 0.518 s.
    #expect(abs(speed.tokensPerSecond - 4096 / 0.518) < 40)
    #expect(speed.range.count == 20)
  }

  /// A run whose first steps train on something else than the plain loss.
  private func shaped(steps: Int, until last: Int) -> Dashboard {
    var dashboard = Dashboard(.live)
    dashboard.receive(run.began)
    for number in 1...steps {
      var report = run.step(number)
      if number <= last { (report.losses[0].trained, report.losses[0].entropy) = (7.125, 2.5) }
      dashboard.receive(.stepped(report))
    }
    return dashboard
  }

  @Test func `what is trained in the place of the plain loss is a line of the chart`() throws {
    let dashboard = shaped(steps: 300, until: 300)
    #expect(dashboard.shownTracks.map(\.name) == ["loss/ntp", "trained/ntp", "loss/top"])
    let picture = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(picture.contains("╌ trained ntp 7.125"), "\(picture)")
    // The entropy is a number in the legend, and a line where a layout names it.
    #expect(dashboard.draw(size: (220, 60), now: run.now(300)).text.contains("(entropy 2.500)"))
    var other = dashboard
    var layout = Layout.train
    layout.settings.series = ["loss/ntp", "entropy/ntp"]
    other.show(layout)
    #expect(other.shownTracks.map(\.name) == ["loss/ntp", "entropy/ntp"])
    #expect(other.draw(size: (220, 60), now: run.now(300)).text.contains("╍ entropy ntp 2.500"))
    // ASCII has a character for each line.
    other.glyphs = .ascii
    #expect(other.draw(size: (120, 36), now: run.now(300)).text.contains(", entropy ntp 2.500"))
  }

  @Test func `where the plain loss is trained again, the line ends and nothing has diverged`() {
    let dashboard = shaped(steps: 300, until: 100)
    let picture = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(picture.contains("╌ trained ntp –"), "\(picture)")
    let x = dashboard.visibleX
    let track = dashboard.shownTracks[1]
    let chart = LossChart(
      dashboard.history, axis: .step, x: x, width: 301, tracks: [(track: track, pen: dashboard.pen(track))],
      heldOut: [])
    let values = chart.lines[0].smooth
    #expect(values[50] == 7.125 && values[100] == 7.125 && values[150] == nil && values[300] == nil)
    #expect(chart.badColumns.isEmpty)
    // Runs without it look as they did.
    #expect(shaped(steps: 300, until: 0).shownTracks.map(\.name) == ["loss/ntp", "loss/top"])
  }

  @Test func `a notice fades`() {
    var dashboard = run.dashboard(at: 300)
    _ = dashboard.press(.character("c"))
    dashboard.pass(to: 100)
    dashboard.pass(to: 107)
    #expect(dashboard.message == "colours: tol")
    dashboard.needsDrawing = false
    dashboard.pass(to: 108)
    #expect(dashboard.message.isEmpty && dashboard.needsDrawing)
  }

  @Test func `tab goes to panels on the screen alone`() {
    var dashboard = Dashboard(.live, layouts: (try? shippedLayouts()) ?? [], startingWith: "order")
    dashboard.fit(columns: 120, rows: 36)
    var seen: Set<Panel> = []
    for _ in 0..<12 {
      _ = dashboard.press(.tab)
      if let focus = dashboard.focus { seen.insert(focus) }
    }
    #expect(seen == [.order, .text, .losses, .quality, .events])
    dashboard.fit(columns: 80, rows: 24)
    seen = []
    for _ in 0..<12 {
      _ = dashboard.press(.tab)
      if let focus = dashboard.focus { seen.insert(focus) }
    }
    #expect(seen == [.order, .text, .quality])
  }

  @Test func `saves are one line, people's doings another list`() {
    var dashboard = run.dashboard(at: 1000)
    let all = dashboard.shownLog
    #expect(
      all.count { $0.kind == .saved } == 1 && all.last { $0.kind == .saved }?.text.contains("(and 4 before)") == true)
    _ = dashboard.press(.character("f"))
    #expect(dashboard.shownLog.map(\.kind) == [.person])
    _ = dashboard.press(.character("f"))
    #expect(dashboard.shownLog.allSatisfy { $0.kind == .evaluation } && dashboard.shownLog.count == 10)
    _ = dashboard.press(.character("f"))
    #expect(dashboard.shownLog.count == 5)
    // What a person saved is a person's doing: the saves after it do not take its place.
    _ = dashboard.press(.character("f"))
    dashboard.receive(run.occurred(.saved, 1010, "saved checkpoints/000001010.h5", by: .key))
    dashboard.receive(run.occurred(.saved, 1200, "saved checkpoints/000001200.h5"))
    let texts = dashboard.shownLog.suffix(2).map(\.text)
    #expect(texts.first?.contains("000001010.h5  (key)") == true, "\(texts)")
    #expect(texts.last?.contains("000001200.h5  (and 5 before)") == true, "\(texts)")
    _ = dashboard.press(.character("f"))
    #expect(dashboard.shownLog.map(\.kind) == [.person, .person])
    for _ in 0..<2 { _ = dashboard.press(.character("f")) }
    #expect(dashboard.shownLog.count == 7)
  }

  @Test func `evaluations do not push out what a person did last`() throws {
    let dashboard = run.dashboard(at: 1284)
    let log = dashboard.shownLog
    let deed = try #require(log.last { $0.kind == .person })
    #expect(!log.suffix(4).contains(deed))
    let picture = dashboard.draw(size: (120, 36), now: run.now(1284)).text
    let lines = picture.split(separator: "\n")
    let first = try #require(lines.firstIndex { $0.contains(deed.text) })
    #expect(lines[first - 1].contains("events") && lines[first + 1].contains("step"), "\(picture)")
    // Who looks for older lines sees them in their order.
    var scrolled = dashboard
    scrolled.focus = .events
    _ = scrolled.press(.up)
    #expect(!scrolled.draw(size: (120, 36), now: run.now(1284)).text.contains(deed.text))
  }

  @Test func `a screen of four lines names the keys that do something`() {
    let live = run.dashboard(at: 300).draw(size: (20, 4), now: run.now(300)).text.split(separator: "\n").last
    #expect(live?.contains("space") == true)
    let stored = run.dashboard(at: 300, .stored).draw(size: (20, 4), now: run.now(300)).text.split(separator: "\n").last
    #expect(stored?.contains("space") == false && stored?.contains("q quit") == true, "\(String(describing: stored))")
  }

  @Test func `an alert is in the status bar, the events and on the axis, for a while`() {
    var dashboard = run.dashboard(at: 300)
    let time = run.now(300)
    dashboard.receive(
      .occurred(
        Occurrence(
          .alert, step: 300, time: time, key: "loss", new: 12, text: "the loss of ntp is 12, 4 × its average 3")))
    let picture = dashboard.draw(size: (120, 36), now: time + 1).text
    #expect(picture.split(separator: "\n")[0].contains("⚑"), "\(picture)")
    #expect(picture.contains("the loss of ntp is 12, 4 × its average 3") && picture.contains("⚑ alert"))
    #expect(!dashboard.draw(size: (120, 36), now: time + 301).text.split(separator: "\n")[0].contains("⚑"))
  }

  @Test(arguments: [("nonFinite", "not finite"), ("deadRows", "dead rows"), ("stalled", "stalled")])
  func `on a narrow screen an alert is a word, and the step stays beside it`(key: String, word: String) {
    var dashboard = run.dashboard(at: 300)
    let time = run.now(300)
    dashboard.receive(
      .occurred(Occurrence(.alert, step: 300, time: time, key: key, text: "what it is in a sentence of some length")))
    let line = dashboard.draw(size: (40, 12), now: time + 1).text.split(separator: "\n")[0]
    #expect(line.contains("● training") && line.contains("300") && line.contains("⚑ \(word)"), "\(line)")
  }
}
