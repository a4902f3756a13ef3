// The command line after `:`, numbers before a key, and that a key asks for what its command is.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct CommandLineTests {
  let run = MadeUpRun()

  private func prompt(_ dashboard: Dashboard) -> CommandPrompt? {
    if case .command(let prompt) = dashboard.overlay { prompt } else { nil }
  }

  @Test(
    arguments: CommandForm.all.flatMap(\.examples).filter {
      !["rate 3e-4", "rate x0.5", "rate warmup 200"].contains($0)
    })
  func `a typed line asks for its command, as typed`(line: String) throws {
    var dashboard = run.dashboard(at: 300)
    dashboard.type(":" + line)
    #expect(dashboard.press(.enter) == (try Command(typed: line)))
    #expect(dashboard.askedBy == .typed && dashboard.overlay == nil)
    let text = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(text.contains("asked: "))
  }

  static let keys: [(Key, String)] = [
    (.space, "pause"), (.character("."), "step"), (.character("]"), "rate x1.1"),
    (.character("["), "rate x0.9090909090909091"),
    (.character("}"), "rate x2"), (.character("{"), "rate x0.5"), (.character("s"), "save"),
    (.character("e"), "evaluate"), (.character("g"), "generate"), (.character("u"), "undo"), (.control("c"), "stop"),
  ]

  @Test(arguments: keys) func `a key asks for the same as its command`(key: Key, line: String) throws {
    var dashboard = run.dashboard(at: 300)
    #expect(dashboard.press(key) == (try Command(typed: line)))
    #expect(dashboard.askedBy == .key)
  }

  @Test func `a wrong line stays with its reason, and esc leaves it`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.type(":rat 3")
    #expect(dashboard.press(.enter) == nil)
    #expect(prompt(dashboard)?.text == "rat 3" && prompt(dashboard)?.problem.contains("did you mean") == true)
    for size in [(120, 36), (80, 24), (40, 12), (20, 4), (5, 1)] {
      let canvas = dashboard.draw(size: size, now: run.now(300))
      #expect(size.0 < 80 || canvas.text.contains(":rat 3") && canvas.text.contains("did you mean"))
    }
    dashboard.type("x")
    #expect(prompt(dashboard)?.problem == "")
    #expect(dashboard.press(.escape) == nil)
    #expect(dashboard.overlay == nil && dashboard.asked.isEmpty)
    dashboard.type(":")
    #expect(dashboard.press(.backspace) == nil)
    #expect(dashboard.overlay == nil)
  }

  @Test func `tab completes, and the arrows recall`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.type(":ra")
    #expect(dashboard.press(.tab) == nil)
    #expect(prompt(dashboard)?.text == "rate ")
    dashboard.type("4e-4")
    #expect(dashboard.press(.enter) == .rate(.to(4e-4)))
    dashboard.type(":save")
    #expect(dashboard.press(.enter) == .save)
    dashboard.type(":cl")
    for (key, text) in [(Key.up, "save"), (.up, "rate 4e-4"), (.up, "rate 4e-4"), (.down, "save"), (.down, "cl")] {
      #expect(dashboard.press(key) == nil)
      #expect(prompt(dashboard)?.text == text)
    }
    dashboard.type(" ")
    #expect(prompt(dashboard)?.text == "cl ")
  }

  @Test func `what a line lacks is said above it`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.type(":weight ")
    let text = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(text.contains("weight HEAD WEIGHT|xFACTOR") && text.contains("weight top"))
  }

  @Test func `a typed change by more than tenfold is asked for first`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.type(":weight top x0.05")
    #expect(dashboard.press(.enter) == nil)
    #expect(dashboard.overlay == .confirm(.weight(WeightChange(.top, to: 0.05))))
    #expect(dashboard.press(.character("y")) == .weight(WeightChange(.top, to: 0.05)))
    #expect(dashboard.askedBy == .typed)
    dashboard.type(":rate x0.01")
    #expect(dashboard.press(.enter) == nil)
    #expect(dashboard.press(.character("y")) == .rate(.times(0.01)))
    #expect(dashboard.askedBy == .typed)
  }

  @Test(arguments: ["rate hold 1e-5", "rate warmup 200", "rate anneal 3", "steps 310"])
  func `another course that takes the rate more than tenfold away is asked for first`(line: String) throws {
    var dashboard = Dashboard(.live, layouts: [])
    var run = run
    (run.recipe.schedule.kind, run.recipe.schedule.floor) = (.cosine, 0.01)
    dashboard.receive(run.began)
    for number in 1...300 { dashboard.receive(.stepped(run.step(number))) }
    let command = try Command(typed: line)
    dashboard.type(":" + line)
    let before = dashboard.ratePlan
    #expect(dashboard.ghost != nil && dashboard.ghost != before)
    #expect(dashboard.press(.enter) == nil)
    #expect(dashboard.overlay == .confirm(command))
    let text = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(text.contains(": within 10 steps"), "\(text)")
    #expect(dashboard.press(.enter) == nil)
    #expect(dashboard.press(.character("y")) == command && dashboard.askedBy == .typed)
    for harmless in ["rate hold", "rate anneal 1000", "steps 3000"] {
      dashboard = self.run.dashboard(at: 300)
      dashboard.type(":" + harmless)
      #expect(try dashboard.press(.enter) == Command(typed: harmless))
    }
  }

  @Test func `the way on of the rate is chosen from a list, and shown before it is taken`() {
    var dashboard = run.dashboard(at: 300)
    let left = run.recipe.steps - 300
    #expect(dashboard.press(.character("L")) == nil)
    #expect(dashboard.ghost?.schedule.then == .scaled)
    #expect(dashboard.press(.up) == nil)
    let picture = dashboard.draw(size: (120, 36), now: run.now(300)).text
    #expect(picture.contains("▸ anneal") && picture.contains("in \(Figure.grouped(left)) steps"), "\(picture)")
    #expect(dashboard.ghost?.rate(at: 1999) == dashboard.ghost?.rate(at: 2500))
    #expect(dashboard.press(.enter) == .course(CourseChange(.anneal, over: left)))
    dashboard.type("Lj")
    #expect(dashboard.press(.enter) == .course(CourseChange(.hold)))
    dashboard.type("Lj3e-4")
    #expect(dashboard.press(.enter) == .course(CourseChange(.hold, rate: 3e-4)))
    dashboard.type("Ljjx")
    #expect(dashboard.press(.enter) == nil)
    #expect(dashboard.draw(size: (120, 36), now: run.now(300)).text.contains("is not a number of steps"))
    #expect(dashboard.press(.backspace) == nil)
    dashboard.type("50")
    let plan = dashboard.ghost
    #expect(plan.flatMap(dashboard.goal)?.hasSuffix("at step 351") == true, "\(String(describing: plan))")
    #expect(dashboard.press(.enter) == nil && dashboard.overlay == .confirm(.course(CourseChange(.warmup, over: 50))))
    #expect(dashboard.press(.character("y")) == .course(CourseChange(.warmup, over: 50)))
    dashboard.type("L")
    #expect(dashboard.press(.escape) == nil && dashboard.overlay == nil)
    for size in [(80, 24), (40, 12), (20, 4), (5, 1)] {
      dashboard.type("L")
      _ = dashboard.draw(size: size, now: run.now(300))
      _ = dashboard.press(.escape)
    }
  }

  @Test func `an alert stands in the log with all its lines, and others where the panel has the whole screen`() {
    var dashboard = run.dashboard(at: 300)
    let advice = "r goes back to step 240, the last sound checkpoint; or lower the rate and go on"
    let text =
      "the training went wrong before step 300: the weights are spoilt (model/layers/0/self_attn/q_proj/weight is "
      + "59 times as large as at step 240) — " + advice
    func shows(_ dashboard: inout Dashboard) -> Bool {
      let lines = dashboard.draw(size: (120, 36), now: run.now(300)).text.split(separator: "\n")
      let words = lines.map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "│ ")) }.joined(separator: " ")
      return words.contains(advice)
    }
    dashboard.receive(.occurred(Occurrence(.notice, step: 300, time: run.now(300), text: text)))
    #expect(!shows(&dashboard))
    (dashboard.focus, dashboard.isFullScreen) = (.events, true)
    #expect(shows(&dashboard))
    for kind in [Occurrence.Subject.diverged, .refused] {
      dashboard = run.dashboard(at: 300)
      dashboard.receive(.occurred(Occurrence(kind, step: 300, time: run.now(300), text: text)))
      #expect(shows(&dashboard))
    }
  }

  @Test func `who asked for an evaluation is in the log`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.receive(
      .occurred(
        Occurrence(
          .done, step: 300, time: run.now(300), key: "evaluate", actor: .attached(4711),
          text: "evaluate: done at step 300")))
    #expect(dashboard.log.contains { $0.text.hasSuffix("done at step 300  (attached 4711)") })
  }

  @Test func `the answer to a typed line is shown`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.type(":evaluate")
    #expect(dashboard.press(.enter) == .evaluate)
    dashboard.wasSent(as: 7)
    dashboard.receive(
      .occurred(
        Occurrence(
          .done, step: 300, time: 1, key: "evaluate", actor: .typed, request: 7, text: "evaluate: done at step 300")))
    #expect(dashboard.asked.isEmpty && dashboard.message == "evaluate: done at step 300")
    #expect(dashboard.draw(size: (120, 36), now: run.now(300)).text.contains("done at step 300"))
  }

  @Test func `where nothing trains, the command line says so`() {
    var stored = run.dashboard(at: 300, .stored)
    // What is typed is a line in any case, and no keys.
    for key in ":rate 0.9" { #expect(stored.press(.character(key)) == nil) }
    #expect(stored.press(.enter) == nil)
    #expect(prompt(stored)?.problem.contains("foretop resume") == true, "\(String(describing: stored.overlay))")
    _ = stored.press(.escape)
    for key in "l2e-3" { #expect(stored.press(.character(key)) == nil) }
    #expect(stored.press(.enter) == nil)
    if case .rate(let text, let problem) = stored.overlay {
      #expect(text == "2e-3" && problem.contains("foretop resume"))
    } else {
      Issue.record("no prompt is open")
    }
  }

  @Test func `a number before a point is a number of steps, and changes no layout`() throws {
    var dashboard = Dashboard(.live, layouts: try shippedLayouts())
    dashboard.receive(run.began)
    for number in 1...20 { dashboard.receive(.stepped(run.step(number))) }
    #expect(dashboard.press(.character("2")) == nil)
    #expect(dashboard.layout.name == "order")
    #expect(dashboard.press(.character("5")) == nil)
    #expect(dashboard.press(.character("0")) == nil)
    #expect(dashboard.press(.character(".")) == .step(250))
    #expect(dashboard.layout.name == "train" && dashboard.history.smoothing != 0)
    #expect(dashboard.press(.character(".")) == .step(1))
    // Another key takes no number.
    #expect(dashboard.press(.character("3")) == nil)
    #expect(dashboard.press(.character("s")) == .save)
    #expect(dashboard.press(.character(".")) == .step(1))
    #expect(dashboard.layout.name == "throughput")
  }

  @Test func `a setting changes the recipe that is shown`() {
    var dashboard = run.dashboard(at: 300)
    dashboard.receive(
      .occurred(
        Occurrence(
          .setting, step: 300, time: run.now(300), key: "steps", old: 2000, new: 5000, actor: .tell, text: "steps")))
    #expect(dashboard.beginning?.recipe.steps == 5000)
    #expect(dashboard.recipeLines.contains { $0.contains("5000") })
    #expect(dashboard.log.contains { $0.text.hasSuffix("(tell)") })
  }
}
