// Exactness: whatever is asked inside a step, the same changes at the same steps give the same losses.
import Corpus
import Run
import RunFile
import Session
import Testing
import Training

extension SessionTests {
  @Test func `changes and pauses inside a step are replayed to the bit`() throws {
    let recipe = folder.recipe(steps: 100_000, accumulation: 32)
    let session = TrainingSession(folder.request("changed", recipe), isAttended: true)
    var reader = Reader(session.hub.subscribe())
    try session.start()
    for turn in 0..<12 {
      reader.read { if case .stepped = $0 { true } else { false } }
      let change = session.requests.send(
        turn % 3 == 2 ? .weight(WeightChange(.top, to: 0.25 + Double(turn) / 100)) : .rate(.times(0.9)), by: .key)
      reader.read { $0.answers(change) }
      // The step under way is left; a change that was asked for inside it holds when it is taken anew.
      let pause = session.requests.send(.pause, by: .key)
      reader.read { $0.answers(pause) }
      if turn % 2 == 0 { session.requests.send(.rate(.times(1.05)), by: .key) }
      session.requests.send(.proceed, by: .key)
    }
    // Some steps with all that was changed.
    for _ in 0..<3 { reader.read { if case .stepped = $0 { true } else { false } } }
    session.requests.send(.stop(saving: false), by: .key)
    reader.readToEnd()
    session.end()
    #expect(reader.ending?.reason == .abandoned)

    let edits = try StoredRun(opening: "\(folder.path)/changed").edits(after: 0)
    #expect(edits == reader.occurrences.compactMap { ReplayedCommand($0) }.inOrderOfSteps && edits.count >= 12)
    let losses = try losses(recipe, steps: reader.steps.count, replaying: edits)
    #expect(losses == reader.steps.map(\.total))
    // A replay without them is another one.
    let others = try self.losses(recipe, steps: reader.steps.count, replaying: [])
    #expect(others != losses)
  }

  private func losses(_ recipe: Recipe, steps: Int, replaying edits: [ReplayedCommand]) throws -> [Float] {
    let corpus = try Corpus(opening: folder.source(recipe), tokenizer: nil) { _ in }
    let trainer = try Trainer(recipe: recipe, corpus: corpus, from: nil, threads: 1, name: "replay")
    var losses: [Float] = []
    let commands = Mailbox<Request>()
    _ = trainer.run(
      obeying: commands, replaying: edits, isAttended: false,
      to: Trainer.Outlets(
        report: { event in
          guard case .stepped(let report) = event else { return }
          losses.append(report.total)
          if report.step == steps { commands.send(Request(.stop(saving: false), by: .program)) }
        }, save: { _ in }))
    return losses
  }

  @Test func `no event counts twice, and a change that comes late not at all`() throws {
    let recipe = folder.recipe(steps: 30, accumulation: 8)
    let session = TrainingSession(folder.request("twice", recipe), isAttended: false)
    var reader = Reader(session.hub.subscribe())
    for _ in 0..<3 { session.requests.send(.rate(.times(0.5)), by: .key) }
    try session.start()
    reader.readToEnd()
    session.end()
    var (once, often, late) = (RunState(), RunState(), RunState())
    for event in reader.events {
      let isNew = once.apply(event)
      #expect(isNew)
      for _ in 0..<2 { often.apply(event) }
    }
    #expect(once == often && abs(once.rateFactor - 0.125) < 1e-12)
    // As a file's events, which have no numbers, and with the changes after the steps that were taken with them.
    for event in reader.events { if case .occurred = event.event {} else { late.apply(event.event) } }
    for event in reader.events { late.apply(event.event) }
    #expect(abs(late.rateFactor - 0.125) < 1e-12)
    for occurrence in reader.occurrences where occurrence.kind == .rate { late.apply(.occurred(occurrence)) }
    #expect(abs(late.rateFactor - 0.125) < 1e-12)
    let changes = reader.occurrences.filter { $0.kind == .rate }.count
    let confirmed = reader.events.compactMap { if case .confirmed(let number) = $0.event { number } else { nil } }
    let waiting = reader.events.filter {
      if case .occurred(let value) = $0.event { value.needsConfirmation } else { false }
    }
    #expect(changes == 3 && confirmed == waiting.map(\.number))
  }
}
