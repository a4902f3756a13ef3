// How the next token is chosen from the logits.
import Foundation
import Kernels
import Transformer

/// The rules of sampling. They are applied in this order, which is that of transformers: repetition penalty, temperature,
/// top-k, top-p, min-p.
package struct SamplingRules: Sendable, Equatable {
  /// 0 takes the likeliest token; 1 samples from the unchanged distribution.
  package var temperature: Double
  /// Only so many of the likeliest tokens are left; 0 leaves all.
  package var topK = 0
  /// Only the likeliest tokens that have this much probability together are left: one is left out exactly if likelier ones
  /// have as much already. 1 leaves all.
  package var topP = 1.0
  /// Only tokens with at least this share of the likeliest one's probability are left; 0 leaves all.
  package var minP = 0.0
  /// What the logits of all tokens that the text has are divided by where positive, and multiplied with where negative (Keskar
  /// et al. 2019); 1 changes nothing.
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

  /// A token drawn from softmax(logits / temperature) and what the rules leave of it.
  /// - Parameters:
  ///   - index: counts the draws.
  ///   - seen: the tokens that the text has, for the penalty.
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

  /// What each token's probability is proportional to: 1 for the likeliest, 0 for what the rules leave out.
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
      // However little is asked for, the likeliest token stays.
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

  /// The likeliest tokens in falling order, of equal ones the lowest first: at least as many as are enough. Only these are put in
  /// order, since a vocabulary takes longer to sort than a token takes to compute.
  /// - Parameter isEnough: of how many tokens, and of their weights' sum.
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
