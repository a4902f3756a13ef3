// The bag of the future: which tokens come among x[t+2] … x[t+W], in any order, each a yes or no (FSP-BoW, arXiv 2510.14751), by an
// unembedding of its own. The loss is counted per place of the window, so that its size is that of a cross-entropy:
//   L = 1/(W − 1) · Σ_v [log(1 + e^{y_v}) − 1[v ∈ bag] y_v],   y = z + logit((W − 1)/V)
// With that offset, a network that knows nothing says how likely any token is; at y = 0 it would lose V · log 2.
import Foundation
import Kernels
import Run

package struct BagOfTokens: TargetComputation, Sendable, Equatable {
  /// W.
  package var window: Int

  package init(window: Int) {
    precondition(window >= 2, "a bag begins with the token after the next")
    self.window = window
  }

  var unembedding: String? { HeadKind.bag.tensorName }
  var ranks: Bool { false }
  var capacity: Int { window - 1 }
  var lookahead: Int { window }

  func loss(vocabulary: Int) -> LossForm {
    let share = min(0.5, Double(window - 1) / Double(vocabulary))
    return .presence(PresenceCrossEntropy(offset: Float(log(share / (1 - share))), scale: 1 / Float(window - 1)))
  }

  func fill(
    _ targets: SparseTargets, entropy: UnsafeMutablePointer<Float>, row: TokenRow, stage: TargetStage?
  ) {
    for t in 0..<row.context {
      entropy[t] = 0
      var count = 0
      let tokens = targets.tokens + t * targets.capacity
      if row.counts(t) {
        eachUpcoming(t, row, most: window) { token in
          for k in 0..<count where tokens[k] == token { return }
          tokens[count] = token
          count += 1
        }
      }
      targets.counts[t] = Int32(count)
    }
  }

  func positions(in row: TokenRow) -> Int {
    (0..<row.context).count { t in
      var has = false
      if row.counts(t) { eachUpcoming(t, row, most: 2) { _ in has = true } }
      return has
    }
  }

  /// The tokens from the second after t on, as far as text and document go.
  @inline(__always)
  private func eachUpcoming(_ t: Int, _ row: TokenRow, most: Int, _ take: (Int32) -> Void) {
    for distance in 1...most {
      let place = t + distance
      guard place < row.count, !row.endsDocument(place - 1), row.tokens[place] >= 0 else { return }
      if distance > 1 { take(row.tokens[place]) }
    }
  }
}
