// What the network is trained to predict. The name of a head is the same in recipes, charts, JSON and run files.

/// A prediction head, and the loss it is trained on.
package enum Head: Hashable, Codable, Sendable {
  /// The next token: cross-entropy at x[t+1]. This head is the one used for generation.
  case ntp
  /// Multi-token prediction: cross-entropy at x[t+n], n = 2, 3, … What is 1 is `ntp`.
  case mtp(Int)
  /// Token order prediction (arXiv 2508.19228, equation 5): the upcoming tokens, ranked by how soon they come.
  case top

  /// All possible heads, in the order of every output.
  package static let all = [Head.ntp] + (2...most).map(Head.mtp) + [.top]

  /// The largest n of `mtp`.
  package static let most = 16

  /// `ntp`, `mtp-2`, `top`.
  package var name: String {
    switch self {
    case .ntp: "ntp"
    case .mtp(let n): "mtp-\(n)"
    case .top: "top"
    }
  }

  /// Whether its loss has a floor above zero (the entropy of its targets), so that its KL divergence is reported too.
  package var hasFloor: Bool { self == .top }

  /// Whether it predicts one token, so that it can be right or wrong.
  package var hasAccuracy: Bool { self != .top }
}

/// What one head lost over the positions that count for it.
package struct HeadLoss: Codable, Sendable, Equatable {
  package var head: Head
  /// Mean cross-entropy in nats; 0 where no position counts.
  package var loss: Float
  /// Loss minus the entropy of the targets, in nats: can reach 0. Only for heads that have a floor.
  package var kl: Float?
  /// The share of the positions whose token is the likeliest of all for this head: measured in evaluations, for heads that
  /// predict one token.
  package var accuracy: Float?
  /// λ, the factor of this loss in the total.
  package var weight: Float
  /// How many positions counted.
  package var positions: Int

  package init(
    head: Head, loss: Float, kl: Float? = nil, accuracy: Float? = nil, weight: Float = 1, positions: Int
  ) {
    self.head = head
    self.loss = loss
    self.kl = kl
    self.accuracy = accuracy
    self.weight = weight
    self.positions = positions
  }
}

/// How well the TOP head ranks what comes, as means over a fixed set of held-out positions.
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

  /// Its numbers, by their names in every output.
  package var parts: [(name: String, value: Float)] {
    [("ndcg8", ndcg8), ("tau", tau), ("recall8", recall8), ("mrr", reciprocalRank)]
  }
}
