// The table of objectives: what a head predicts. The next objective is one more file like NextToken or TokenOrder, and one
// more row here.
import Kernels
import Run

/// How the targets of one head are computed.
protocol TargetComputation {
  /// The name of its unembedding in checkpoints, where it is predicted from the trunk's own hidden states; nil where those
  /// of an MTP head and NTP's unembedding serve it.
  var unembedding: String? { get }
  /// Whether it predicts an order of tokens.
  var ranks: Bool { get }
  /// Most targets a position can have.
  var capacity: Int { get }
  /// Tokens that it looks ahead of a position.
  var lookahead: Int { get }

  /// Fills one row's targets and the entropy of each position's targets. A position that does not count gets none.
  func fill(_ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow)

  /// How many positions of a row have targets: as many as `fill` gives some, without filling.
  func positions(in row: TokenRow) -> Int
}

/// What one head is trained to predict: a few target tokens a position, with weights that sum to 1. The loss is the
/// cross-entropy between softmax(U·h) and these weights (see SparseCrossEntropy).
package enum Objective: Sendable, Equatable {
  case nextToken(NextToken)
  case tokenOrder(TokenOrder)

  private var computation: any TargetComputation {
    switch self {
    case .nextToken(let next): next
    case .tokenOrder(let order): order
    }
  }

  /// See `TargetComputation`.
  var unembedding: String? { computation.unembedding }
  /// Whether it is predicted from the trunk's own hidden states, and not from those of an MTP head.
  var isOnTrunk: Bool { unembedding != nil }
  /// Whether it predicts an order of tokens.
  var ranks: Bool { computation.ranks }
  /// Most targets a position can have.
  package var capacity: Int { computation.capacity }
  /// Tokens that it looks ahead of a position.
  package var lookahead: Int { computation.lookahead }

  func fill(_ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow) {
    computation.fill(targets, entropy: entropy, row: row)
  }

  func positions(in row: TokenRow) -> Int { computation.positions(in: row) }
}
