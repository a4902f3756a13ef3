// Inputs that a frozen copy of the network draws: none is the text to the bit; what is drawn, what is masked, and runs that go on.
import Corpus
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@testable import Training

struct DrawnInputTests {
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.data.drawn.share = 0.4
    recipe.data.drawn.every = 3
    return recipe
  }

  @Test func `without drawn inputs a run is the same to the bit, also while the share is still 0`() throws {
    let plain = try Tiny.train(Tiny.recipe).log
    var rising = Self.recipe
    rising.data.drawn.rise = 1_000_000_000
    #expect(try Tiny.train(rising).log.steps[0].losses == plain.steps[0].losses)
    var none = Self.recipe
    none.data.drawn.share = 0
    #expect(try Tiny.train(none).log.steps.map(\.losses) == plain.steps.map(\.losses))
    let drawn = try Tiny.train(Self.recipe).log
    #expect(drawn.steps[0].losses != plain.steps[0].losses)
    // What is predicted, and how many positions count, is the text's.
    #expect(drawn.steps.map { $0.losses.map(\.positions) } == plain.steps.map { $0.losses.map(\.positions) })
  }

  @Test(arguments: [1, 5, 7, 8], [false, true])
  func `a run goes on from any step to the bit, with the weights that were frozen`(step: Int, masks: Bool) throws {
    var recipe = Self.recipe
    recipe.data.drawn.every = 5
    recipe.data.drawn.mask = masks
    recipe.data.drawn.rise = 3
    recipe.save.every = 1
    let whole = try Tiny.train(recipe)
    let half = try #require(whole.log.checkpoints.first { $0.state.step == step })
    #expect(half.drawing.count == half.weights.count && half.drawing != half.weights)
    let rest = try Tiny.train(recipe, from: half)
    #expect(rest.log.steps.map(\.losses) == whole.log.steps.dropFirst(step).map(\.losses))
    #expect(rest.checkpoint.drawing == whole.checkpoint.drawing)
  }

  @Test func `the share is that of the recipe, tokens are likely ones, and their positions can be left out`() throws {
    var recipe = Self.recipe
    recipe.data.drawn.mask = true
    recipe.data.drawn.share = 0.3
    recipe.batch.rows = 64
    recipe.steps = 40
    recipe.schedule.rate = 1e-2
    let corpus = try Tiny.corpus(recipe)
    let trained = try Tiny.train(recipe, on: corpus).checkpoint
    let model = try recipe.network(vocabulary: 256, rows: 64, threads: 2, isTrained: true, from: trained)
    var batches = Batches(
      of: corpus.training, rows: 64, context: recipe.model.context, lookahead: recipe.lookahead, seed: 1)
    let batch = try batches.next()
    func inputs(threads: Int) throws -> (tokens: [Int32], mask: [UInt8]) {
      let drawing = try Drawing(recipe, vocabulary: 256, threads: threads, lookahead: recipe.lookahead)
      drawing.begin(with: model, from: nil)
      try drawing.draw(batch, at: 4, share: recipe.data.drawn.share, model)
      let inputs = try #require(drawing.inputs)
      let count = 64 * batch.stride
      return (
        Array(UnsafeBufferPointer(start: inputs.tokens, count: count)),
        Array(UnsafeBufferPointer(start: try #require(inputs.mask), count: count))
      )
    }
    let (tokens, mask) = try inputs(threads: 2)
    var masked = 0
    for row in 0..<64 {
      for t in 0..<batch.stride {
        let index = row * batch.stride + t
        if mask[index] == 0 {
          masked += 1
          #expect(t > 0 && t < batch.context)
        } else {
          #expect(tokens[index] == batch.tokens[index])
        }
      }
    }
    // Of 64 · 15 places.
    #expect(abs(Double(masked) / (64 * 15) - 0.3) < 0.06, "\(masked)")
    // A trained network draws letters and spaces, an untrained one any byte.
    let likely = tokens.indices.count { mask[$0] == 0 && (tokens[$0] == 32 || (97...122).contains(tokens[$0])) }
    #expect(Double(likely) > 0.2 * Double(masked))
    // On one thread the same places are drawn, and nearly the same tokens: rounding alone differs.
    let single = try inputs(threads: 1)
    #expect(single.mask == mask)
    #expect(zip(single.tokens, tokens).count { $0 != $1 } < 3)
    #expect(try inputs(threads: 2).tokens == tokens)
  }

  @Test func `masked positions do not count, and the frozen copy lasts as long as it should`() throws {
    var recipe = Self.recipe
    recipe.data.drawn.mask = true
    let log = try Tiny.train(recipe).log
    let plain = try Tiny.train(Tiny.recipe).log
    for (step, whole) in zip(log.steps, plain.steps) {
      #expect(step.losses[0].positions < whole.losses[0].positions * 3 / 4)
      #expect(step.losses[0].positions > whole.losses[0].positions / 2)
    }
    recipe.save.every = 1
    let frozen = try Tiny.train(recipe).log.checkpoints.filter { $0.state.step > 0 }
    for checkpoint in frozen where checkpoint.state.step < 12 {
      let origin = (checkpoint.state.step - 1) / 3 * 3
      guard let before = frozen.first(where: { $0.state.step == origin }) else { continue }
      #expect(checkpoint.drawing == before.weights, "step \(checkpoint.state.step)")
    }
  }

  @Test func `documents that are apart begin with their own token`() throws {
    var recipe = Self.recipe
    recipe.data.documents = .separate
    recipe.data.separator = " "
    recipe.data.drawn.share = 1
    recipe.data.drawn.mask = true
    let corpus = try Tiny.corpus(recipe)
    let model = try recipe.network(vocabulary: 256, rows: 4, threads: 2, isTrained: true, from: nil)
    model.parameters.initialize(seed: 1, deviation: 0.02, threads: 2)
    var batches = Batches(
      of: corpus.training, rows: 4, context: recipe.model.context, lookahead: recipe.lookahead, seed: 1)
    let batch = try batches.next()
    let drawing = try Drawing(recipe, vocabulary: 256, threads: 2, lookahead: recipe.lookahead)
    drawing.begin(with: model, from: nil)
    try drawing.draw(batch, at: 0, share: 1, model)
    let inputs = try #require(drawing.inputs)
    let documents = try #require(batch.documents)
    for row in 0..<4 {
      for t in 0..<batch.context {
        let index = row * batch.stride + t
        let begins = t == 0 || documents[index] != documents[index - 1]
        #expect((inputs.mask![index] == 0) == !begins)
      }
    }
  }
}
