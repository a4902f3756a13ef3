// NTP: the target of position t is x[t + 1], with weight 1.
import Kernels

package struct NextToken: Sendable, Equatable {
  package init() {}

  func fill(_ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow) {
    for t in 0..<row.context {
      entropy[t] = 0
      let next = t + 1 < row.count && !row.endsDocument(t) ? row.tokens[t + 1] : -1
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
