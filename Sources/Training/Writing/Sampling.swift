// Generates text with a network, token by token.
import Foundation
import Kernels
import Transformer

/// How the next token is sampled.
struct Sampling {
  /// Sampling temperature: 0 takes the likeliest token; 1 samples from the unchanged distribution.
  var temperature: Double
  var random: RandomStream

  /// A token drawn from softmax(logits / temperature); `index` counts the draws.
  func token(from logits: [Float], index: Int) -> Int32 {
    let best = logits.indices.max { logits[$0] < logits[$1] } ?? 0
    guard temperature > 0 else { return Int32(best) }
    let top = Double(logits[best])
    let weights = logits.map { exp((Double($0) - top) / temperature) }
    var rest = random.uniform(UInt64(index)) * weights.reduce(0, +)
    for (token, weight) in weights.enumerated() {
      rest -= weight
      if rest <= 0 { return Int32(token) }
    }
    return Int32(best)
  }
}

extension Transformer {
  /// Generates text after a prompt.
  /// - Parameters:
  ///   - prompt: the tokens to continue, of which only as many of the last as the context holds are used; an empty
  ///     prompt begins with token 0.
  ///   - each: receives every token; generation stops when it returns false.
  func write(
    after prompt: [Int32], tokens count: Int, sampling: Sampling, each: (Int32) -> Bool
  ) throws {
    var decoder = try Decoder(configuration)
    try decoder.read(prompt.isEmpty ? [0] : Array(prompt.suffix(configuration.context)), by: self)
    for index in 0..<count {
      let token = sampling.token(from: decoder.logits(of: self), index: index)
      guard each(token) else { return }
      if index + 1 < count { try decoder.read(token, by: self) }
    }
  }
}
