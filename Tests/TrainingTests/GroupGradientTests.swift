// Gradients and updates by part of the network, and the gradient at h: against what a slow look at the numbers says.
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct GroupGradientTests {
  private static func recipe(_ optimizer: OptimizerKind, decay: Double = 0.1) -> Recipe {
    var recipe = Tiny.recipe
    recipe.model.blocks = 2
    recipe.optimizer.kind = optimizer
    recipe.optimizer.weightDecay = decay
    return recipe
  }

  /// The numbers of each tensor.
  private static func weights(of trainer: Trainer) -> [[Double]] {
    let base = trainer.model.parameters.weights
    return trainer.model.parameters.layout.tensors.map { tensor in
      (0..<tensor.count).map { Double(base[tensor.offset + $0]) }
    }
  }

  @Test(arguments: [OptimizerKind.adamw, .muon]) func `parts add up to the whole gradient, and updates are what moved`(
    _ optimizer: OptimizerKind
  ) throws {
    let recipe = Self.recipe(optimizer)
    let trainer = try Trainer(recipe: recipe, corpus: Tiny.corpus(recipe), from: nil, threads: 2, name: "groups")
    let sections = trainer.model.parameters.layout.tensors.map(\.description.section)
    #expect(trainer.groupGradients().isEmpty)
    for _ in 0..<4 {
      let before = Self.weights(of: trainer)
      guard case .stepped(let report) = trainer.step() else {
        Issue.record("a step was not taken")
        return
      }
      let after = Self.weights(of: trainer)
      let groups = trainer.groupGradients()
      #expect(groups.map(\.group) == recipe.tensorGroups)
      let norm = groups.reduce(0) { $0 + Double($1.norm) * Double($1.norm) }.squareRoot()
      #expect(abs(norm / Double(report.gradientNorm) - 1) < 1e-4)
      for group in groups {
        var (moved, size) = (0.0, 0.0)
        for (index, section) in sections.enumerated() where section == group.group {
          for (old, new) in zip(before[index], after[index]) {
            moved += (new - old) * (new - old)
            size += new * new
          }
        }
        let expected = (moved / size).squareRoot()
        #expect(abs(Double(group.update) / expected - 1) < 2e-3, "\(optimizer) \(group.group.name)")
      }
    }
  }

  @Test func `the gradient at h is the one that the loss says`() throws {
    let recipe = Self.recipe(.adamw)
    let model = try recipe.network(vocabulary: 256, rows: 4, threads: 2, isTrained: true, from: nil)
    model.parameters.initialize(seed: 3, deviation: 0.2, threads: 2)
    let (rows, context, width) = (model.rows, recipe.model.context, recipe.model.width)
    var dice = Dice(for: "gradient at h")
    let tokens = (0..<rows * (context + recipe.lookahead)).map { _ in Int32.random(in: 0..<256, using: &dice) }
    let stride = context + recipe.lookahead
    let unembedding = try #require(
      model.parameters.layout.tensors.first {
        $0.path.hasPrefix("lm_head") || $0.path.contains("embed_tokens") && recipe.model.tied
      })
    tokens.withUnsafeBufferPointer { tokens in
      let batch = TokenRows(
        tokens: tokens.baseAddress!, rows: rows, context: context, stride: stride, documents: nil)
      let norms = model.gradientsAtHidden(batch, weights: recipe.heads.map { _ in 1 })
      let halves = model.gradientsAtHidden(batch, weights: recipe.heads.map { $0 == .ntp ? 0.5 : 0 })
      #expect(abs(halves[0] / norms[0] - 0.5) < 1e-5 && halves.dropFirst().allSatisfy { $0 == 0 })
      // dh = (softmax(z) − target) · U / M, row by row.
      model.forward(batch)
      var sum = 0.0
      for row in 0..<rows {
        for position in 0..<context {
          let logits = model.logits(head: 0, hidden: model.hidden(row: row, position: position)).map(Double.init)
          let top = logits.max()!
          let total = logits.reduce(0) { $0 + exp($1 - top) }
          let target = Int(tokens[row * stride + position + 1])
          var gradient = [Double](repeating: 0, count: width)
          for (token, logit) in logits.enumerated() {
            let share = exp(logit - top) / total - (token == target ? 1 : 0)
            for i in 0..<width {
              gradient[i] += share * Double(model.parameters.weights[unembedding.offset + token * width + i])
            }
          }
          sum += gradient.reduce(0) { $0 + $1 * $1 }
        }
      }
      let expected = sum.squareRoot() / Double(rows * context)
      #expect(abs(norms[0] / expected - 1) < 1e-3, "\(norms[0]) and \(expected)")
    }
  }

  @Test func `evaluations change no loss, and have every part and every head`() throws {
    var recipe = Self.recipe(.adamw)
    recipe.model.blocks = 3
    recipe.objective.mtp.heads = 2
    recipe.evaluate.every = 2
    let often = try Tiny.train(recipe)
    recipe.evaluate.every = 0
    let once = try Tiny.train(recipe)
    #expect(often.log.steps.map(\.losses) == once.log.steps.map(\.losses))
    #expect(often.log.steps.map(\.gradientNorm) == once.log.steps.map(\.gradientNorm))
    for evaluation in often.log.evaluations {
      #expect(evaluation.gradients.map(\.group) == recipe.tensorGroups)
      #expect(evaluation.gradients.allSatisfy { $0.norm > 0 && $0.update > 0 })
      #expect(evaluation.losses.allSatisfy { ($0.gradientAtH ?? 0) > 0 })
    }
  }
}
