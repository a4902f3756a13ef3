// Joint multi-token prediction: x[t+2] … from the state at t and the tokens in between.

extension Recipe {
  /// JTP (arXiv 2503.21801): heads for x[t+2] … x[t+1+D], each given the tokens before its own through one small attention layer,
  /// Fetch, that sees nothing but the state at t and the embeddings of x[t] … x[t+D].
  package struct JointTokenSettings: Codable, Sendable, Equatable {
    /// λ of the mean of the heads' losses; 0 leaves the heads out.
    package var weight = 0.0
    /// D: tokens after the next one that are predicted.
    package var tokens = 4
    /// γ: the factor of the state where it is added to a token's embedding.
    package var gamma = 0.5
    /// Whether the embeddings that Fetch reads learn from it.
    package var embeddings = false

    package init() {}

    /// The largest D.
    package static let most = 8
  }
}
