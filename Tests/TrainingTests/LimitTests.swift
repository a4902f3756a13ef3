// The machine's limit, measured between two steps: it is of the run's network, and the training is what it would have been.
import Run
import Testing

@testable import Training

@Suite struct LimitTests {
  private func losses(_ log: Log) -> [[UInt32]] { log.steps.map { $0.losses.map(\.loss.bitPattern) } }

  @Test(arguments: [1, 2]) func `measuring the limit changes no loss`(threads: Int) throws {
    let plain = try Tiny.train(Tiny.recipe, threads: threads)
    let measured = try Tiny.train(Tiny.recipe, asking: [.limit], after: [3: [.limit], 7: [.limit]], threads: threads)
    #expect(losses(measured.log) == losses(plain.log) && plain.log.steps.count == 12)
    #expect(measured.checkpoint.weights == plain.checkpoint.weights)
    let limits = measured.log.occurrences.filter { $0.limit != nil }
    #expect(limits.map(\.step) == [0, 3, 7] && limits.allSatisfy { $0.actor == .key })
    #expect(measured.log.occurrences.count == plain.log.occurrences.count + 3)
  }

  @Test func `a paused run measures it, too`() throws {
    let result = try Tiny.train(
      Tiny.recipe, asking: [.pause, .limit, .proceed], after: [2: [.stop(saving: false)]], isAttended: true)
    let log = result.log.occurrences
    #expect(log.map(\.kind) == [.pause, .notice, .proceed] && log[1].limit != nil)
  }

  /// Heads of the trunk, heads of a further stream, and a layer that is larger than what is measured at a time.
  @Test(arguments: ["objective: {top: 1}", "objective: {mtp: {heads: 2}}", "model: {inner: 40000}"])
  func `the limit is of all operations of a token`(yaml: String) throws {
    var recipe = try Recipe(yaml: yaml, source: "test")
    (recipe.model.blocks, recipe.model.width, recipe.model.context) = (3, 64, 16)
    (recipe.model.heads, recipe.model.keyValueHeads, recipe.batch.rows) = (2, 2, 4)
    let plan = try RunPlan(recipe, vocabulary: 300, threads: 1)
    let limit = try plan.measuredLimit()
    #expect(limit.operationsPerToken == plan.network.operationsPerToken && limit.operationsPerToken > 0)
    #expect(limit.operationsPerSecond > 0 && limit.operationsPerSecond.isFinite)
    #expect(limit.tokensPerSecond == limit.operationsPerSecond / limit.operationsPerToken)
  }

  @Test func `drawn inputs count as the plan counts them`() throws {
    var recipe = Tiny.recipe
    recipe.data.drawn.share = 0.2
    let plan = try RunPlan(recipe, vocabulary: 64, threads: 1)
    #expect(plan.drawingOperations > 0)
    #expect(plan.operationsPerToken == plan.network.operationsPerToken + plan.drawingOperations)
    let limit = try plan.measuredLimit()
    #expect(limit.operationsPerToken == plan.operationsPerToken)
  }
}
