// JTP, trained: the joint probability of what comes, its weight, and runs that go on.
import Corpus
import Foundation
import Run
import Support
import Testing

@testable import Training

struct JointTokenTrainingTests {
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.objective.top = 0
    recipe.objective.jtp.weight = 0.3
    recipe.objective.jtp.tokens = 3
    return recipe
  }

  @Test func `a shared fair bit costs one bit jointly, and two where heads do not know each other`() throws {
    var dice = Dice(5)
    // Two tokens are the same fair bit, and a sign precedes them.
    let text = (0..<4000).map { _ in Bool.random(using: &dice) ? ">11" : ">00" }.joined()
    let bit = log(2.0)
    func last(_ change: (inout Recipe) -> Void) throws -> [String: Double] {
      var recipe = Tiny.recipe
      recipe.objective.top = 0
      recipe.steps = 400
      recipe.schedule.rate = 1e-2
      (recipe.model.blocks, recipe.model.width, recipe.model.inner) = (3, 32, 48)
      // Every window begins with a sign.
      (recipe.batch.rows, recipe.model.context) = (16, 15)
      // Embeddings that begin small beside the states take longer to be read.
      recipe.model.deviation = 0.2
      (recipe.evaluate.every, recipe.sample.every) = (0, 0)
      change(&recipe)
      let (log, ending, _) = try Tiny.train(recipe, on: Corpus(text: text, for: recipe))
      #expect(ending.reason == .finished)
      return Dictionary(
        uniqueKeysWithValues: try #require(log.evaluations.last).losses.map { ($0.head.name, Double($0.loss)) })
    }
    let joint = try last {
      $0.objective.jtp.weight = 1
      $0.objective.jtp.tokens = 1
    }
    let parallel = try last { $0.objective.mtp.heads = 2 }
    // Of three positions, NTP has one to guess. So has a head that knows the token before its own; one that does not has two.
    #expect(abs(joint["ntp"]! - bit / 3) < 0.03, "\(joint)")
    #expect(abs(joint["jtp-2"]! - bit / 3) < 0.03, "\(joint)")
    #expect(abs(parallel["mtp-2"]! - 2 * bit / 3) < 0.03, "\(parallel)")
  }

  @Test func `its heads share the weight, are steered one by one, and go on from a checkpoint`() throws {
    let whole = try Tiny.train(Self.recipe)
    #expect(whole.ending.reason == .finished)
    let first = try #require(whole.log.steps.first)
    #expect(first.losses.map(\.head.name) == ["ntp", "jtp-2", "jtp-3", "jtp-4"])
    #expect(first.losses.dropFirst().allSatisfy { abs($0.weight - 0.1) < 1e-7 })
    let evaluation = try #require(whole.log.evaluations.last)
    #expect(evaluation.losses.allSatisfy { $0.accuracy != nil && $0.gradientAtH ?? 0 > 0 })
    let half = try #require(whole.log.checkpoints.first { $0.state.step == 4 })
    #expect(
      try Tiny.train(Self.recipe, from: half).log.steps.map(\.losses) == whole.log.steps.dropFirst(4).map(\.losses))
    let steered = try Tiny.train(Self.recipe, after: [4: [try Command(typed: "weight jtp-3 0.7")]]).log
    #expect(steered.steps.last?.losses.map(\.weight) == [1, 0.1, 0.7, 0.1])
  }

  @Test(arguments: [OptimizerKind.adamw, .muon])
  func `Fetch learns, embeddings only where asked`(optimizer: OptimizerKind) throws {
    func tensors(learning: Bool) throws -> [String: [Float]] {
      var recipe = Self.recipe
      recipe.optimizer.kind = optimizer
      recipe.objective.jtp.embeddings = learning
      let log = try Tiny.train(recipe).log
      let checkpoint = try #require(log.checkpoints.last)
      return Dictionary(
        uniqueKeysWithValues: checkpoint.tensors.map {
          ($0.path, Array(checkpoint.weights[$0.offset..<$0.offset + $0.shape.reduce(1, *)]))
        })
    }
    let (still, learning) = (try tensors(learning: false), try tensors(learning: true))
    #expect(still["jtp/o_proj/weight"]!.contains { $0 != 0 })
    #expect(still["model/embed_tokens/weight"] != learning["model/embed_tokens/weight"])
  }

  @Test func `it needs next-token prediction`() throws {
    var recipe = Self.recipe
    recipe.objective.ntp = 0
    recipe.objective.top = 1
    #expect(throws: UserError.self) { try recipe.validate(source: "test") }
  }
}
