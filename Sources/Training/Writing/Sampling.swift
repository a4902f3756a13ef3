// Sampling: the choice of the next token from the logits.
import Foundation
import Kernels
import Transformer

/// The rules of sampling. They are applied in this order, which is that of transformers: repetition penalty, temperature,
/// top-k, top-p, min-p.
package struct SamplingRules: Sendable, Equatable {
  /// 0 takes the likeliest token; 1 samples from the unchanged distribution.
  package var temperature: Double
  /// The number of likeliest tokens to keep; 0 keeps all.
  package var topK = 0
  /// The probability of the likeliest tokens to keep: a token is dropped if likelier ones already have this probability
  /// together. 1 keeps all.
  package var topP = 1.0
  /// Keeps tokens with at least this share of the likeliest token's probability; 0 keeps all.
  package var minP = 0.0
  /// The penalty of tokens in the text: positive logits are divided by it, negative ones multiplied with it (Keskar et al.
  /// 2019); 1 changes nothing.
  package var repetitionPenalty = 1.0

  package init(temperature: Double) { self.temperature = temperature }
}

/// Chooses tokens of one text.
struct Sampling {
  var rules: SamplingRules
  var random: RandomStream

  init(temperature: Double, random: RandomStream) {
    self.init(rules: SamplingRules(temperature: temperature), random: random)
  }

  init(rules: SamplingRules, random: RandomStream) {
    self.rules = rules
    self.random = random
  }

  /// Draws a token from softmax(logits / temperature), restricted by the rules.
  /// - Parameters:
  ///   - index: the number of the draw.
  ///   - seen: the text's tokens, for the penalty.
  func token(from logits: [Float], index: Int, seen: Set<Int32> = []) -> Int32 {
    let logits = penalized(logits, seen)
    let best = logits.largest
    guard rules.temperature > 0 else { return best }
    let weights = weights(of: logits, best: Int(best))
    var rest = random.uniform(UInt64(index)) * weights.reduce(0, +)
    for (token, weight) in weights.enumerated() where weight > 0 {
      rest -= weight
      if rest <= 0 { return Int32(token) }
    }
    return best
  }

  private func penalized(_ logits: [Float], _ seen: Set<Int32>) -> [Float] {
    guard rules.repetitionPenalty != 1 else { return logits }
    var logits = logits
    let penalty = Float(rules.repetitionPenalty)
    for token in seen {
      let logit = logits[Int(token)]
      logits[Int(token)] = logit > 0 ? logit / penalty : logit * penalty
    }
    return logits
  }

  /// Numbers proportional to the tokens' probabilities: 1 for the likeliest token, 0 for tokens that the rules drop.
  func weights(of logits: [Float], best: Int) -> [Double] {
    let top = Double(logits[best])
    var weights = logits.map { exp((Double($0) - top) / rules.temperature) }
    if rules.topK > 0 && rules.topK < weights.count {
      keep(leading(weights) { count, _ in count >= rules.topK }.prefix(rules.topK), in: &weights)
    }
    if rules.topP < 1 {
      let enough = rules.topP * weights.reduce(0, +)
      var sum = 0.0
      let order = leading(weights) { _, sum in sum >= enough }
      let kept = order.prefix { token in
        defer { sum += weights[token] }
        return sum < enough
      }
      // The likeliest token always stays.
      keep(kept.isEmpty ? order.prefix(1) : kept, in: &weights)
    }
    if rules.minP > 0 { for token in weights.indices where weights[token] < rules.minP { weights[token] = 0 } }
    return weights
  }

  private func keep(_ tokens: ArraySlice<Int>, in weights: inout [Double]) {
    var kept = [Double](repeating: 0, count: weights.count)
    for token in tokens { kept[token] = weights[token] }
    weights = kept
  }

  /// The likeliest tokens in falling order, of equal ones the lowest first, until `isEnough`. Only these are sorted, since
  /// sorting a whole vocabulary takes longer than computing a token.
  /// - Parameter isEnough: receives the number of tokens and the sum of their weights.
  private func leading(_ weights: [Double], isEnough: (Int, Double) -> Bool) -> [Int] {
    var floor = 0x1p-4
    while true {
      let some = weights.indices.filter { weights[$0] >= floor }
      if floor == 0 || isEnough(some.count, some.reduce(0) { $0 + weights[$1] }) {
        return some.sorted { (weights[$0], $1) > (weights[$1], $0) }
      }
      floor = floor < 0x1p-60 ? 0 : floor * 0x1p-4
    }
  }
}
