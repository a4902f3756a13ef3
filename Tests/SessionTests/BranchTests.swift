// Going back in a live run: the parent ends as it is, and the branch goes on from the checkpoint, to the bit.
import Foundation
import Run
import RunFile
import Session
import Testing

extension SessionTests {
  /// Runs a session to its end, and the sessions that follow it.
  /// - Parameters:
  ///   - isPaused: whether each begins with a pause.
  ///   - ask: what to ask when a session has begun; gets the session's place among them.
  private func follow(
    _ request: RunRequest, isAttended: Bool = true, isPaused: Bool = false,
    _ ask: (TrainingSession, inout Reader, Int) throws -> Void
  ) throws -> [Reader] {
    var next: RunRequest? = request
    var readers: [Reader] = []
    while let request = next {
      let session = TrainingSession(request, isAttended: isAttended)
      var reader = Reader(session.hub.subscribe(mostSteps: .max))
      if isPaused { session.requests.send(.pause, by: .key) }
      try session.start()
      try ask(session, &reader, readers.count)
      reader.readToEnd()
      session.end()
      readers.append(reader)
      next = session.next
    }
    return readers
  }

  @Test func `a run goes back as a branch whose losses are the parent's, to the bit`() throws {
    var recipe = folder.recipe(steps: 60)
    recipe.save.every = 10
    recipe.save.keep = 0
    var answers: [Occurrence] = []
    let readers = try follow(folder.request("oak", recipe), isPaused: true) { session, reader, place in
      // A checkpoint is made for certain where the run waits until it is stored.
      for step in place == 0 ? [10, 20, 30, 40] : [30, 40, 50] {
        let until = session.requests.send(.until(.step(step)), by: .key)
        reader.read { $0.answers(until) }
        func isStored(_ event: Event) -> Bool {
          if case .occurred(let occurrence) = event {
            occurrence.kind == .saved && occurrence.step == step
          } else {
            false
          }
        }
        if !reader.events.contains(where: { isStored($0.event) }) { reader.read(until: isStored) }
      }
      guard place == 0 else {
        session.requests.send(.proceed, by: .key)
        return
      }
      for target in [BackTarget.step(15), .best] {
        let refused = session.requests.send(.back(target), by: .socket)
        reader.read { $0.answers(refused) }
        answers.append(try #require(reader.answer(to: refused)))
      }
      let back = session.requests.send(.back(.step(20)), by: .tell)
      reader.read { $0.answers(back) }
      answers.append(try #require(reader.answer(to: back)))
      if answers.last?.kind != .branch { session.requests.send(.stop(saving: false), by: .key) }
    }
    #expect(answers.map(\.kind) == [.refused, .refused, .branch])
    #expect(
      answers[0].text.contains("there is no checkpoint of step 15: there are 10, 20, 30, 40"), "\(answers[0].text)")
    #expect(answers[1].text.contains("no best checkpoint"))
    #expect(answers[2].text == "back to step 20, goes on as “oak~2”" && answers[2].actor == .tell)
    try #require(readers.count == 2)
    #expect(readers[0].ending?.reason == .stopped && readers[0].ending?.step == 40)
    #expect(readers[1].ending?.reason == .finished && readers[1].steps.map(\.step) == Array(21...60))
    let both = readers[0].steps.filter { $0.step > 20 }
    #expect(zip(both, readers[1].steps).allSatisfy { $0.total == $1.total && $0.gradientNorm == $1.gradientNorm })

    let parent = try StoredRun(opening: "\(folder.path)/oak")
    let branch = try StoredRun(opening: "\(folder.path)/oak~2")
    #expect(parent.state == .stopped && branch.state == .finished)
    #expect(try parent.checkpoints().map(\.step) == [10, 20, 30, 40])
    #expect(try branch.checkpoints().map(\.step) == [20, 30, 40, 50, 60])
    #expect(branch.beginning.parent?.name == "oak" && branch.beginning.parent?.step == 20)
    let begun = readers[1].occurrences.first { $0.kind == .branch }
    #expect(begun?.text == "branch of “oak” at step 20" && begun?.actor == .tell)
    // The weights at a step that both have.
    let (mine, its) = try (parent.checkpoint(step: 40).checkpoint, branch.checkpoint(step: 40).checkpoint)
    #expect(mine.weights == its.weights && mine.secondMoments == its.secondMoments)
  }

  @Test func `what is saved where a branch began is what a branch of it begins with`() throws {
    var recipe = folder.recipe(steps: 40)
    (recipe.save.every, recipe.save.keep) = (10, 0)
    func isSaved(_ event: Event, _ step: Int) -> Bool {
      if case .occurred(let occurrence) = event { occurrence.kind == .saved && occurrence.step == step } else { false }
    }
    let readers = try follow(folder.request("elm", recipe), isPaused: true) { session, reader, place in
      switch place {
      case 0:
        session.requests.send(.until(.step(20)), by: .key)
        reader.read { isSaved($0, 20) }
        session.requests.send(.back(.step(20)), by: .key)
      case 1:
        session.requests.send(.rate(.times(0.5)), by: .key)
        let saved = session.requests.send(.saveAs("half"), by: .key)
        reader.read { $0.answers(saved) }
        session.requests.send(.back(.named("half")), by: .key)
      default: session.requests.send(.proceed, by: .key)
      }
    }
    try #require(readers.count == 3)
    let rate = try #require(readers[2].steps.first?.rate)
    #expect(abs(rate / recipe.scheduledRate(at: 20) - 0.5) < 1e-9, "\(rate)")
  }

  @Test func `a run without a checkpoint refuses to go back, and goes on`() throws {
    let session = TrainingSession(folder.request("young", folder.recipe(steps: 1_000_000)), isAttended: true)
    var reader = Reader(session.hub.subscribe())
    try session.start()
    let back = session.requests.send(.back(.last), by: .key)
    reader.read { $0.answers(back) }
    let answer = try #require(reader.answer(to: back))
    #expect(answer.kind == .refused && answer.text.contains("no checkpoint yet"), "\(answer.text)")
    session.requests.send(.stop(saving: false), by: .key)
    reader.readToEnd()
    session.end()
    #expect(session.next.map(\.address) == nil)
    #expect(!FileManager.default.fileExists(atPath: "\(folder.path)/young~2"))
  }
}

extension SessionTests {
  @Test func `the guard goes back with half the rate, as often as it may, and then ends the run`() throws {
    var recipe = folder.recipe(steps: 100_000)
    recipe.schedule.kind = .constant
    recipe.schedule.rate = 1
    recipe.schedule.warmup = 0
    recipe.optimizer.clip = 0
    recipe.save.every = 100_000
    recipe.save.keep = 1
    recipe.guard.does = .back
    recipe.guard.rate = 0.99
    recipe.guard.most = 2
    // Begins well, and has a checkpoint; then the rate is one that spoils the weights.
    let readers = try follow(folder.request("wild", recipe), isAttended: false) { session, reader, place in
      if place == 0 {
        let slow = session.requests.send(.rate(.to(1e-3)), by: .key)
        reader.read { $0.answers(slow) }
        reader.read { if case .stepped(let report) = $0 { report.step >= 80 } else { false } }
        let save = session.requests.send(.save, by: .key)
        reader.read { $0.answers(save) }
      } else {
        // The branches go the same way.
        reader.read { if case .stepped = $0 { true } else { false } }
      }
      session.requests.send(.rate(.to(1)), by: .key)
    }
    #expect(readers.count == 3)
    #expect(readers.map { $0.ending?.reason } == [.diverged, .diverged, .diverged])
    let last = try #require(readers.last?.occurrences.last { $0.kind == .diverged })
    #expect(last.text.contains("spoilt"), "\(last.text)")
    for (index, reader) in readers.enumerated().dropFirst() {
      let begun = try #require(reader.occurrences.first { $0.kind == .branch })
      #expect(begun.actor == .guard && begun.old == Double(index))
      let rate = try #require(reader.occurrences.first { $0.kind == .rate })
      // Of the checkpoint, whose rate was a thousandth.
      #expect(rate.actor == .guard && abs((rate.new ?? 0) / 1e-3 - pow(0.99, Double(index))) < 1e-9, "\(rate)")
    }
  }
}
