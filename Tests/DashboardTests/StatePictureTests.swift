// What is seen of a state: starting, paused, ended, prompts, spikes, other glyphs.
import Foundation
import Testing
@testable import Dashboard
@testable import Run
@testable import TerminalUI

extension PictureTests {
  // MARK: What is seen of a state

  @Test(arguments: ["20x4", "40x12", "60x16", "80x24", "120x36"])
  func `a run that starts says what it does`(size text: String) throws {
    expect("starting", "a new run in runs/k", in: run.dashboard(at: 0), text, now: 0)
  }

  @Test func `before the run has a name the screen says what happens`() throws {
    var dashboard = Dashboard(
      .live, problems: ["layouts/train.yaml:3: there is no panel “loses”; did you mean “losses”?"],
      time: MadeUpRun.start)
    dashboard.receive(run.occurred(.notice, 0, "training a tokenizer of 4096 tokens on kjv.txt …"))
    dashboard.startSettingUp(at: run.now(0))
    #expect(dashboard.hasClock)
    let picture = dashboard.draw(size: (80, 24), now: run.now(0) + 12.5).text
    for words in ["starting   12 s", "there is no panel “loses”", "training a tokenizer of 4096 tokens", "no rate yet"]
    {
      #expect(picture.contains(words), "\(words) is not in\n\(picture)")
    }
  }

  @Test func `a screen that went over to a branch does not say that it trains before a key can steer it`() {
    var dashboard = run.dashboard(at: 20, .attached)
    dashboard.startSession(at: run.now(20))
    dashboard.receive(run.began)
    #expect(dashboard.press(.character(" ")) == nil)
    expect("starting", in: dashboard)
    dashboard.receive(.stepped(run.step(21)))
    expect("training", in: dashboard)
    #expect(dashboard.press(.character(" ")) == .pause)
  }

  @Test func `the first step is seen`() throws {
    expect("1/2 000", "ntp 8.922", "TOP samples come every 50 steps", in: run.dashboard(at: 1), now: 1)
  }

