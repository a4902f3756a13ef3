// The guard: what it takes for a spike and for spoilt weights, and that what it does is done again by a replay.
import Corpus
import Run
import Testing
import Training

@Suite struct GuardTests {
  /// A state that has seen so many equal steps, with a little noise.
  private func state(loss: Double, norm: Double = 1, steps: Int = 200) -> GuardState {
    var state = GuardState()
    for step in 0..<steps { state.take(loss: loss + (step % 2 == 0 ? 1e-4 : -1e-4), norm: norm) }
    return state
  }

  @Test func `a loss or a norm far above the smoothed one is a spike, once there is one`() {
    var state = GuardState()
    #expect(state.alarm(loss: 100, norm: 100) == nil)
    state = self.state(loss: 3)
    #expect(state.alarm(loss: 3.2, norm: 1) == nil)
    guard case .loss(4, let deviations)? = state.alarm(loss: 4, norm: 1) else {
      Issue.record("a loss of 4 after 3 is no spike")
      return
    }
    #expect(deviations > 8)
    #expect(state.alarm(loss: 3, norm: 31) == .norm(31, times: 31 / 1))
    #expect(state.alarm(loss: 3, norm: 9) == nil)
    // It is said once, until a step is none.
    state.take(loss: 4, norm: 1)
    #expect(state.isAlarmed && !state.isSuspect)
    state.take(loss: 3, norm: 1)
    #expect(!state.isAlarmed)
  }

  @Test func `weights are spoilt when the loss stays far above its lowest`() {
    var state = self.state(loss: 2)
    for _ in 0..<5 { state.take(loss: 9, norm: 1) }
    #expect(state.isSuspect && !state.isSpoilt)
    var just = 0
    for _ in 0..<40 {
      state.take(loss: 9, norm: 1)
      just += state.hasJustSpoilt ? 1 : 0
    }
    #expect(state.isSpoilt && just == 1)
    // One bad batch is none of that.
    state = self.state(loss: 2)
    state.take(loss: 9, norm: 1)
    for _ in 0..<40 { state.take(loss: 2, norm: 1) }
    #expect(!state.isSuspect)
  }

  private var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.steps = 90
    recipe.batch.rows = 1
    recipe.schedule.kind = .constant
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (0, 0, 0)
    return recipe
  }

  /// Trains from a checkpoint with the guard.
  private func guarded(_ recipe: Recipe, from checkpoint: Checkpoint, isAttended: Bool = false) throws
    -> (log: Log, ending: Ending, checkpoint: Checkpoint)
  {
    let trainer = try Trainer(
      recipe: recipe, corpus: Tiny.corpus(recipe), from: checkpoint, threads: 1, name: "guarded")
    trainer.startGuarding(after: 0, isSameText: true)
    let log = Log()
    let ending = trainer.run(
      obeying: Mailbox<Request>(), isAttended: isAttended,
      to: Trainer.Outlets(
        report: { log.events.append($0) }, save: { checkpoint in log.checkpoints.append(checkpoint) }))
    return (log, ending, trainer.checkpoint)
  }

  @Test func `batches that spike are left out, and a replay leaves them out too`() throws {
    var recipe = recipe
    recipe.steps = 60
    let before = try Tiny.train(recipe, threads: 1)
    recipe.steps = 90
    let unguarded = try Tiny.train(recipe, from: before.checkpoint, threads: 1)
    recipe.guard.on = ["nonfinite", "spike"]
    recipe.guard.does = .skip
    recipe.guard.most = 1000
    // About every second of the next batches is above what the guard takes for usual.
    let losses = unguarded.log.steps.prefix(15).map { Double($0.losses[0].loss) }.sorted()
    var checkpoint = before.checkpoint
    checkpoint.state.guarded = state(loss: losses[7] / 1.08, norm: 1000)
    let run = try guarded(recipe, from: checkpoint)
    let skips = run.log.occurrences.filter { $0.kind == .skip }
    #expect(run.ending.reason == .finished && run.log.steps.last?.step == 90)
    #expect(!skips.isEmpty && skips.allSatisfy { $0.actor == .guard && $0.text.contains("a bad batch") }, "\(skips)")

    func replayed(_ edits: [ReplayedCommand]) throws -> [Float] {
      let trainer = try Trainer(
        recipe: recipe, corpus: Tiny.corpus(recipe), from: checkpoint, threads: 1, name: "replay")
      var losses: [Float] = []
      #expect(
        try trainer.replay(edits, to: 90) { report in
          losses.append(report.total)
          return true
        })
      return losses
    }
    let edits = skips.compactMap { ReplayedCommand($0) }
    #expect(edits.count == skips.count)
    #expect(try replayed(edits) == run.log.steps.map(\.total))
    #expect(try replayed(Array(edits.dropFirst())) != run.log.steps.map(\.total))
  }

  /// What the guard says of two more steps after losses and norms that lay at some shares of the last steps' lowest.
  private func alerts(loss: Double, norm: Double) throws -> [Occurrence] {
    var recipe = recipe
    let before = try Tiny.train(recipe, threads: 1)
    recipe.steps = 92
    var checkpoint = before.checkpoint
    let last = before.log.steps.suffix(20)
    checkpoint.state.guarded = state(
      loss: loss * Double(last.map { $0.losses[0].loss }.min() ?? 0),
      norm: norm * Double(last.map(\.gradientNorm).min() ?? 0))
    let run = try guarded(recipe, from: checkpoint)
    #expect(run.ending.reason == .finished && run.log.steps.count == 2)
    return run.log.occurrences.filter { $0.kind == .alert }
  }

  @Test func `a spike of the gradient is an alert, said once, and the step is taken`() throws {
    let alerts = try alerts(loss: 2, norm: 0.02)
    #expect(alerts.map(\.key) == ["gradient"] && alerts.first?.actor == .guard)
  }

  @Test func `a spike of the loss is left to who watches the events, and the step is taken`() throws {
    #expect(try alerts(loss: 0.9, norm: 1) == [])
  }

  @Test func `spoilt weights end a run that nobody watches, and their checkpoint says so`() throws {
    var recipe = recipe
    let before = try Tiny.train(recipe, threads: 1)
    recipe.steps = 400
    recipe.save.every = 5
    var checkpoint = before.checkpoint
    // Losses that these weights cannot have: as if they had been far better.
    checkpoint.state.guarded = state(loss: 0.1)
    let run = try guarded(recipe, from: checkpoint)
    #expect(run.ending.reason == .diverged && run.ending.step < 200)
    let last = try #require(run.log.occurrences.last)
    #expect(last.kind == .diverged && last.text.contains("the weights are spoilt"), "\(last.text)")
    #expect(last.text.contains("foretop resume guarded --step 90"), "\(last.text)")
    #expect(run.log.checkpoints.last?.state.guarded?.isSuspect == true)
    let waiting = try guarded(recipe, from: checkpoint, isAttended: false)
    #expect(waiting.log.steps.map(\.total) == run.log.steps.map(\.total))
  }
}
