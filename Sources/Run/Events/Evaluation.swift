// The losses on the held-out part.

/// Losses on the held-out part.
package struct Evaluation: Codable, Sendable, Equatable {
  package var step: Int
  package var tokens: Int
  /// Unix time, seconds.
  package var time: Double
  package var losses: [HeadLoss]
  /// Rank quality of the TOP head; nil if there is none.
  package var order: OrderQuality?
  /// Of star graphs, the share whose first 1, 2, … tokens of the path greedy decoding writes right; empty for text. The last
  /// is that of whole paths.
  package var paths: [Float] = []
  /// Gradients and updates by part of the network; empty where no step was taken before.
  package var gradients: [GroupGradient] = []
  /// True if the NTP loss (or the first head's) is the lowest of this run so far.
  package var isBest: Bool
  /// Duration of the evaluation, in seconds.
  package var seconds: Double

  package init(
    step: Int, tokens: Int, time: Double, losses: [HeadLoss], order: OrderQuality? = nil, paths: [Float] = [],
    gradients: [GroupGradient] = [], isBest: Bool, seconds: Double
  ) {
    self.paths = paths
    self.gradients = gradients
    self.step = step
    self.tokens = tokens
    self.time = time
    self.losses = losses
    self.order = order
    self.isBest = isBest
    self.seconds = seconds
  }
}