  @Test(arguments: ["40x12", "80x24", "120x36"])
  func `a paused run says so`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    dashboard.receive(run.occurred(.pause, 300, "paused", by: .key))
    expect("‖ paused", "go on", in: dashboard, text)
    if text != "40x12" { expect("‖ pause", in: dashboard, text) }
  }

  @Test(arguments: ["20x4", "60x16", "80x24"])
  func `what was asked is seen at once`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("]"), .character("s")], &dashboard)
    expect("save a", in: dashboard, text)
    if text == "80x24" { expect("asked 1.06e-3", "asked: rate 1.06e-3 · save a checkpoint", in: dashboard, text) }
  }

  @Test(arguments: ["80x24", "100x30", "120x36"])
  func `what is asked again and again pushes no failure out`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    let sentence =
      "the checkpoint is not saved: cannot write runs/k/checkpoints/000000300.h5.new: No space left on device; the run waits "
    dashboard.receive(run.occurred(.failure, 300, sentence + "and tries again; space continues without the checkpoint"))
    dashboard.receive(run.occurred(.pause, 300, "paused", by: .program))
    for key in ["s", "s", "e", "s", "]", "s", "s", "e"] { press([.character(Character(key))], &dashboard) }
    expect("the checkpoint is not saved", "save a checkpoint ×2", in: dashboard, text)
  }

  @Test func `a run of twenty minutes has a bar and the time of its end as soon as there is room`() throws {
    let dashboard = run.dashboard(at: 300)
    for columns in [110, 120, 140, 200] {
      let picture = dashboard.draw(size: (columns, 36), now: run.now(300)).text
      let line = try #require(picture.split(separator: "\n").first)
      #expect(line.contains(" left · "), "\(columns): \(line)")
      if columns >= 120 { #expect(line.contains(" 15 %"), "\(columns): \(line)") }
    }
  }

  @Test(arguments: ["20x4", "80x24", "120x36"])
  func `a finished run says what it took`(size text: String) throws {
    var dashboard = run.dashboard(at: 2000)
    dashboard.receive(.ended(Ending(.finished, step: 2000, time: run.now(2000))))
    expect("■ finished", "17 m 16 s", in: dashboard, text, now: 2000)
    if text != "20x4" { expect("the run is over: q leaves", in: dashboard, text, now: 2000) }
  }

  @Test func `losses that are not finite are marked and not lost`() throws {
    var dashboard = run.dashboard(at: 200)
    for number in 201...220 {
      var report = run.step(number)
      if number >= 218 { report.losses[0].loss = .nan }
      if number == 210 { report.losses[1].loss = .infinity }
      report.total = .nan
      dashboard.receive(.stepped(report))
    }
    dashboard.receive(run.occurred(.diverged, 220, "the loss of ntp is not finite: the step was not taken"))
    expect("✗ diverged", "× not finite", "the loss of ntp is not finite", in: dashboard, now: 220)
    try expectPicture("diverged-120x36", dashboard.draw(size: (120, 36), now: run.now(220)))
  }

  @Test(arguments: ["20x4", "40x12", "60x16", "120x36"])
  func `help begins with the keys of the training`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("?")], &dashboard)
    expect("space", "pause", in: dashboard, text)
  }

  @Test func `help has every key, page by page`() throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("?")], &dashboard)
    var seen = ""
    for _ in 0..<60 {
      seen += dashboard.draw(size: (80, 24), now: run.now(300)).text
      press([.down], &dashboard)
    }
    for line in KeyTable.lines {
      for key in line.keys.split(separator: " ") { #expect(seen.contains(key), "help lacks \(key)") }
    }
  }

  @Test(arguments: ["20x4", "40x12"])
  func `the prompt shows what a rate would make`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("l")] + "3e-4".map { .character($0) }, &dashboard)
    expect("3e-4", in: dashboard, text)
    if text == "40x12" { expect("9.64e-4 → 3.0e-4  ×0.31", in: dashboard, text) }
  }

  @Test func `the prompt says what is wrong`() throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("l")] + "fast".map { .character($0) } + [.enter], &dashboard)
    expect("“fast”", "learning rate", in: dashboard)
  }

  @Test func `a large change is asked for twice`() throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("l")] + "x50".map { .character($0) } + [.enter], &dashboard)
    expect("sure?", "rate 9.64e-4 → 4.82e-2 is a factor of 50", "y    yes", "esc  leave it", in: dashboard)
  }

  @Test(arguments: ["20x4", "40x12", "80x24"])
  func `the prompt for weights lists the heads`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("w"), .down] + "x0.5".map { .character($0) }, &dashboard)
    expect("ntp  1", "▸ top  1 → x0.5", in: dashboard, text)
  }

  @Test(arguments: ["20x4", "40x12", "60x16", "80x24", "120x36"])
  func `quitting asks how`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("q")], &dashboard)
    var seen = ""
    for _ in 0..<12 {
      seen += dashboard.draw(size: size(text), now: run.now(300)).text
      press([.down], &dashboard)
    }
    for words in ["stop after", "abandon", "stay"] { #expect(seen.contains(words), "\(words) is not in\n\(seen)") }
  }

  @Test(arguments: ["60x16", "80x24", "120x36"])
  func `a stored run shows its control keys and why they do nothing`(size text: String) throws {
    var dashboard = run.dashboard(at: 1284, .stored)
    press([.space], &dashboard)
    expect("○ interrupted", "q quit", "a stored run, not trained n", in: dashboard, text, now: 1284)
  }

  @Test func `a focused panel fills the screen`() throws {
    var dashboard = run.dashboard(at: 1284)
    press([.tab, .tab, .tab, .enter], &dashboard)
    expect("upcoming ahead   weight    rank", "␠rod         7     .002   1 204   1 204  ✗", in: dashboard, now: 1284)
    #expect(!dashboard.draw(size: (80, 24), now: run.now(1284)).text.contains("─ losses ─"))
  }

  @Test(arguments: [("tokens", "5.0 M"), ("time", "10 m"), ("active time", "10 m")])
  func `the x axis counts other things too`(axis: String, tick: String) throws {
    var dashboard = run.dashboard(at: 1284)
    press(
      Array(
        repeating: .character("x"),
        count: try #require(["step", "tokens", "time", "active time"].firstIndex(of: axis))),
      &dashboard)
    press([.character("y"), .character("+")], &dashboard)
    expect("x \(axis) · y log · smooth 0.95", tick, in: dashboard, now: 1284)
  }

  @Test(arguments: [Glyphs.blocks, Glyphs.ascii])
  func `plain glyphs lose no information`(glyphs: Glyphs) throws {
    var dashboard = run.dashboard(at: 1284)
    dashboard.glyphs = glyphs
    let canvas = dashboard.draw(size: (120, 36), now: run.now(1284))
    if glyphs == .ascii {
      try expectPicture("\(glyphs.rawValue)-120x36", canvas)
      #expect(canvas.text.utf8.allSatisfy { $0 < 128 })
    } else {
      expect("ntp 3.142", "top 3.805", "total 6.946", in: dashboard, "120x36", now: 1284)
      #expect(!canvas.text.unicodeScalars.contains { (0x2801...0x28FF).contains($0.value) })
    }
  }

  @Test(arguments: [("throughput", "backward"), ("small", "total 6.946"), ("order", "recall@8")])
  func `the other layouts show what they are for`(name: String, words: String) throws {
    var dashboard = Dashboard(.live, layouts: try shippedLayouts(), startingWith: name)
    for event in run.events(to: 1284) { dashboard.receive(event) }
    for text in ["80x24", "120x36"] { expect(words, in: dashboard, text, now: 1284) }
    expect("● training", in: dashboard, "60x16", now: 1284)
  }

  @Test func `without colour the lines of the chart still differ`() {
    let heads = Head.all
    let pens = heads.map { Dashboard.pen($0) }
    #expect(Set(pens.map(\.symbol)).count == pens.count)
    // With colour, all of them differ in it as well.
    #expect(Set(pens.map(\.style)).count == pens.count)
    #expect(Set(heads.map { $0.look.heldOutSign }).count == pens.count)
    #expect(Set(Mark.Meaning.allCases.map { Dashboard.sign($0).character }).count == Mark.Meaning.allCases.count)
    // What is off is dim and what has the focus is bold, without any colour.
    var dashboard = run.dashboard(at: 300, .stored)
    _ = dashboard.press(.tab)
    let canvas = dashboard.draw(size: (80, 24), now: run.now(300))
    #expect(canvas[0, 1].style.attributes == .bold)
    #expect(canvas[50, 1].style.attributes == .dim)
  }

  @Test func `only an NTP head is a run too`() throws {
    var run = run
    run.recipe.objective.top = 0
    var dashboard = Dashboard(.live)
    for event in run.events(to: 300) {
      switch event {
      case .stepped(var report):
        report.losses.removeLast()
        dashboard.receive(.stepped(report))
      case .ordered: break
      default: dashboard.receive(event)
      }
    }
    expect("ntp 4.086", in: dashboard)
    #expect(!dashboard.draw(size: (80, 24), now: run.now(300)).text.contains("╭─ order"))
    press([.character("1")], &dashboard)
    #expect(dashboard.message.hasPrefix("layout: train; this run has no TOP head"), "\(dashboard.message)")
    #expect(!dashboard.draw(size: (80, 24), now: run.now(300)).text.contains("total"))
  }

  @Test func `one spike among twenty thousand steps is seen`() throws {
    var run = run
    run.recipe.steps = 200_000
    var dashboard = Dashboard(.live)
    dashboard.receive(run.began)
    for number in 1...20_001 {
      var report = run.step(number)
      if number == 12_345 { report.losses[0].loss = 75 }
      dashboard.receive(.stepped(report))
    }
    // The axis has what is usual: its edge marks the spike, in the spike's column alone.
    let column = 8 + 69 * 12_345 / 20_001
    let usual = dashboard.draw(size: (80, 24), now: run.now(20_001)).text.split(separator: "\n")
    let marks = Array(usual[2]).enumerated().filter { $0.element == "▴" }.map(\.offset)
    #expect(marks.count == 1 && abs(marks[0] - column) <= 3, "the spike is not marked:\n\(usual[2])")
    // With everything on the axis it is a dot of the raw band, far above the line.
    _ = dashboard.press(.character("Y"))
    let canvas = dashboard.draw(size: (80, 24), now: run.now(20_001))
    let chart = canvas.text.split(separator: "\n")[2..<9]
    let dots = chart.map { line in
      Array(line).enumerated().filter { abs($0.offset - column) <= 3 && ("\u{2801}"..."\u{28FF}").contains($0.element) }
        .count
    }
    #expect(dots.prefix(4).contains { $0 > 0 }, "the spike is not to be seen:\n\(canvas.text)")
  }
}
