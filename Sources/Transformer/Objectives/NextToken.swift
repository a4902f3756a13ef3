// NTP and MTP: the target of position t is x[t + n], with weight 1; n = 1 is the next token.
import Kernels

package struct NextToken: Sendable, Equatable {
  /// n.
  package var distance: Int

  package init(distance: Int = 1) {
    precondition(distance >= 1, "the next token is at distance 1")
    self.distance = distance
  }

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
