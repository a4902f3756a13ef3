// Rates and weights that are typed: prompts, questions, the ghost of the schedule.
import Foundation
import Testing
@testable import Dashboard
@testable import Run
@testable import TerminalUI

extension KeyTests {
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

  @Test func `changes within ten seconds are one, however many steps a run takes in them`() {
    func changed(thenStepsOf seconds: Double) -> Dashboard {
      var dashboard = run.dashboard(at: 300)
      guard let rate = dashboard.currentRate else { return dashboard }
      let time = run.step(300).time
      dashboard.receive(
        .occurred(
          Occurrence(
            .rate, step: 300, time: time, key: "rate", old: rate, new: rate / 8, actor: .key, text: "rate")))
      for step in 301...400 {
        var report = run.step(step)
        report.time = time + Double(step - 300) * seconds
        report.rate /= 8
        dashboard.receive(.stepped(report))
      }
      return dashboard
    }
    var soon = changed(thenStepsOf: 0.01)
    #expect(soon.press(.character("{")) == nil)
    #expect(soon.overlay == .confirm(.rate(.times(0.5))))
    var late = changed(thenStepsOf: 0.5)
    #expect(late.press(.character("{")) == .rate(.times(0.5)))
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

  @Test func `a rate that is raised and lowered by the same key is that of the schedule again`() throws {
    var dashboard = run.dashboard(at: 300)
    var rate = try #require(dashboard.currentRate)
    for (key, words) in [("]", "cosine · ×1.1 "), ("[", "─ cosine ─")] {
      guard case .rate(let change)? = dashboard.press(.character(Character(key))) else {
        Issue.record("\(key) asks for no rate")
        return
      }
      let new = change.applied(to: rate)
      dashboard.receive(
        .occurred(
          Occurrence(.rate, step: 300, time: 1, key: "rate", old: rate, new: new, actor: .key, text: "rate")))
      #expect((dashboard.rateFactor == 1) == (key == "["))
      let text = dashboard.draw(size: (120, 36), now: 0).text
      #expect(text.contains(words), "\(text)")
      rate = new
    }
    var report = run.step(301)
    report.rate = try #require(dashboard.plannedRate(at: 300))
    dashboard.receive(.stepped(report))
    #expect(dashboard.rateFactor == 1)
  }

  static var warmup: Int { MadeUpRun().recipe.schedule.warmup }

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
}
