// Text from a network, a token at a time.
import Foundation
import Kernels
import Transformer

/// How the next token is drawn.
struct Sampling {
  /// 0 takes the likeliest; 1 draws from the distribution as it is.
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
  /// Goes on writing after a prompt.
  /// - Parameters:
  ///   - prompt: tokens to begin with, of which the last that the context holds count; an empty one begins with token 0.
  ///   - each: told every token; false stops.
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
