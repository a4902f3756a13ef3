// How well TOP ranks.

/// Rank quality of the TOP head, as means over a fixed set of held-out positions.
package struct OrderQuality: Codable, Sendable, Equatable {
  /// Normalized discounted cumulative gain of the first 8 places; the gain of the token that is i-th to come is 2^−i.
  package var ndcg8: Float
  /// Kendall's τ over the pairs of upcoming tokens: 1 the same order, −1 the reverse.
  package var tau: Float
  /// The share of the 8 nearest tokens that are among the first 8 places.
  package var recall8: Float
  /// 1 / rank of the next token.
  package var reciprocalRank: Float

  package init(ndcg8: Float = .nan, tau: Float = .nan, recall8: Float = .nan, reciprocalRank: Float = .nan) {
    self.ndcg8 = ndcg8
    self.tau = tau
    self.recall8 = recall8
    self.reciprocalRank = reciprocalRank
  }

  /// The numbers, by their names in every output.
  package var parts: [(name: String, value: Float)] {
    [("ndcg8", ndcg8), ("tau", tau), ("recall8", recall8), ("mrr", reciprocalRank)]
  }
}
