// The machine's limit for a network. `foretop bench`, `foretop plan` and the machine panel compare a run's speed with this one.

/// The speed of a training that is nothing but matrix products: each takes as long as oneDNN computes it alone, on all of the
/// run's threads and in the run's precision. The products of linear layers are measured; all other operations (attention's, those
/// of memory layers, and of drawn inputs) count at the same speed.
package struct MachineLimit: Sendable, Equatable {
  /// FLOP/s of the linear layers' products: forward, and both gradients.
  package var operationsPerSecond: Double
  /// FLOPs of a token in training, as `foretop plan` counts them.
  package var operationsPerToken: Double

  package init(operationsPerSecond: Double, operationsPerToken: Double) {
    self.operationsPerSecond = operationsPerSecond
    self.operationsPerToken = operationsPerToken
  }

  /// The limit in tokens per second. A run's tokens per second divided by these are its share of the limit.
  package var tokensPerSecond: Double { operationsPerSecond / operationsPerToken }

  /// The seconds of so many tokens at the limit.
  package func seconds(of tokens: Double) -> Double { tokens / tokensPerSecond }

  /// `limit 12.3 k tokens/s: the matrix products alone, 441 GFLOP/s`.
  package var line: String {
    "limit \(Figure.short(tokensPerSecond)) tokens/s: the matrix products alone, \(Figure.short(operationsPerSecond))FLOP/s"
  }
}

extension Occurrence {
  /// The machine's limit in tokens per second, where the line reports one: the answer to `limit`.
  package var limit: Double? {
    guard kind == .notice, key == Command.limit.word, let new, new.isFinite, new > 0 else { return nil }
    return new
  }
}
