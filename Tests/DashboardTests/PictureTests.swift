// Every state at every size, as pictures in text.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct PictureTests {
  static let sizes = ["20x4", "40x12", "60x16", "80x24", "100x40", "120x36", "132x43", "220x60"]
  let run = MadeUpRun()

  private func size(_ text: String) -> (columns: Int, rows: Int) {
    let parts = text.split(separator: "x").compactMap { Int($0) }
    return (parts[0], parts[1])
  }

  private func press(_ keys: [Key], _ dashboard: inout Dashboard) {
    for key in keys { _ = dashboard.press(key) }
  }

  @Test(arguments: sizes)
  func `a run in training looks as it did`(size text: String) throws {
    let dashboard = run.dashboard(at: 1284)
    try expectPicture("training-\(text)", dashboard.draw(size: size(text), now: run.now(1284)))
  }

  @Test(arguments: ["20x4", "40x12", "60x16", "80x24", "120x36"])
  func `a run that starts says what it does`(size text: String) throws {
    let dashboard = run.dashboard(at: 0)
    try expectPicture("starting-\(text)", dashboard.draw(size: size(text), now: run.now(0)))
  }

  @Test func `before the run has a name the screen tells what happens`() throws {
    var dashboard = Dashboard(
      .live, problems: ["layouts/train.yaml:3: there is no panel “loses”; did you mean “losses”?"],
      time: MadeUpRun.start)
    dashboard.receive(run.occurred(.notice, 0, "training a tokenizer of 4096 tokens on kjv.txt …"))
    dashboard.startSettingUp(at: run.now(0))
    #expect(dashboard.hasClock)
    try expectPicture("unnamed-80x24", dashboard.draw(size: (80, 24), now: run.now(0) + 12.5))
  }

  @Test func `the first step is a picture too`() throws {
    let dashboard = run.dashboard(at: 1)
    try expectPicture("first-step-80x24", dashboard.draw(size: (80, 24), now: run.now(1)))
  }

  @Test(arguments: ["40x12", "80x24", "120x36"])
  func `a paused run says so`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    dashboard.receive(run.occurred(.pause, 300, "paused", by: .key))
    try expectPicture("paused-\(text)", dashboard.draw(size: size(text), now: run.now(300)))
  }

  @Test(arguments: ["20x4", "60x16", "80x24"])
  func `what was asked is seen at once`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("]"), .character("s")], &dashboard)
    try expectPicture("asked-\(text)", dashboard.draw(size: size(text), now: run.now(300)))
  }

  @Test(arguments: ["20x4", "80x24", "120x36"])
  func `a finished run says what it took`(size text: String) throws {
    var dashboard = run.dashboard(at: 2000)
    dashboard.receive(.ended(Ending(.finished, step: 2000, time: run.now(2000))))
    try expectPicture("finished-\(text)", dashboard.draw(size: size(text), now: run.now(2000)))
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
    try expectPicture("diverged-80x24", dashboard.draw(size: (80, 24), now: run.now(220)))
    try expectPicture("diverged-120x36", dashboard.draw(size: (120, 36), now: run.now(220)))
  }

  @Test(arguments: ["20x4", "40x12", "60x16", "80x24", "120x36"])
  func `help shows every key`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("?")], &dashboard)
    try expectPicture("help-\(text)", dashboard.draw(size: size(text), now: run.now(300)))
  }

  @Test(arguments: ["20x4", "40x12", "80x24"])
  func `the prompt shows what a rate would make`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("l")] + "3e-4".map { .character($0) }, &dashboard)
    try expectPicture("prompt-\(text)", dashboard.draw(size: size(text), now: run.now(300)))
  }

  @Test func `the prompt says what is wrong`() throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("l")] + "fast".map { .character($0) } + [.enter], &dashboard)
    try expectPicture("prompt-wrong-80x24", dashboard.draw(size: (80, 24), now: run.now(300)))
  }

  @Test func `a large change is asked for twice`() throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("l")] + "x50".map { .character($0) } + [.enter], &dashboard)
    try expectPicture("confirm-80x24", dashboard.draw(size: (80, 24), now: run.now(300)))
  }

  @Test(arguments: ["20x4", "40x12", "80x24"])
  func `the prompt for weights lists the heads`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("w"), .down] + "x0.5".map { .character($0) }, &dashboard)
    try expectPicture("weights-\(text)", dashboard.draw(size: size(text), now: run.now(300)))
  }

  @Test(arguments: ["20x4", "40x12", "60x16", "80x24", "120x36"])
  func `quitting asks how`(size text: String) throws {
    var dashboard = run.dashboard(at: 300)
    press([.character("q")], &dashboard)
    try expectPicture("quit-\(text)", dashboard.draw(size: size(text), now: run.now(300)))
  }

  @Test(arguments: ["60x16", "80x24", "120x36"])
  func `a stored run shows its control keys and why they do nothing`(size text: String) throws {
    var dashboard = run.dashboard(at: 1284, .stored)
    press([.space], &dashboard)
    try expectPicture("stored-\(text)", dashboard.draw(size: size(text), now: run.now(1284)))
  }

  @Test func `a focused panel fills the screen`() throws {
    var dashboard = run.dashboard(at: 1284)
    press([.tab, .tab, .enter], &dashboard)
    try expectPicture("full-order-80x24", dashboard.draw(size: (80, 24), now: run.now(1284)))
  }

  @Test(arguments: ["tokens", "time", "active"])
  func `the x axis counts other things too`(axis: String) throws {
    var dashboard = run.dashboard(at: 1284)
    press(
      Array(
        repeating: .character("x"), count: try #require(["step", "tokens", "time", "active"].firstIndex(of: axis))),
      &dashboard)
    press([.character("y"), .character("+")], &dashboard)
    try expectPicture("axis-\(axis)-80x24", dashboard.draw(size: (80, 24), now: run.now(1284)))
  }

  @Test(arguments: [Glyphs.blocks, Glyphs.ascii])
  func `plain glyphs lose no information`(glyphs: Glyphs) throws {
    var dashboard = run.dashboard(at: 1284)
    dashboard.glyphs = glyphs
    let canvas = dashboard.draw(size: (120, 36), now: run.now(1284))
    try expectPicture("\(glyphs.rawValue)-120x36", canvas)
    if glyphs == .ascii { #expect(canvas.text.utf8.allSatisfy { $0 < 128 }) }
  }

  @Test(arguments: ["order", "throughput", "small"])
  func `the other layouts look as they did`(name: String) throws {
    let layouts = try shippedLayouts()
    for text in ["60x16", "80x24", "120x36"] {
      var dashboard = Dashboard(.live, layouts: layouts, startingWith: name)
      for event in run.events(to: 1284) { dashboard.receive(event) }
      try expectPicture("\(name)-\(text)", dashboard.draw(size: size(text), now: run.now(1284)))
    }
  }

  @Test func `without colour the lines of the chart still differ`() {
    let heads: [Head] = [.ntp, .mtp(2), .mtp(3), .mtp(4), .top]
    let pens = heads.map { Dashboard.pen($0) }
    #expect(Set(pens.map(\.symbol)).count == pens.count)
    #expect(Set(pens.map { $0.dash?.on ?? 0 }).count == pens.count)
    #expect(Set(heads.map { Dashboard.heldOutSign($0) }).count == pens.count)
    #expect(Set(Mark.Kind.allCases.map { Dashboard.sign($0).character }).count == Mark.Kind.allCases.count)
    // What is off is dim and what has the focus is bold, without any colour.
    var dashboard = run.dashboard(at: 300, .stored)
    _ = dashboard.press(.tab)
    let canvas = dashboard.draw(size: (80, 24), now: run.now(300))
    #expect(canvas[1, 23].style.attributes == .dim)
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
    try expectPicture("ntp-only-80x24", dashboard.draw(size: (80, 24), now: run.now(300)))
  }

  @Test func `one spike among twenty thousand steps is seen`() throws {
    var run = run
    run.recipe.steps = 200_000
    var dashboard = Dashboard(.live)
    dashboard.receive(run.began)
    for number in 1...20_001 {
      var report = run.step(number)
      if number == 12_345 { report.losses[0].loss = 7.5 }
      dashboard.receive(.stepped(report))
    }
    try expectPicture("spike-80x24", dashboard.draw(size: (80, 24), now: run.now(20_001)))
  }
}

/// The layouts in `layouts/`, by key.
func shippedLayouts() throws -> [Layout] {
  let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()
  let folder = root.appending(path: "layouts")
  let files = try FileManager.default.contentsOfDirectory(atPath: folder.path()).filter { $0.hasSuffix(".yaml") }
  return try files.map { name in
    try Layout(yaml: String(contentsOf: folder.appending(path: name), encoding: .utf8), source: "layouts/" + name)
  }.sorted { $0.key < $1.key }
}
