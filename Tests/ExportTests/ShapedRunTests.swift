// A run whose trained loss is not plain cross-entropy: both numbers in files, JSON, csv and on the screen.
import Corpus
import Dashboard
import Export
import Foundation
import Run
import RunFile
import Support
import TerminalUI
import Testing
import Training

struct ShapedRunTests {
  private static func events(_ change: (inout Recipe) -> Void) throws -> [Event] {
    var recipe = Recipe.tinyRun(steps: 12)
    recipe.batch.rows = 4
    recipe.objective.top = 0
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (6, 0, 0)
    change(&recipe)
    try recipe.validate(source: "test")
    let trainer = try Trainer(
      recipe: recipe, corpus: Corpus(text: ShortLines.text(300), for: recipe), from: nil, threads: 1, name: "shaped")
    var events: [Event] = [.began(trainer.beginning)]
    _ = trainer.run(
      obeying: Mailbox<Request>(), isAttended: false,
      to: Trainer.Outlets(report: { events.append($0) }, save: { _ in }))
    return events
  }

  private static func reports(_ events: [Event]) -> [StepReport] {
    events.compactMap { if case .stepped(let report) = $0 { report } else { nil } }
  }

  @Test func `its trained loss and entropy are stored, printed, exported and shown, and others have no column`() throws
  {
    let events = try Self.events { $0.objective.next.ahead = 3 }
    let room = try Room()
    defer { try? FileManager.default.removeItem(atPath: room.folder) }
    guard case .began(let beginning) = events[0] else { preconditionFailure("a run begins") }
    let recorder = try Recorder(creating: room.folder + "/shaped", beginning: beginning)
    for event in events.dropFirst() { _ = try recorder.record(event) }
    try recorder.close(.finished)
    let run = try StoredRun(opening: room.folder + "/shaped")
    let stored = Self.reports(try run.events())
    let reports = Self.reports(events)
    #expect(stored.map { $0.losses[0].trained } == reports.map { $0.losses[0].trained })
    #expect(stored.map { $0.losses[0].entropy } == reports.map { $0.losses[0].entropy })
    #expect(stored.first?.losses[0].trained != nil && stored.last?.losses[0].trained == nil)
    #expect(run.recipe.objective.next.ahead == 3)

    var reader = EventReader()
    for (number, report) in reports.enumerated() {
      let line = NumberedEvent(number + 1, .stepped(report)).json
      let read = try reader.read(try JSON.read(Array(line.utf8)))
      guard case .stepped(let step)? = read?.event else {
        Issue.record("a step is read as something else")
        continue
      }
      #expect(step.losses[0].trained == report.losses[0].trained && step.losses[0].entropy == report.losses[0].entropy)
      #expect(step.losses[0].loss == report.losses[0].loss && step.total == report.total)
    }
    var lines: [String] = []
    try MetricLines.csv(run.recipe.evaluationContent, of: { try events.forEach($0) }) { lines.append($0) }
    let columns = lines[0].split(separator: ",").map(String.init)
    #expect(columns.contains("trained/ntp") && columns.contains("entropy/ntp") && columns.contains("heldout/loss/ntp"))
    #expect(lines.allSatisfy { $0.split(separator: ",", omittingEmptySubsequences: false).count == columns.count })

    var dashboard = Dashboard(.live)
    for event in events.prefix(5) { dashboard.receive(event) }
    let shown = dashboard.draw(size: (160, 40), now: beginning.time + 10).text
    #expect(shown.contains("trained ntp ") && shown.contains("(entropy "))

    let plain = try Self.events { _ in }
    var columnsOfPlain: [String] = []
    try MetricLines.csv(EvaluationContent(heads: [.ntp]), of: { try plain.forEach($0) }) { columnsOfPlain.append($0) }
    #expect(!columnsOfPlain[0].contains("trained"))
    #expect(!Event.stepped(try #require(Self.reports(plain).first)).json.contains("trained"))
  }

  @Test func `the future and the bag are stored and exported as all heads are`() throws {
    let events = try Self.events {
      $0.objective[other: "future"] = 0.1
      $0.objective[other: "bag"] = 0.2
    }
    var lines: [String] = []
    try MetricLines.json(of: { try events.forEach($0) }) { lines.append($0) }
    #expect(lines.allSatisfy { $0.contains("\"future\":") && $0.contains("\"bag\":") })
    guard case .began(let beginning) = events[0] else { preconditionFailure("a run begins") }
    let yaml = beginning.recipe.yaml
    #expect(yaml.contains("future: 0.1") && yaml.contains("bag: 0.2"))
    #expect(try Recipe(yaml: yaml, source: "test") == beginning.recipe)
  }
}
