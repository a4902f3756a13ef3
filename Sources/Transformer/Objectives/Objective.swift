// The table of objectives: what a head predicts. The next objective is one more file like NextToken or TokenOrder, and one
// more row here.
import Kernels

/// What one head is trained to predict: a few target tokens a position, with weights that sum to 1. The loss is the
/// cross-entropy between softmax(U·h) and these weights (see SparseCrossEntropy).
package enum Objective: Sendable, Equatable {
  case nextToken(NextToken)
  case tokenOrder(TokenOrder)

  /// Whether it is predicted from the trunk's own hidden states, and not from those of an MTP head.
  var isOnTrunk: Bool {
    switch self {
    case .nextToken(let next): next.distance == 1
    case .tokenOrder: true
    }
  }

  /// Whether what it is trained to predict is an order of tokens.
  var isRanking: Bool {
    switch self {
    case .nextToken: false
    case .tokenOrder: true
    }
  }

  /// How its unembedding is called in checkpoints.
  var tensorName: String {
    switch self {
    case .nextToken: "lm_head"
    case .tokenOrder: "top_head"
    }
  }

  /// Most targets a position can have.
  package var capacity: Int {
    switch self {
    case .nextToken: 1
    case .tokenOrder(let order): order.capacity
    }
  }

  /// Tokens that it looks ahead of a position.
  package var lookahead: Int {
    switch self {
    case .nextToken(let next): next.distance
    case .tokenOrder(let order): order.window
    }
  }

  /// Fills one row's targets and the entropy of each position's targets. A position that does not count gets none.
  func fill(_ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow) {
    switch self {
    case .nextToken(let next): next.fill(targets, entropy: entropy, row: row)
    case .tokenOrder(let order): order.fill(targets, entropy: entropy, row: row)
    }
  }

  /// How many positions of a row have targets: as many as `fill` gives some, without filling.
  func positions(in row: TokenRow) -> Int {
    switch self {
    case .nextToken(let next): next.positions(in: row)
    case .tokenOrder(let order): order.positions(in: row)
    }
  }
}
