// Checkpoints that leave out the moments of memory layers' tables.
import Foundation
import Run
import Testing

@testable import Training

@Suite struct WeightsOnlyTests {
  private static func recipe(_ optimizer: OptimizerKind = .adamw, leaves: Bool = true) -> Recipe {
    var recipe = Tiny.recipe
    recipe.model.memory.keys = 24
    (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 8)
    (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 4)
    recipe.optimizer.kind = optimizer
    recipe.save.weightsOnly = leaves
    return recipe
  }

  @Test(arguments: [OptimizerKind.adamw, .muon])
  func `tables begin without moments again, everything else goes on`(optimizer: OptimizerKind) throws {
    let whole = try Tiny.train(Self.recipe(optimizer, leaves: false))
    let run = try Tiny.train(Self.recipe(optimizer))
    #expect(run.log.steps.map(\.total) == whole.log.steps.map(\.total), "what is saved changes no step")
    let checkpoint = try #require(run.log.checkpoints.first { $0.state.step == 4 })
    let full = try #require(whole.log.checkpoints.first { $0.state.step == 4 })
    #expect(checkpoint.weights == full.weights)
    let moments = checkpoint.firstMoments.count
    #expect(moments == checkpoint.secondMoments.count && moments < checkpoint.weights.count)
    #expect(checkpoint.firstMoments == Array(full.firstMoments[..<moments]))
    #expect(checkpoint.secondMoments == Array(full.secondMoments[..<moments]))
    let left = checkpoint.tensors.filter { !checkpoint.tensorsWithMoments.contains($0) }.map(\.path)
    #expect(left == ["model/layers/0/memory/table/weight"])
    // As if the moments of the tables had been zero.
    var cleared = full
    for index in moments..<full.weights.count { (cleared.firstMoments[index], cleared.secondMoments[index]) = (0, 0) }
    let rest = try Tiny.train(Self.recipe(optimizer), from: checkpoint)
    let expected = try Tiny.train(Self.recipe(optimizer), from: cleared)
    #expect(rest.log.steps.map(\.total) == expected.log.steps.map(\.total))
    // The weights of the first step are those of before, and the moments tell only later.
    let losses = whole.log.steps.map(\.total)[4...]
    #expect(rest.log.steps[0].total == losses[4] && rest.log.steps.map(\.total) != Array(losses))
  }

  @Test func `a session says that moments were left out, and only then`() throws {
    func step(_ recipe: Recipe, from checkpoint: Checkpoint?) throws -> Int? {
      try Trainer(recipe: recipe, corpus: Tiny.corpus(recipe), from: checkpoint, threads: 1, name: "a")
        .stepWithoutMoments
    }
    let saved = try Tiny.train(Self.recipe()).log.checkpoints[0]
    #expect(try step(Self.recipe(), from: saved) == 4 && step(Self.recipe(), from: nil) == nil)
    // With moments from now on: these were left out all the same.
    #expect(try step(Self.recipe(leaves: false), from: saved) == 4)
    let full = try Tiny.train(Self.recipe(leaves: false)).log.checkpoints[0]
    #expect(try step(Self.recipe(), from: full) == nil)
    var dense = Self.recipe()
    dense.model.memory.keys = 0
    let other = try Tiny.train(dense).log.checkpoints[0]
    #expect(other.firstMoments.count == other.weights.count && !dense.leavesOutMoments)
    #expect(try step(dense, from: other) == nil)
  }

  @Test func `a plan knows the size`() throws {
    let full = try RunPlan(Self.recipe(leaves: false), vocabulary: 256, threads: 1)
    let less = try RunPlan(Self.recipe(), vocabulary: 256, threads: 1)
    let table = 24 * 24 * 16
    #expect(full.checkpointBytes - less.checkpointBytes == 8 * table)
    #expect(full.bytes - less.bytes == 8 * table, "the copy in memory is smaller, too")
  }
}
