// JTP, joint multi-token prediction (arXiv 2503.21801): x[t+n], n ≥ 2, from the trunk's state at t and the tokens x[t+1] … x[t+n−1],
// so that all heads together give the joint probability of what comes. What reads those tokens is Fetch.
import Kernels
import Run

package struct JointToken: TargetComputation, Sendable, Equatable {
  /// n.
  package var distance: Int
  /// γ: the factor of the state where it is added to a token's embedding.
  package var gamma: Float
  /// Whether the embeddings that Fetch reads learn from it.
  package var learnsEmbeddings: Bool

  package init(distance: Int, gamma: Float = 0.5, learnsEmbeddings: Bool = false) {
    precondition(distance >= 2, "the next token is NTP's")
    self.distance = distance
    self.gamma = gamma
    self.learnsEmbeddings = learnsEmbeddings
  }

  private var token: NextToken { NextToken(distance: distance) }

  /// NTP's serves it.
  var unembedding: String? { nil }
  var ranks: Bool { false }
  var capacity: Int { 1 }
  var lookahead: Int { distance }

  /// A position has a target where no document ends before it: all tokens that Fetch reads for the position lie in its document.
  func fill(
    _ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow, stage: TargetStage?
  ) {
    token.fill(targets, entropy: entropy, row: row, stage: nil)
  }

  func positions(in row: TokenRow) -> Int { token.positions(in: row) }
}
