// What was asked of a run and is not answered yet, and what its answers change.
import Foundation
import Testing
@testable import Dashboard
@testable import Run
@testable import TerminalUI

extension KeyTests {
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

  @Test func `what has a number is asked until it is answered`() {
    var dashboard = run.dashboard(at: 20, .attached)
    _ = dashboard.press(.character("e"))
    dashboard.wasSent(as: 1)
    _ = dashboard.press(.character("s"))
    for number in 21...40 { dashboard.receive(.stepped(run.step(number))) }
    // What was never sent is forgotten.
    #expect(dashboard.asked.map(\.command) == [.evaluate] && dashboard.isEvaluating)
    dashboard.receive(
      .occurred(Occurrence(.done, step: 40, time: 0, key: "evaluate", actor: .key, request: 1, text: "evaluate: done")))
    #expect(dashboard.asked.isEmpty)
    // Where events are missing, the answer may be among them.
    _ = dashboard.press(.character("e"))
    dashboard.wasSent(as: 2)
    dashboard.expectLostAnswers()
    for number in 41...60 { dashboard.receive(.stepped(run.step(number))) }
    #expect(dashboard.asked.isEmpty)
  }

  @Test func `an evaluation is seen for as long as it goes on, whoever asked for it`() {
    var dashboard = run.dashboard(at: 20, .attached)
    dashboard.evaluate(done: 3, total: 12, at: 1)
    #expect(dashboard.stateSpan(now: 2).text == "◐ eval 25 %")
    dashboard.receive(.stepped(run.step(21)))
    #expect(!dashboard.isEvaluating)
    dashboard.evaluate(done: 3, total: 12, at: 3)
    dashboard.become(.stored, saying: "")
    #expect(!dashboard.isEvaluating)
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
}
