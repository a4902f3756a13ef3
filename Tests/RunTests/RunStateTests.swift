// What a session knows, collected from its events: applied twice or late, none of them counts twice.
import Run
import Testing

struct RunStateTests {
  private let beginning = Beginning(
    name: "a", recipe: Recipe(), step: 0, tokens: 0, time: 0, parameters: 1, threads: 1, precision: "fp32", corpus: "c",
    vocabulary: 256, trainingTokens: 10, heldOutTokens: 0, unigramEntropy: 1)

  /// A step with the schedule's rate times a factor.
  private func step(_ number: Int, factor: Double = 1, top: Float = 1) -> Event {
    var report = StepReport.empty
    report.step = number
    let recipe = beginning.recipe
    report.rate = recipe.schedule.rate * recipe.schedule.multiplier(at: number - 1, of: recipe.steps) * factor
    report.losses = [
      HeadLoss(head: .ntp, loss: 1, positions: 1), HeadLoss(head: .top, loss: 1, weight: top, positions: 1),
    ]
    return .stepped(report)
  }

  /// A change that holds from the step after this one on.
  private func halved(after step: Int, from factor: Double = 1) -> Event {
    let recipe = beginning.recipe
    let rate = recipe.schedule.rate * recipe.schedule.multiplier(at: step, of: recipe.steps) * factor
    return .occurred(
      Occurrence(.rate, step: step, time: 0, key: "rate", old: rate, new: rate / 2, actor: .key, text: "rate"))
  }

  @Test func `an event with a number that was applied changes nothing`() {
    var state = RunState()
    for (index, event) in [.began(beginning), step(1), halved(after: 1), halved(after: 1, from: 0.5)].enumerated() {
      let isNew = state.apply(NumberedEvent(index + 1, event))
      let before = state
      let isNewAgain = state.apply(NumberedEvent(index + 1, event))
      #expect(isNew && !isNewAgain && state == before)
    }
    #expect(abs(state.rateFactor - 0.25) < 1e-12)
  }

  @Test func `the machine's limit is that of the session`() {
    func measured(_ limit: Double, _ kind: Occurrence.Subject = .notice, key: String = "limit") -> Event {
      .occurred(Occurrence(kind, step: 1, time: 0, key: key, new: limit, text: "limit"))
    }
    var state = RunState()
    state.apply(.began(beginning))
    state.apply(measured(5000))
    #expect(state.limit == 5000)
    // A note, and what a damaged file may have, are none.
    for event in [measured(1, key: "note"), measured(1, .refused), measured(0), measured(-1), measured(.nan)] {
      state.apply(event)
      #expect(state.limit == 5000)
    }
    state.apply(measured(6000))
    #expect(state.limit == 6000)
    state.apply(.began(beginning))
    #expect(state.limit == nil)
  }

  @Test func `a change counts once, before or after the step that was taken with it`() {
    for order in [[0, 1, 2], [0, 2, 1], [0, 1, 1, 2, 1], [0, 2, 2, 1, 1]] {
      let events = [step(1), halved(after: 1), step(2, factor: 0.5)]
      var state = RunState()
      state.apply(.began(beginning))
      for index in order { state.apply(events[index]) }
      #expect(abs(state.rateFactor - 0.5) < 1e-9, "\(order)")
    }
  }

  @Test func `a change from inside a step holds when the step is over`() {
    var state = RunState()
    let weight = Occurrence(.weight, step: 2, time: 0, key: "top", old: 1, new: 0.25, actor: .key, text: "weight")
    for event in [.began(beginning), step(1), halved(after: 2), .occurred(weight), step(2)] { state.apply(event) }
    #expect(abs(state.rateFactor - 0.5) < 1e-9 && state.weights[.top] == 0.25)
    state.apply(step(3, factor: 0.5, top: 0.25))
    state.apply(step(4, factor: 1, top: 1))
    #expect(abs(state.rateFactor - 1) < 1e-6 && state.weights[.top] == 1)
  }

  @Test func `it knows pauses, divergence, the best evaluation, the last checkpoint and the ending`() {
    func occurred(_ kind: Occurrence.Subject, _ step: Int) -> Event {
      .occurred(Occurrence(kind, step: step, time: 0, text: "\(kind)"))
    }
    var state = RunState()
    for event in [.began(beginning), step(1), occurred(.saved, 1), occurred(.pause, 1)] { state.apply(event) }
    #expect(state.phase == .paused && state.savedStep == 1 && state.last?.step == 1)
    for event in [occurred(.proceed, 1), occurred(.diverged, 1)] { state.apply(event) }
    #expect(state.phase == .paused && state.isDiverged && state.failure == "diverged")
    state.apply(step(2))
    #expect(!state.isDiverged)
    for (step, isBest) in [(2, true), (3, false)] {
      state.apply(.evaluated(Evaluation(step: step, tokens: 0, time: 0, losses: [], isBest: isBest, seconds: 0)))
    }
    #expect(state.best?.step == 2 && state.evaluation?.step == 3)
    let ending = Ending(.finished, step: 3, time: 0)
    state.apply(.ended(ending))
    #expect(state.ending == ending && state.phase == .ended(.finished))
  }

  @Test func `an edit that was made anew at an earlier step counts there`() {
    let rate = { (step: Int, value: Double) in ReplayedCommand(step: step, .rate(.to(value))) }
    let weight = ReplayedCommand(step: 5, .weight(WeightChange(.top, to: 0.5)))
    let edits = [rate(2, 1), rate(5, 2), weight, rate(4, 2), rate(4, 3), rate(7, 4)]
    #expect(edits.inOrderOfSteps == [rate(2, 1), rate(4, 2), rate(4, 3), weight, rate(7, 4)])
  }
}
