// The table of objectives: what a head predicts. The next objective is one more file like NextToken or TokenOrder, and one
// more row here.
import Kernels
import Run

/// What a head's logits and targets come to.
enum LossForm {
  /// Cross-entropy between softmax(z) and the listed weights.
  case crossEntropy
  /// The same against all tokens that follow: see `DiscountedTargets`.
  case discounted(Float)
  /// Whether each token is listed: see `PresenceCrossEntropy`.
  case presence(PresenceCrossEntropy)
}

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
  /// - Parameter stage: of training; nil for what evaluations measure.
  func fill(
    _ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow, stage: TargetStage?)

  /// What is made of the targets.
  func loss(vocabulary: Int) -> LossForm

  /// How many positions of a row have targets: as many as `fill` gives some, without filling.
  func positions(in row: TokenRow) -> Int
}

extension TargetComputation {
  func loss(vocabulary: Int) -> LossForm { .crossEntropy }
}

/// What one head is trained to predict: a few target tokens a position. Unless `loss` is another one, their weights sum to 1, and the
/// loss is the cross-entropy between softmax(U·h) and these weights (see SparseCrossEntropy).
package enum Objective: Sendable, Equatable {
  case nextToken(NextToken)
  case tokenOrder(TokenOrder)
  case discountedFuture(DiscountedFuture)
  case bag(BagOfTokens)
  case jointToken(JointToken)

  /// Only for what is asked once: a computation of more than 24 bytes takes a box on the heap.
  private var computation: any TargetComputation {
    switch self {
    case .nextToken(let next): next
    case .tokenOrder(let order): order
    case .discountedFuture(let future): future
    case .bag(let bag): bag
    case .jointToken(let joint): joint
    }
  }

  /// See `TargetComputation`.
  var unembedding: String? { computation.unembedding }
  /// Whether it is predicted from the trunk's own hidden states, and not from those of an MTP head or of Fetch.
  var isOnTrunk: Bool { unembedding != nil }
  /// Whether it is predicted from what Fetch makes of the trunk's hidden states and coming tokens.
  var isJoint: Bool { if case .jointToken = self { true } else { false } }
  /// Whether it predicts an order of tokens.
  var ranks: Bool { computation.ranks }
  /// Most targets a position can have.
  package var capacity: Int { computation.capacity }
  /// Tokens that it looks ahead of a position.
  package var lookahead: Int { computation.lookahead }

  func fill(
    _ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow, stage: TargetStage?
  ) {
    switch self {
    case .nextToken(let next): next.fill(targets, entropy: entropy, row: row, stage: stage)
    case .tokenOrder(let order): order.fill(targets, entropy: entropy, row: row, stage: stage)
    case .discountedFuture(let future): future.fill(targets, entropy: entropy, row: row, stage: stage)
    case .bag(let bag): bag.fill(targets, entropy: entropy, row: row, stage: stage)
    case .jointToken(let joint): joint.fill(targets, entropy: entropy, row: row, stage: stage)
    }
  }

  /// Whether it is NTP.
  var isNextToken: Bool {
    guard case .nextToken(let next) = self else { return false }
    return next.distance == 1 && next.unembedding == HeadKind.nextToken.tensorName
  }

  /// Whether a stage can make its loss something else than the plain cross-entropy that is measured.
  var isShaped: Bool {
    guard case .nextToken(let next) = self else { return false }
    return next.isShaped
  }

  /// Tokens of a teacher's prediction that are targets too; 0 without a teacher.
  package var teacherTokens: Int {
    guard case .nextToken(let next) = self else { return 0 }
    return next.teacherTokens
  }

  /// Whether targets have tails: a weight of all tokens together that are not listed.
  var hasTails: Bool { teacherTokens > 0 }

  /// What weights depend on at a stage; nil where the loss is plain.
  func shape(at stage: TargetStage?) -> WeightShape? {
    guard case .nextToken(let next) = self, next.isShaped, let stage, !stage.isPlain(ahead: next.ahead) else {
      return nil
    }
    return stage.shape
  }

  /// See `TargetComputation`.
  func loss(vocabulary: Int) -> LossForm { computation.loss(vocabulary: vocabulary) }

  func positions(in row: TokenRow) -> Int {
    switch self {
    case .nextToken(let next): next.positions(in: row)
    case .tokenOrder(let order): order.positions(in: row)
    case .discountedFuture(let future): future.positions(in: row)
    case .bag(let bag): bag.positions(in: row)
    case .jointToken(let joint): joint.positions(in: row)
    }
  }
}
