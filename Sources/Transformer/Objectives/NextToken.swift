// NTP, MTP and any other head for one token: the target of position t is x[t + n], with weight 1; n = 1 is the next token.
import Kernels
import Run

package struct NextToken: TargetComputation, Sendable, Equatable {
  /// n.
  package var distance: Int
  /// The name of its unembedding on the trunk; nil for a head with a block of its own and NTP's unembedding.
  package var unembedding: String?

  /// - Parameter unembedding: nil means NTP's for the next token, and a block of its own for one further ahead.
  package init(distance: Int = 1, unembedding: String? = nil) {
    precondition(distance >= 1, "the next token is at distance 1")
    self.distance = distance
    self.unembedding = unembedding ?? (distance == 1 ? HeadKind.nextToken.tensorName : nil)
  }

  var ranks: Bool { false }
  var capacity: Int { 1 }
  var lookahead: Int { distance }

  /// The target of position t; nil where it has none.
  private func target(_ t: Int, _ row: TokenRow) -> Int32? {
    guard row.counts(t), t + distance < row.count, !(t..<t + distance).contains(where: { row.endsDocument($0) }) else {
      return nil
    }
    let next = row.tokens[t + distance]
    return next >= 0 ? next : nil
  }

  func fill(_ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow) {
    for t in 0..<row.context {
      entropy[t] = 0
      guard let next = target(t, row) else {
        targets.counts[t] = 0
        continue
      }
      targets.tokens[t * targets.capacity] = next
      targets.weights[t * targets.capacity] = 1
      targets.counts[t] = 1
    }
  }

  func positions(in row: TokenRow) -> Int { (0..<row.context).count { target($0, row) != nil } }
}
