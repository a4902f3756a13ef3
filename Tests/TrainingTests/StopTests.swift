// Runs that end before their last step, and evaluations that a stop cuts short.
import Run
import Testing
import Training

@Suite struct StopTests {
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    (recipe.steps, recipe.evaluate.every, recipe.save.every) = (40, 4, 100)
    return recipe
  }

  @Test func `a run ends at the evaluation that meets the condition, with a checkpoint`() throws {
    let (whole, _, _) = try Tiny.train(Self.recipe)
    let third = try #require(whole.evaluations[2].number(named: "held-out/ntp"))
    var recipe = Self.recipe
    recipe.stop.until = "held-out/ntp <= \(third)"
    try recipe.validate(source: "the test")
    let (log, ending, checkpoint) = try Tiny.train(recipe)
    let first = try #require(whole.evaluations.first { ($0.number(named: "held-out/ntp") ?? .infinity) <= third })
    #expect(ending.reason == .finished && ending.step == first.step)
    #expect(log.checkpoints.last?.state.step == first.step && checkpoint.state.step == first.step)
    #expect(log.occurrences.contains { $0.text.contains("stop.until is reached") })
    // The same steps, to the bit.
    #expect(log.steps.map(\.losses) == whole.steps.prefix(first.step).map(\.losses))
  }

  @Test func `an evaluation that somebody asks for ends nothing`() throws {
    var recipe = Self.recipe
    (recipe.steps, recipe.evaluate.every) = (10, 10)
    recipe.stop.until = "held-out/ntp >= 0"
    let (log, ending, _) = try Tiny.train(recipe, after: [3: [.evaluate]])
    #expect(ending.step == 10 && log.evaluations.map(\.step) == [3, 10])
  }

  @Test func `patience goes on counting after a resumption`() throws {
    var recipe = Self.recipe
    // Nothing is learned, and no loss is lower than the one before.
    recipe.schedule.rate = 1e-30
    (recipe.schedule.warmup, recipe.schedule.kind) = (0, .constant)
    recipe.stop.patience = 4
    let (whole, ending, _) = try Tiny.train(recipe)
    #expect(ending.reason == .finished && ending.step < 40, "\(whole.evaluations.map { $0.losses[0].loss })")
    let (_, _, stopped) = try Tiny.train(recipe, after: [9: [.stop(saving: true)]])
    let (_, again, _) = try Tiny.train(recipe, from: stopped)
    #expect(again.step == ending.step)
  }

  @Test(arguments: [8, 40]) func `an evaluation that a stop cuts short is made up for`(step: Int) throws {
    let (whole, _, _) = try Tiny.train(Self.recipe)
    // The stop comes after the step and before its evaluation: what was asked after a step is looked at between batches.
    let (log, ending, checkpoint) = try Tiny.train(Self.recipe, after: [step: [.stop(saving: true)]])
    #expect(ending.reason == .stopped && ending.step == step)
    let before = log.evaluations
    let (rest, end, _) = try Tiny.train(Self.recipe, from: checkpoint)
    #expect(end.reason == .finished)
    let all = before + rest.evaluations
    #expect(all.map(\.step) == whole.evaluations.map(\.step))
    #expect(all.map { $0.losses.map(\.loss) } == whole.evaluations.map { $0.losses.map(\.loss) })
  }
}
