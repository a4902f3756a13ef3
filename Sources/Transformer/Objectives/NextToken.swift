// NTP and MTP: the target of position t is x[t + n], with weight 1; n = 1 is the next token.
import Kernels

package struct NextToken: Sendable, Equatable {
  /// n.
  package var distance: Int

  package init(distance: Int = 1) {
    precondition(distance >= 1, "the next token is at distance 1")
    self.distance = distance
  }

  func fill(_ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow) {
    for t in 0..<row.context {
      entropy[t] = 0
      let isNear = t + distance < row.count && !(t..<t + distance).contains { row.endsDocument($0) }
      let next = isNear ? row.tokens[t + distance] : -1
      guard next >= 0, row.counts(t) else {
        targets.counts[t] = 0
        continue
      }
      targets.tokens[t * targets.capacity] = next
      targets.weights[t * targets.capacity] = 1
      targets.counts[t] = 1
    }
  }
}
