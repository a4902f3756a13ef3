// A run that never was, as a function of the step: what any process writes, any other can check.
import Foundation
import Run
import Support

package enum Sample {
  /// A recipe whose model is tiny, with both heads.
  package static var recipe: Recipe {
    var recipe = Recipe.tiny(blocks: 2, width: 8)
    recipe.tokenizer.kind = .sentencepiece
    recipe.steps = 1_000_000
    recipe.save.keep = 2
    return recipe
  }

  package static func beginning(_ name: String, step: Int = 0, recipe: Recipe = recipe) -> Beginning {
    Beginning(
      name: name, recipe: recipe, step: step, tokens: step * 4096, time: 1_700_000_000 + Double(step), parameters: 5000,
      threads: 2, precision: "bf16", corpus: "kjv.txt, 31 102 lines", vocabulary: 20, trainingTokens: 1_000_000,
      heldOutTokens: 50_000, unigramEntropy: 6.5)
  }

  /// A number in 0..<1 that a file's 32-bit columns hold exactly.
  private static func noise(_ step: Int, _ stream: Int) -> Double {
    var x = UInt64(truncatingIfNeeded: step) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(stream) &* 0xD1B5_4A32_D192_ED03
    x ^= x >> 31
    x = x &* 0x94D0_49BB_1331_11EB
    x ^= x >> 29
    return Double(x >> 41) / 8_388_608
  }

  private static func losses(_ step: Int, _ stream: Int) -> [HeadLoss] {
    [
      HeadLoss(head: .ntp, loss: Float(1 + noise(step, stream)), positions: 0),
      HeadLoss(
        head: .top, loss: Float(2 + noise(step, stream + 1)), kl: Float(noise(step, stream + 2)), positions: 0),
    ]
  }

  package static func report(_ step: Int) -> StepReport {
    StepReport(
      step: step, tokens: step * 4096, time: 1_700_000_000 + Double(step) * 0.25, active: Double(step) * 0.2,
      total: Float(3 + noise(step, 1)), losses: losses(step, 2), rate: 1e-3 * noise(step, 5),
      gradientNorm: Float(noise(step, 6)), tokensPerSecond: 1024 * noise(step, 7),
      phases: Phases(
        data: noise(step, 8), forward: noise(step, 9), heads: noise(step, 10), backward: noise(step, 11),
        update: noise(step, 12)))
  }

  /// - Parameter isBest: whether the loss of the first head is lower than at every multiple of `every` before.
  package static func evaluation(_ step: Int, every: Int = 20) -> Evaluation {
    var losses = losses(step, 20)
    losses[0].accuracy = Float(noise(step, 26))
    let order = OrderQuality(
      ndcg8: Float(noise(step, 27)), tau: Float(noise(step, 28) - 0.5), recall8: Float(noise(step, 29)),
      reciprocalRank: Float(noise(step, 32)))
    let earlier = stride(from: every, to: step, by: every).map { Self.losses($0, 20)[0].loss }.min() ?? .infinity
    return Evaluation(
      step: step, tokens: step * 4096, time: 1_700_000_000 + Double(step), losses: losses,
      order: order, isBest: losses[0].loss < earlier, seconds: noise(step, 25))
  }

  package static func text(_ step: Int) -> TextSample {
    TextSample(step: step, prompt: "In the", text: "beginning “\(step)”\n" + String(repeating: "é", count: step % 50))
  }

  package static func order(_ step: Int) -> OrderSample {
    OrderSample(
      step: step, probe: step % 3, probes: 3, context: ["▁In", "▁the"],
      upcoming: [.init(token: "▁be", distance: 1, weight: Float(noise(step, 30)), rank: 1 + step % 7)],
      ranking: ["▁be", "gin"], ndcg8: Float(noise(step, 31)), tau: -0.5, recall8: 0.25, reciprocalRank: 1)
  }

  package static func occurrence(_ step: Int) -> Occurrence {
    Occurrence(
      .rate, step: step, time: 1_700_000_000 + Double(step), key: "rate", old: noise(step, 40), new: noise(step, 41),
      actor: .key, text: "rate ×1.1 at step \(step)")
  }

  /// All that happens at a step, but for checkpoints.
  package static func events(at step: Int) -> [Event] {
    var events: [Event] = [.stepped(report(step))]
    if step % 20 == 0 { events.append(.evaluated(evaluation(step))) }
    if step % 10 == 0 { events += [.wrote(text(step)), .ordered(order(step))] }
    if step % 15 == 0 { events.append(.occurred(occurrence(step))) }
    return events
  }

  /// A checkpoint of the recipe's model.
  /// - Parameter seed: makes other weights for the same step.
  package static func checkpoint(_ step: Int, seed: Int = 0, recipe: Recipe = recipe) -> Checkpoint {
    let width = recipe.model.width
    let inner = recipe.model.inner
    let keyValues = width / recipe.model.heads * recipe.model.keyValueHeads
    var shapes: [(String, [Int])] = [("model/embed_tokens/weight", [20, width])]
    for block in 0..<recipe.model.blocks {
      let layer = "model/layers/\(block)/"
      shapes += [
        (layer + "input_layernorm/weight", [width]), (layer + "self_attn/q_proj/weight", [width, width]),
        (layer + "self_attn/k_proj/weight", [keyValues, width]),
        (layer + "self_attn/v_proj/weight", [keyValues, width]),
        (layer + "self_attn/o_proj/weight", [width, width]), (layer + "post_attention_layernorm/weight", [width]),
        (layer + "mlp/gate_proj/weight", [inner, width]), (layer + "mlp/up_proj/weight", [inner, width]),
        (layer + "mlp/down_proj/weight", [width, inner]),
      ]
    }
    shapes += [
      ("model/norm/weight", [width]), ("lm_head/weight", [20, width]), ("top_head/weight", [20, width]),
    ]
    var tensors: [Checkpoint.Tensor] = []
    var count = 0
    for (path, shape) in shapes {
      tensors.append(Checkpoint.Tensor(path: path, shape: shape, offset: count))
      // Blocks are padded so that every tensor starts at a multiple of 16.
      count += (shape.reduce(1, *) + 15) / 16 * 16
    }
    func block(_ stream: Int) -> [Float] {
      var block = [Float](repeating: 0, count: count)
      for tensor in tensors {
        for place in tensor.offset..<tensor.offset + tensor.count {
          block[place] = Float(noise(place &+ step &* 1_000_003, stream + seed) - 0.5)
        }
      }
      return block
    }
    var state = TrainerState(seed: 7, threads: 2)
    state.step = step
    state.tokens = step * 4096
    state.window = step * 16
    state.rateFactor = 1.1
    state.active = Double(step) * 0.2
    return Checkpoint(
      state: state, recipe: recipe,
      tokenizer: TokenizerRecord(kind: "characters", model: Array("abcdefghijklmnopqrs".utf8), vocabulary: 20),
      tensors: tensors, weights: block(50), firstMoments: block(60), secondMoments: block(70))
  }
}
