// The TOP head's ranking at a probe.

/// The TOP head at one held-out position: the true order of the upcoming tokens, and the head's ranking.
package struct OrderSample: Codable, Sendable, Equatable {
  package var step: Int
  /// Which of the fixed probes this is, from 0, and how many there are.
  package var probe: Int
  package var probes: Int
  /// The text before the position, oldest first, in visible form.
  package var context: [String]
  /// The distinct upcoming tokens, nearest first.
  package var upcoming: [Upcoming]
  /// The head's first choices, best first, in visible form.
  package var ranking: [String]
  /// Quality of the ranking at this position: NDCG@8, Kendall τ over the listed tokens, recall@8, 1/rank of the next
  /// token.
  package var ndcg8: Float
  package var tau: Float
  package var recall8: Float
  package var reciprocalRank: Float
  /// The likeliest token of each MTP head beyond the first at this position; nil in samples of older foretops.
  package var further: [Expectation.FurtherChoice]?

  package init(
    step: Int, probe: Int, probes: Int, context: [String], upcoming: [Upcoming], ranking: [String], ndcg8: Float,
    tau: Float, recall8: Float, reciprocalRank: Float
  ) {
    self.step = step
    self.probe = probe
    self.probes = probes
    self.context = context
    self.upcoming = upcoming
    self.ranking = ranking
    self.ndcg8 = ndcg8
    self.tau = tau
    self.recall8 = recall8
    self.reciprocalRank = reciprocalRank
  }
}
