// What keys ask for, and what they say when they ask for nothing.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct KeyTests {
  let run = MadeUpRun()

  @Test func `space pauses, and goes on when it waits or will wait`() {
    var dashboard = run.dashboard(at: 20)
    #expect(dashboard.press(.space) == .pause)
    #expect(dashboard.press(.space) == .proceed)
    #expect(dashboard.press(.space) == .pause)
    dashboard.receive(run.occurred(.pause, 20, "paused", by: .key))
    dashboard.receive(run.occurred(.proceed, 20, "goes on", by: .key))
    #expect(dashboard.press(.space) == .proceed)
    dashboard.receive(run.occurred(.pause, 20, "paused", by: .key))
    dashboard.receive(run.occurred(.proceed, 20, "goes on", by: .key))
    #expect(dashboard.press(.space) == .pause)
  }

  @Test func `the keys of the rate ask for their factors`() {
    var dashboard = run.dashboard(at: 20)
    #expect(dashboard.press(.character("]")) == .rate(.times(1.1)))
    #expect(dashboard.press(.character("[")) == .rate(.times(1 / 1.1)))
    #expect(dashboard.press(.character("}")) == .rate(.times(2)))
    #expect(dashboard.press(.character("{")) == .rate(.times(0.5)))
  }

  @Test func `single keys ask for their commands`() {
    var dashboard = run.dashboard(at: 100)
    #expect(dashboard.press(.character(".")) == .stepOnce)
    #expect(dashboard.press(.character("s")) == .save)
    #expect(dashboard.press(.character("e")) == .evaluate)
    #expect(dashboard.press(.character("g")) == .generate)
    #expect(dashboard.press(.character(">")) == .probe(3))
    #expect(dashboard.press(.character(">")) == .probe(4))
    #expect(dashboard.press(.control("c")) == .stop(saving: true))
  }

  @Test func `probes go round`() {
    var dashboard = run.dashboard(at: 20)
    dashboard.receive(.ordered(run.order(20, probe: 0)))
    #expect(dashboard.press(.character("<")) == .probe(15))
    dashboard.receive(.ordered(run.order(20, probe: 15)))
    #expect(dashboard.press(.character(">")) == .probe(0))
  }

  @Test func `a typed rate is sent when it is confirmed`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.type("l5e-4")
    #expect(dashboard.press(.enter) == .rate(.to(5e-4)))
    dashboard.type("lx0.5")
    #expect(dashboard.press(.backspace) == nil)
    dashboard.type("7")
    #expect(dashboard.press(.enter) == .rate(.times(0.7)))
    #expect(dashboard.press(.character("l")) == nil)
    #expect(dashboard.press(.paste("4e-4\n")) == nil)
    #expect(dashboard.press(.enter) == .rate(.to(4e-4)))
    dashboard.type("l1")
    #expect(dashboard.press(.escape) == nil)
    #expect(dashboard.overlay == nil)
  }

  @Test(arguments: ["", "fast", "-1", "0", "x0", "nan", "2", "x9999"])
  func `a wrong rate stays in the prompt with its reason`(typed: String) {
    var dashboard = run.dashboard(at: 300)
    dashboard.type("l" + typed)
    #expect(dashboard.press(.enter) == nil)
    guard case .rate(let text, let problem) = dashboard.overlay else {
      Issue.record("the prompt is gone: \(String(describing: dashboard.overlay))")
      return
    }
    #expect(text == typed)
    #expect(!problem.isEmpty)
  }

  @Test func `a change by more than tenfold is asked for first`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.type("lx0.05")
    #expect(dashboard.press(.enter) == nil)
    #expect(dashboard.overlay == .confirm(.rate(.times(0.05))))
    #expect(dashboard.press(.character("y")) == .rate(.times(0.05)))
    dashboard.type("l0.5")
    #expect(dashboard.press(.enter) == nil)
    #expect(dashboard.overlay == .confirm(.rate(.to(0.5))))
    #expect(dashboard.press(.escape) == nil)
    #expect(dashboard.overlay == nil)
    dashboard.type("lx10")
    #expect(dashboard.press(.enter) == .rate(.times(10)))
  }

  @Test func `a chain of changes by more than tenfold is asked for first, and the key y alone says yes`() {
    var dashboard = run.dashboard(at: 300)
    for _ in 0..<3 { #expect(dashboard.press(.character("}")) == .rate(.times(2))) }
    // Sixteen times what it was, though nothing is answered yet.
    #expect(dashboard.press(.character("}")) == nil)
    #expect(dashboard.overlay == .confirm(.rate(.times(2))))
    for key in [Key.enter, .space, .character("x")] {
      #expect(dashboard.press(key) == nil)
      #expect(dashboard.overlay == .confirm(.rate(.times(2))))
    }
    #expect(dashboard.draw(size: (100, 30), now: 0).text.contains("factor of 16"))
    #expect(dashboard.press(.character("y")) == .rate(.times(2)))
  }

  @Test func `changes that others made count, for ten steps`() {
    func changed(at step: Int) -> Dashboard {
      var dashboard = run.dashboard(at: 300)
      guard let rate = dashboard.currentRate else { return dashboard }
      dashboard.receive(
        .occurred(
          Occurrence(
            .rate, step: step, time: 1, key: "rate", old: rate, new: rate / 8, actor: .tell, text: "rate")))
      return dashboard
    }
    var near = changed(at: 300)
    #expect(near.press(.character("{")) == nil)
    #expect(near.overlay == .confirm(.rate(.times(0.5))))
    // What changes it back is no large change.
    #expect(near.press(.escape) == nil)
    #expect(near.press(.character("}")) == .rate(.times(2)))
  }

  @Test func `a rate that is typed while the schedule warms up holds, or scales the schedule`() {
    func typed(_ text: String) -> Dashboard {
      var dashboard = run.dashboard(at: 20)
      dashboard.type(text)
      #expect(dashboard.press(.enter) == nil)
      return dashboard
    }
    for text in ["l5e-4", ":rate 5e-4"] {
      var dashboard = typed(text)
      #expect(dashboard.overlay == .warmup(rate: 5e-4))
      let picture = dashboard.draw(size: (120, 36), now: 0).text
      #expect(picture.contains("the schedule is warming up") && picture.contains("hold 5.0e-4"), "\(picture)")
      #expect(picture.contains("at step \(Self.warmup + 1)"), "\(picture)")
      #expect(dashboard.press(.enter) == nil)
      #expect(dashboard.press(.character("h")) == .course(CourseChange(.hold, rate: 5e-4)))
      dashboard = typed(text)
      #expect(dashboard.press(.character("s")) == .rate(.to(5e-4)))
      dashboard = typed(text)
      #expect(dashboard.press(.escape) == nil && dashboard.overlay == nil)
    }
    // A factor means the schedule.
    var dashboard = run.dashboard(at: 20)
    dashboard.type("lx0.5")
    #expect(dashboard.press(.enter) == .rate(.times(0.5)))
  }

  private static var warmup: Int { MadeUpRun().recipe.schedule.warmup }

  @Test func `a rate that is being typed is a ghost of the schedule`() {
    var dashboard = run.dashboard(at: 300)
    #expect(dashboard.ghost == nil)
    let before = dashboard.draw(size: (120, 36), now: 0).text
    dashboard.type(":rate x2")
    let rate = dashboard.currentRate ?? 0
    #expect(abs((dashboard.ghost?.rate(at: 300) ?? 0) / rate - 2) < 1e-9)
    let picture = dashboard.draw(size: (120, 36), now: 0).text
    #expect(picture.contains("→ \(Figure.rate(2 * rate))"), "\(picture)")
    #expect(picture != before)
    dashboard.type("x")
    #expect(dashboard.ghost == nil)
  }

  @Test func `a weight is typed for the chosen head`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.type("w")
    #expect(dashboard.press(.down) == nil)
    dashboard.type("0.5")
    #expect(dashboard.press(.enter) == .weight(WeightChange(.top, to: 0.5)))
    var done = Occurrence(.weight, step: 300, time: 1, key: "top", old: 1, new: 0.5, actor: .key, text: "weight")
    dashboard.receive(.occurred(done))
    #expect(dashboard.asked.isEmpty)
    dashboard.type("wx2")
    #expect(dashboard.press(.enter) == .weight(WeightChange(.ntp, to: 2)))
    dashboard.type("w")
    #expect(dashboard.press(.up) == nil)
    dashboard.type("x4")
    #expect(dashboard.press(.enter) == .weight(WeightChange(.top, to: 2)))
    dashboard.type("w0.01")
    #expect(dashboard.press(.enter) == nil)
    #expect(dashboard.overlay == .confirm(.weight(WeightChange(.ntp, to: 0.01))))
    #expect(dashboard.press(.escape) == nil)
    // What is left alone cannot go to 0.
    done.new = 0
    dashboard.receive(.occurred(done))
    dashboard.type("w0")
    #expect(dashboard.press(.enter) == nil)
    guard case .weights(let prompt) = dashboard.overlay else {
      Issue.record("the prompt is gone")
      return
    }
    #expect(prompt.problem.contains("nothing would be learned"))
  }

  @Test(arguments: ["", "much", "-1", "101", "x1e9", "nan"])
  func `a wrong weight stays in the prompt with its reason`(typed: String) {
    var dashboard = run.dashboard(at: 300)
    dashboard.type("w" + typed)
    #expect(dashboard.press(.enter) == nil)
    guard case .weights(let prompt) = dashboard.overlay else {
      Issue.record("the prompt is gone: \(String(describing: dashboard.overlay))")
      return
    }
    #expect(prompt.text == typed && !prompt.problem.isEmpty)
  }

  @Test func `quitting asks, and each answer is its command`() {
    for (answer, command) in [
      (Key.character("s"), Command.stop(saving: true)), (.character("d"), .detach),
      (.character("a"), .stop(saving: false)),
    ] {
      var dashboard = run.dashboard(at: 20)
      #expect(dashboard.press(.character("q")) == nil)
      #expect(dashboard.press(.character("x")) == nil)
      #expect(dashboard.press(answer) == command)
    }
    var dashboard = run.dashboard(at: 20)
    _ = dashboard.press(.character("q"))
    #expect(dashboard.press(.escape) == nil)
    #expect(dashboard.overlay == nil)
  }

  @Test func `after the end and in a stored run, quitting is leaving`() {
    var ended = run.dashboard(at: 20)
    ended.receive(.ended(Ending(.finished, step: 20, time: run.now(20))))
    #expect(ended.press(.character("q")) == .detach)
    #expect(ended.press(.control("c")) == .detach)
    var stored = run.dashboard(at: 20, .stored)
    #expect(stored.press(.character("q")) == .detach)
    var watched = run.dashboard(at: 20, .watched)
    #expect(watched.draw(size: (120, 36), now: run.now(20)).text.contains("● training"))
    #expect(watched.press(.control("c")) == .detach)
  }

  @Test func `an end takes the question away`() {
    var dashboard = run.dashboard(at: 20)
    _ = dashboard.press(.character("q"))
    dashboard.receive(.ended(Ending(.finished, step: 20, time: run.now(20))))
    #expect(dashboard.overlay == nil)
  }

  @Test(arguments: [" ", ".", "]", "[", "}", "{", "l", "s", "e", "g"])
  func `a control key that does nothing says why, and the footer begins with keys that do something`(
    key: String
  ) throws {
    let modes: [String: Dashboard.Mode] = ["stored": .stored, "watched": .watched]
    for phase in ["stored", "watched", "starting", "ended"] {
      var dashboard = run.dashboard(at: phase == "starting" ? 0 : 20, modes[phase] ?? .live)
      if phase == "ended" { dashboard.receive(.ended(Ending(.finished, step: 20, time: run.now(20)))) }
      #expect(dashboard.press(.character(try #require(key.first))) == nil)
      #expect(!dashboard.message.isEmpty)
      let canvas = dashboard.draw(size: (120, 36), now: run.now(20))
      #expect(canvas.text.contains(dashboard.message))
      #expect(!canvas[1, 35].style.attributes.contains(.dim))
      // The help page has it, dim.
      _ = dashboard.press(.character("?"))
      let help = dashboard.draw(size: (120, 60), now: run.now(20))
      let lines = help.text.split(separator: "\n", omittingEmptySubsequences: false)
      let row = try #require(lines.firstIndex { $0.contains("pause or continue the training") })
      #expect(help[2, row].style.attributes.contains(.dim))
    }
  }

  @Test func `what this run lacks is said`() {
    var run = run
    run.recipe.objective.ntp = 0
    var dashboard = Dashboard(.live)
    if case .began(var beginning) = run.began {
      beginning.heldOutTokens = 0
      dashboard.receive(.began(beginning))
    }
    dashboard.receive(.stepped(run.step(1)))
    #expect(dashboard.press(.character("g")) == nil)
    #expect(dashboard.message.contains("NTP"))
    #expect(dashboard.press(.character("e")) == nil)
    #expect(dashboard.message.contains("data.heldOut"))
    #expect(!dashboard.isEvaluating)
  }

  @Test func `marks are where their steps are, whenever they are told`() {
    var dashboard = Dashboard(.stored)
    dashboard.receive(run.began)
    for number in 1...50 { dashboard.receive(.stepped(run.step(number))) }
    dashboard.receive(run.occurred(.saved, 20, "saved"))
    dashboard.receive(.evaluated(run.evaluation(30)))
    #expect(dashboard.history.marks.all.map(\.at.step) == [20])
    #expect(dashboard.history.evaluations.places.last?.active == run.step(30).active)
  }

  @Test func `what was asked is shown until the run answers`() {
    var dashboard = run.dashboard(at: 20)
    let asked = { (dashboard: Dashboard) in dashboard.asked.map(\.text) }
    _ = dashboard.press(.character("]"))
    _ = dashboard.press(.character("s"))
    _ = dashboard.press(.character("e"))
    #expect(asked(dashboard) == ["asked: rate 4.53e-4", "asked: save a checkpoint", "asked: evaluate"])
    dashboard.receive(.stepped(run.step(21)))
    #expect(asked(dashboard).count == 3)
    dashboard.receive(run.occurred(.saved, 21, "saved"))
    #expect(asked(dashboard) == ["asked: rate 4.53e-4", "asked: evaluate"])
    // A refusal answers the command that it names, and no other one before it.
    func refused(_ key: String, by actor: Occurrence.Actor) -> Event {
      .occurred(Occurrence(.refused, step: 21, time: 0, key: key, actor: actor, text: "no"))
    }
    dashboard.receive(refused("rate", by: .signal))
    dashboard.receive(refused("save", by: .key))
    #expect(asked(dashboard) == ["asked: rate 4.53e-4", "asked: evaluate"])
    dashboard.receive(refused("evaluate", by: .key))
    #expect(asked(dashboard) == ["asked: rate 4.53e-4"])
    dashboard.receive(refused("rate", by: .key))
    #expect(asked(dashboard).isEmpty)
    _ = dashboard.press(.character("e"))
    dashboard.receive(.evaluated(run.evaluation(21)))
    #expect(asked(dashboard).isEmpty)
  }

  @Test func `an answer is that of the request whose number it carries`() {
    var dashboard = run.dashboard(at: 20)
    for id in 1...3 {
      _ = dashboard.press(.character("]"))
      dashboard.wasSent(as: id)
    }
    func answer(_ kind: Occurrence.Subject, to request: Int) -> Event {
      .occurred(
        Occurrence(kind, step: 21, time: 0, key: "rate", old: 1, new: 2, actor: .key, request: request, text: "rate"))
    }
    dashboard.receive(answer(.refused, to: 2))
    #expect(dashboard.asked.map(\.request) == [1, 3])
    dashboard.receive(answer(.rate, to: 3))
    #expect(dashboard.asked.map(\.request) == [1])
    dashboard.receive(answer(.rate, to: 9))
    #expect(dashboard.asked.map(\.request) == [1])
  }

  @Test func `a change is in the log when it is confirmed, and counts once`() {
    var dashboard = Dashboard(.live)
    let events = run.events(to: 822)
    for (index, event) in events.enumerated() {
      dashboard.receive(NumberedEvent(index + 1, event))
      dashboard.receive(NumberedEvent(index + 1, event))
    }
    #expect(abs(dashboard.rateFactor - 0.5) < 1e-9)
    let isLogged = { (dashboard: Dashboard) in dashboard.log.contains { $0.text.hasPrefix("rate ") } }
    #expect(!isLogged(dashboard))
    guard
      let place = events.firstIndex(where: { if case .occurred(let value) = $0 { value.kind == .rate } else { false } })
    else {
      Issue.record("the run has no change of the rate")
      return
    }
    dashboard.receive(NumberedEvent(events.count + 1, .confirmed(number: place + 1)))
    #expect(isLogged(dashboard))
    dashboard.receive(NumberedEvent(events.count + 2, .confirmed(number: place + 1)))
    #expect(dashboard.log.count { $0.text.hasPrefix("rate ") } == 1)
  }

  @Test func `what nothing answers is forgotten after a few steps`() {
    var dashboard = run.dashboard(at: 20)
    _ = dashboard.press(.character("s"))
    for number in 21...24 { dashboard.receive(.stepped(run.step(number))) }
    #expect(dashboard.asked.count == 1)
    dashboard.receive(.stepped(run.step(25)))
    #expect(dashboard.asked.isEmpty)
  }

  @Test func `after a single step the run waits`() {
    var dashboard = run.dashboard(at: 20)
    _ = dashboard.press(.character("."))
    dashboard.receive(.stepped(run.step(21)))
    #expect(dashboard.phase == .paused)
    #expect(dashboard.press(.space) == .proceed)
  }

  @Test func `a picture is due after a key or an event, and not otherwise`() {
    var dashboard = run.dashboard(at: 20)
    dashboard.needsDrawing = false
    #expect(dashboard.press(.function(5)) == nil)
    #expect(!dashboard.needsDrawing)
    _ = dashboard.press(.character("x"))
    #expect(dashboard.needsDrawing)
    dashboard.needsDrawing = false
    dashboard.receive(.stepped(run.step(21)))
    #expect(dashboard.needsDrawing)
    dashboard.needsDrawing = false
    _ = dashboard.press(.resize)
    #expect(dashboard.needsDrawing)
  }

  @Test func `drawing changes nothing`() {
    let dashboard = run.dashboard(at: 300)
    let first = dashboard.draw(size: (120, 36), now: run.now(300))
    _ = dashboard.draw(size: (80, 24), now: run.now(300))
    #expect(dashboard.draw(size: (120, 36), now: run.now(300)) == first)
  }

  @Test func `focus goes round, fills the screen and comes back`() {
    var dashboard = run.dashboard(at: 300)
    #expect(dashboard.press(.enter) == nil)
    #expect(!dashboard.isFullScreen)
    _ = dashboard.press(.tab)
    #expect(dashboard.focus == .losses)
    _ = dashboard.press(.backTab)
    #expect(dashboard.focus == .recipe)
    _ = dashboard.press(.enter)
    #expect(dashboard.isFullScreen)
    _ = dashboard.press(.escape)
    #expect(!dashboard.isFullScreen)
    #expect(dashboard.focus == .recipe)
    _ = dashboard.press(.escape)
    #expect(dashboard.focus == nil)
  }

  @Test func `events scroll back to the first and forward to the last`() {
    var dashboard = run.dashboard(at: 2000)
    for _ in 0..<3 { _ = dashboard.press(.home) }
    #expect(dashboard.draw(size: (120, 36), now: run.now(2000)).text.contains("training a tokenizer"))
    for _ in 0..<3 { _ = dashboard.press(.end) }
    let text = dashboard.draw(size: (120, 36), now: run.now(2000)).text
    #expect(!text.contains("training a tokenizer"))
    #expect(text.contains("000002000.h5"))
  }

  @Test func `digits change the layout, and unknown ones say which there are`() throws {
    var dashboard = Dashboard(.live, layouts: try shippedLayouts())
    _ = dashboard.press(.character("2"))
    #expect(dashboard.layout.name == "order")
    _ = dashboard.press(.character("9"))
    #expect(dashboard.layout.name == "order")
    #expect(dashboard.message.contains("1 train, 2 order, 3 throughput, 4 small"))
  }

  @Test func `smoothing goes up, down and off`() {
    var dashboard = run.dashboard(at: 300)
    _ = dashboard.press(.character("+"))
    #expect(dashboard.history.smoothing == 0.95)
    _ = dashboard.press(.character("-"))
    _ = dashboard.press(.character("-"))
    #expect(dashboard.history.smoothing == 0.8)
    _ = dashboard.press(.character("0"))
    #expect(dashboard.history.smoothing == 0)
    #expect(dashboard.history.tracks[0].losses.smooth.values == dashboard.history.tracks[0].losses.raw.values)
  }

  @Test(arguments: [40, 60, 80, 120])
  func `pause, rate, quit and help are named in the footer at every width`(columns: Int) throws {
    let dashboard = run.dashboard(at: 300)
    let rows = [40: 12, 60: 16, 80: 24, 120: 36][columns] ?? 24
    let text = dashboard.draw(size: (columns, rows), now: run.now(300)).text
    let footer = try #require(text.split(separator: "\n").last)
    for word in ["space pause", "] [ rate", "q quit", "? help"] {
      #expect(footer.contains(word), "\(columns): \(footer)")
    }
  }

  @Test func `every line of the key table is on the help page and in the table for the README`() {
    var dashboard = run.dashboard(at: 300)
    _ = dashboard.press(.character("?"))
    let help = dashboard.draw(size: (100, 60), now: run.now(300)).text
    let markdown = KeyTable.markdown
    for line in KeyTable.lines {
      #expect(help.contains(line.text), "help lacks: \(line.text)")
      #expect(markdown.contains(line.text))
      for stroke in line.strokes { #expect(KeyTable.action(of: stroke.key) == stroke.action) }
    }
    #expect(markdown.split(separator: "\n").count == KeyTable.lines.count + 2)
    #expect(!markdown.split(separator: "\n").contains { $0.filter { $0 == "|" }.count != 3 })
  }

  @Test func `a resumed run forgets what came after its checkpoint`() {
    var dashboard = run.dashboard(at: 300)
    var run = run
    run.recipe.steps = 2000
    if case .began(var beginning) = run.began {
      beginning.step = 200
      dashboard.receive(.began(beginning))
    }
    #expect(dashboard.history.count == 200)
    #expect(dashboard.history.evaluations.places.count == 2)
    #expect(dashboard.phase == .starting)
    dashboard.receive(.stepped(run.step(201)))
    #expect(dashboard.history.count == 201)
    #expect(dashboard.phase == .training)
  }

  @Test func `the user's factor is read off the steps`() {
    let dashboard = run.dashboard(at: 1284)
    #expect(abs(dashboard.rateFactor - 0.5) < 1e-9)
    #expect(run.dashboard(at: 700).rateFactor == 1)
  }
}
