// What comes between steps: samples, evaluations, checkpoints.
import Corpus
import Foundation
import Kernels
import Run
import Testing
import Training

extension TrainerTests {
  @Test func `samples, evaluations and checkpoints come when they are due, and at the end`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 10
    let log = try Tiny.train(recipe).log
    #expect(log.evaluations.map(\.step) == [6, 10])
    #expect(log.texts.map(\.step) == [6, 10])
    #expect(log.samples.map(\.step) == [6, 10])
    #expect(log.checkpoints.map(\.state.step) == [4, 8, 10])
    #expect(log.steps.map(\.tokens) == (1...10).map { $0 * 64 })
    // After a step comes what it makes due: what the tests of the screen make up is in this order too.
    let kinds = log.events.map { event in
      switch event {
      case .stepped(let report): "step \(report.step)"
      case .ordered: "order"
      case .wrote: "text"
      case .evaluated: "evaluation"
      default: "other"
      }
    }
    #expect(
      kinds == (1...6).map { "step \($0)" } + ["order", "text", "evaluation"] + (7...10).map { "step \($0)" }
        + ["order", "text", "evaluation"])
  }

  @Test func `evaluations tell accuracies and rank quality, the same again`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 60
    recipe.evaluate.every = 30
    recipe.model.blocks = 3
    recipe.objective.mtp.heads = 2
    let evaluations = try Tiny.train(recipe).log.evaluations
    for evaluation in evaluations {
      #expect(evaluation.losses.map { $0.accuracy != nil } == [true, true, false])
      #expect(evaluation.losses.dropLast().allSatisfy { $0.accuracy! > 0.05 && $0.accuracy! < 1 })
      let order = try #require(evaluation.order)
      #expect(order.parts.allSatisfy { $0.value.isFinite && abs($0.value) <= 1 })
      #expect(order.recall8 > 0.05)
    }
    #expect(evaluations[0].order != evaluations[1].order)
    #expect(try Tiny.train(recipe).log.evaluations.map(\.order) == evaluations.map(\.order))
    recipe.objective.top = 0
    #expect(try Tiny.train(recipe).log.evaluations.allSatisfy { $0.order == nil })
  }

  @Test func `that there is no held-out text is said once, however many evaluations are due`() throws {
    var recipe = Tiny.recipe
    recipe.data.heldOut = 0
    recipe.evaluate.every = 3
    let log = try Tiny.train(recipe).log
    #expect(log.evaluations.isEmpty)
    #expect(log.occurrences.filter { $0.text.contains("data.heldOut is 0") }.map(\.step) == [3])
  }

  @Test func `evaluations look at no more held-out tokens than asked for`() throws {
    var recipe = Tiny.recipe
    let all = try Tiny.train(recipe)
    recipe.evaluate.tokens = 3 * recipe.model.context + 1
    let some = try Tiny.train(recipe)
    #expect(numbers(some.log.steps) == numbers(all.log.steps))
    #expect(
      some.log.evaluations.map(\.losses[0].positions) == all.log.evaluations.map { _ in 3 * recipe.model.context })
    #expect(some.log.evaluations[0].losses[0].loss != all.log.evaluations[0].losses[0].loss)
    recipe.evaluate.tokens = 1
    #expect(try Tiny.train(recipe).log.evaluations[0].losses[0].positions == recipe.model.context)
    // What is asked of a checkpoint is measured on all of a text.
    let whole = try Tiny.corpus(recipe).heldOut
    #expect(
      try TrainedNetwork(some.checkpoint, threads: 1).measure(on: whole).losses[0].positions
        == all.log.evaluations[0].losses[0].positions)
  }

  @Test func `separate documents train, are evaluated and looked at as such`() throws {
    var recipe = Tiny.recipe
    let packed = try Tiny.train(recipe)
    recipe.data.separator = "deck"
    #expect(numbers(try Tiny.train(recipe).log.steps) == numbers(packed.log.steps))
    recipe.data.documents = .separate
    let separate = try Tiny.train(recipe)
    #expect(numbers(separate.log.steps) != numbers(packed.log.steps))
    #expect(numbers(try Tiny.train(recipe).log.steps) == numbers(separate.log.steps))
    // The last token before a document's end has nothing to predict.
    let positions = separate.log.evaluations[0].losses[0].positions
    #expect(positions < packed.log.evaluations[0].losses[0].positions && positions > 0)
    let first = try Tiny.corpus(recipe).heldOut
    let reader = try TrainedNetwork(separate.checkpoint, threads: 1)
    #expect(try reader.measure(on: first).losses[0].positions == separate.log.evaluations.last?.losses[0].positions)
  }
}
