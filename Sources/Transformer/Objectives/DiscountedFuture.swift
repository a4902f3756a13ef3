// The discounted future: position t predicts all tokens that follow it in its row and document, x[t+1+j] with a weight proportional to
// c^j, by an unembedding of its own. On NTP's unembedding the loss would pull every prediction towards the frequencies of tokens.
// The targets of a position are never written down: see DiscountedTargets.
import Kernels
import Run

package struct DiscountedFuture: TargetComputation, Sendable, Equatable {
  /// c.
  package var discount: Float

  package init(discount: Float) {
    precondition((0...1).contains(discount), "a discount is from 0 to 1")
    self.discount = discount
  }

  var unembedding: String? { HeadKind.discountedFuture.tensorName }
  var ranks: Bool { false }
  /// The next token; the second place has 1 / Z.
  var capacity: Int { 2 }
  /// The horizon ends with the row.
  var lookahead: Int { 1 }

  func loss(vocabulary: Int) -> LossForm { .discounted(discount) }

  /// The next token of every position that has one, masked positions too: it is a target of those before.
  func fill(
    _ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow, stage: TargetStage?
  ) {
    var z: Float = 0
    for t in Swift.stride(from: row.context - 1, through: 0, by: -1) {
      entropy[t] = 0
      let place = t * targets.capacity
      guard let next = next(t, row) else {
        z = 0
        targets.tokens[place] = -1
        targets.counts[t] = 0
        continue
      }
      z = 1 + discount * z
      targets.tokens[place] = next
      targets.weights[place] = 1
      targets.weights[place + 1] = 1 / z
      targets.counts[t] = row.counts(t) ? 1 : 0
    }
  }

  private func next(_ t: Int, _ row: TokenRow) -> Int32? {
    guard t + 1 < row.count, !row.endsDocument(t), row.tokens[t + 1] >= 0 else { return nil }
    return row.tokens[t + 1]
  }

  func positions(in row: TokenRow) -> Int { (0..<row.context).count { row.counts($0) && next($0, row) != nil } }
}
