// The prompt for a text of one's own, and what the heads answer.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct AskTests {
  private let run = MadeUpRun()

  static func answer(_ first: Float, _ text: [String] = ["In", "␠the", "␠beginning"]) -> Run.Expectation {
    Run.Expectation(
      context: text,
      next: [
        .init(token: "␠God", probability: first), .init(token: "␠of", probability: 0.124),
        .init(token: "␠was", probability: 0.081), .init(token: ",", probability: 0.032),
      ],
      further: [
        .init(head: "mtp-2", choice: .init(token: "␠created", probability: 0.312)),
        .init(head: "mtp-3", choice: .init(token: "␠the", probability: 0.224)),
      ], ranking: ["␠the", "␠God", "␠of", "␠and", "␠was", ","])
  }

  private func answered(_ expectation: Run.Expectation, step: Int, request: Int? = nil) -> Event {
    var occurrence = Occurrence(
      .notice, step: step, time: run.now(step), key: "ask", actor: .key, request: request, text: "“In the” → …")
    occurrence.expectation = expectation
    return .occurred(occurrence)
  }

  private func ask(_ text: String, _ dashboard: inout Dashboard) -> Command? {
    dashboard.type("t" + text)
    return dashboard.press(.enter)
  }

  @Test func `t asks while it trains, and the answer comes below the text`() {
    var dashboard = run.dashboard(at: 300)
    #expect(ask("In the beginning", &dashboard) == .ask("In the beginning"))
    #expect(dashboard.awaitsAnswer)
    #expect(dashboard.draw(size: (120, 36), now: run.now(300)).text.contains("asked: answered between two steps"))
    // A second question waits for the answer of the first.
    #expect(dashboard.press(.enter) == nil)
    dashboard.receive(answered(Self.answer(0.41), step: 301))
    #expect(!dashboard.awaitsAnswer)
    let picture = dashboard.draw(size: (120, 36), now: run.now(301)).text
    for words in ["In the beginning", "␠God", ".410", "mtp-2 ␠created .31", "1 ␠the", "answer of step 301"] {
      #expect(picture.contains(words), "\(words) is not in\n\(picture)")
    }
    // Asked again later, the probabilities of now stand beside those of before.
    #expect(dashboard.press(.enter) == .ask("In the beginning"))
    dashboard.receive(answered(Self.answer(0.55), step: 400))
    let later = dashboard.draw(size: (120, 36), now: run.now(301)).text
    #expect(later.contains(".550") && later.contains(".410"))
    #expect(dashboard.press(.escape) == nil && dashboard.overlay == nil)
  }

  @Test func `an answer is the one to the request`() {
    var dashboard = run.dashboard(at: 300)
    _ = ask("In", &dashboard)
    dashboard.wasSent(as: 7)
    dashboard.receive(answered(Self.answer(0.1), step: 300, request: 6))
    #expect(dashboard.awaitsAnswer)
    dashboard.receive(answered(Self.answer(0.2), step: 300, request: 7))
    #expect(!dashboard.awaitsAnswer)
  }

  @Test func `a stored run asks its checkpoints`() {
    var browser = Browser()
    var dashboard = run.dashboard(at: 300, .stored)
    dashboard.know(checkpoints: [100, 200, 300])
    browser.open(dashboard, [])
    for key in [.character("t"), .pageUp] + "In".map(Key.character) { _ = browser.press(key) }
    #expect(browser.press(.enter) == .ask("kjv-top-3", step: 200, text: "In"))
    browser.receive(.success(TextAnswer(step: 200, Self.answer(0.3))), of: "kjv-top-3")
    #expect(browser.draw(size: (120, 36), now: 0).text.contains("answer of step 200"))
    _ = browser.press(.enter)
    browser.receive(.failure(UserError(.noInput, "there is no checkpoint")), of: "kjv-top-3")
    #expect(browser.draw(size: (120, 36), now: 0).text.contains("there is no checkpoint"))
    // The newest is asked where none is chosen.
    _ = browser.press(.pageDown)
    #expect(browser.press(.enter) == .ask("kjv-top-3", step: nil, text: "In"))
  }

  @Test func `what is typed replaces the last question, and an edit keeps it`() {
    var dashboard = run.dashboard(at: 300)
    _ = ask("In the beginning", &dashboard)
    dashboard.receive(answered(Self.answer(0.41), step: 301))
    _ = dashboard.press(.escape)
    #expect(ask("the LORD", &dashboard) == .ask("the LORD"))
    dashboard.receive(answered(Self.answer(0.2, ["the", "␠LORD"]), step: 302))
    _ = dashboard.press(.escape)
    for (key, text) in [(Key.backspace, "the LORs"), (.right, "the LORss"), (.control("u"), "s")] {
      for key in [Key.character("t"), key, .character("s")] { #expect(dashboard.press(key) == nil) }
      #expect(dashboard.press(.enter) == .ask(text))
      dashboard.receive(answered(Self.answer(0.2, ["the"]), step: 303))
      _ = dashboard.press(.escape)
    }
  }

  @Test(arguments: [(40, 12), (80, 24), (120, 36)])
  func `a live run that is watched and has no checkpoint names the command that asks it`(columns: Int, rows: Int) {
    var dashboard = run.dashboard(at: 100, .watched)
    #expect(ask("In the", &dashboard) == nil)
    let text = dashboard.draw(size: (columns, rows), now: run.now(100)).text
    for word in ["no checkpoint", "foretop", "kjv-top-3", "asks"] {
      #expect(text.contains(word), "\(word) is not in\n\(text)")
    }
    dashboard.know(checkpoints: [100])
    #expect(dashboard.press(.enter) == .ask("In the"))
  }

  @Test func `what cannot be asked is refused in words`() {
    var dashboard = run.dashboard(at: 0)
    _ = dashboard.press(.character("t"))
    #expect(dashboard.overlay == nil && dashboard.message.contains("not yet"))
    dashboard = run.dashboard(at: 300)
    #expect(ask("", &dashboard) == nil)
    #expect(dashboard.draw(size: (80, 24), now: 0).text.contains("type a text first"))
  }

  @Test(arguments: [(20, 4), (40, 12), (80, 24), (120, 36), (220, 60)])
  func `the prompt is whole at every size`(columns: Int, rows: Int) {
    var dashboard = run.dashboard(at: 300)
    _ = ask("In the beginning", &dashboard)
    dashboard.receive(answered(Self.answer(0.41), step: 301))
    let text = dashboard.draw(size: (columns, rows), now: run.now(301)).text
    #expect(text.contains("beginning"), "\(text)")
    #expect(text.contains("God"), "\(text)")
  }

  @Test func `it looks as it did`() throws {
    var dashboard = run.dashboard(at: 300)
    _ = ask("In the beginning", &dashboard)
    dashboard.receive(answered(Self.answer(0.212), step: 200))
    _ = dashboard.press(.enter)
    dashboard.receive(answered(Self.answer(0.41), step: 301))
    try expectPicture("ask-80x24", dashboard.draw(size: (80, 24), now: run.now(301)))
  }

  @Test func `an answer survives the way over the socket`() throws {
    guard case .occurred(let occurrence) = answered(Self.answer(0.5), step: 3, request: 9) else {
      Issue.record("the event has another kind")
      return
    }
    let line = NumberedEvent(4, .occurred(occurrence)).json
    var reader = EventReader()
    let read = try #require(try reader.read(JSON.read(Array(line.utf8))))
    #expect(read.event == .occurred(occurrence))
  }
}
