// Cross-entropy between softmax(z) and a short list of targets, with its gradient in the same pass.
//   L = λ − Σ_k p_k z[v_k],  λ = log Σ_v e^{z[v]};   dz = c · (softmax(z) − p)
// A next token is a list of one with p = 1. Letters: z logits [V], v_k target tokens, p_k their weights, c a factor.
import Foundation

/// Targets of many positions: position t has `counts[t]` tokens at `tokens[t · capacity]`, with weights beside them.
package struct SparseTargets {
  package var tokens, counts: UnsafeMutablePointer<Int32>
  package var weights: UnsafeMutablePointer<Float>
  package var capacity: Int
  /// For losses that take them: of position t, at 2 t the weight of all tokens together that are not listed, and behind it 1 where
  /// the first listed token counts among them, else 0. Nil where no position has such a weight.
  package var tails: UnsafeMutablePointer<Float>?

  package init(
    tokens: UnsafeMutablePointer<Int32>, weights: UnsafeMutablePointer<Float>, counts: UnsafeMutablePointer<Int32>,
    capacity: Int, tails: UnsafeMutablePointer<Float>? = nil
  ) {
    (self.tokens, self.weights, self.counts, self.capacity, self.tails) = (tokens, weights, counts, capacity, tails)
  }

  /// The targets of the positions from `first` on.
  package func from(_ first: Int) -> SparseTargets {
    SparseTargets(
      tokens: tokens + first * capacity, weights: weights + first * capacity, counts: counts + first,
      capacity: capacity, tails: tails.map { $0 + 2 * first })
  }
}

package enum SparseCrossEntropy {
  /// Where the gradient of logits goes, and what it is multiplied with.
  package struct Gradient {
    /// [rows, V]: memory of its own, or the logits' own where both are fp32.
    package var out: Matrix
    /// c: the loss's weight over the number of positions that count.
    package var factor: Float

    package init(out: Matrix, factor: Float) {
      (self.out, self.factor) = (out, factor)
    }
  }

  /// The loss of every row, and with `gradient` dz.
  /// - Parameters:
  ///   - z: [rows, V] fp32 logits, any stride; overwritten.
  ///   - targets: of these rows. A row without any has loss 0 and gradient 0.
  ///   - losses: [rows], written, nats.
  ///   - hits: [rows], written: 1 where the first target has the largest logit (of equal ones the lowest token's counts),
  ///     else 0; nil does not look.
  ///   - gradient: nil leaves only the losses, and the logits as they are.
  package static func rows(
    _ z: Matrix, targets: SparseTargets, losses: UnsafeMutablePointer<Float>, hits: UnsafeMutablePointer<UInt8>? = nil,
    gradient: Gradient?, threads: Int
  ) {
    Team.split(z.rows, threads: threads) { _, rows in
      for t in rows {
        let count = Int(targets.counts[t])
        let tokens = targets.tokens + t * targets.capacity
        let weights = targets.weights + t * targets.capacity
        let zt = z.row(t, as: Float.self)
        if count == 0 {
          losses[t] = 0
          if let hits { hits[t] = 0 }
          if let out = gradient?.out {
            out.at(t, 0).initializeMemory(as: UInt8.self, repeating: 0, count: z.columns * out.precision.bytes)
          }
          continue
        }
        let maximum = largest(zt, z.columns)
        if let hits { hits[t] = isLikeliest(Int(tokens[0]), zt, maximum) ? 1 : 0 }
        let (loss, sum) = exponentials(zt, z.columns, maximum, tokens, weights, count, kept: gradient != nil)
        losses[t] = loss
        guard let gradient else { continue }
        for k in 0..<count { zt[Int(tokens[k])] -= weights[k] * sum }
        switch gradient.out.precision {
        case .fp32: scale(zt, z.columns, by: gradient.factor / sum, into: gradient.out.row(t, as: Float.self))
        case .bf16: scale(zt, z.columns, by: gradient.factor / sum, into: gradient.out.row(t, as: BFloat16.self))
        }
      }
    }
  }

  /// log softmax(z)[target], nats, and whether no other logit is as large (of equal ones the lowest token's counts).
  /// - Parameter z: [V] fp32.
  package static func logLikelihood(
    of target: Int, _ z: UnsafePointer<Float>, count V: Int
  ) -> (value: Float, isLikeliest: Bool) {
    let maximum = largest(z, V)
    var (token, weight) = (Int32(target), Float(1))
    // Nothing is written there unless exponentials are kept.
    let logits = UnsafeMutablePointer(mutating: z)
    let loss = exponentials(logits, V, maximum, &token, &weight, 1, kept: false).loss
    return (-loss, isLikeliest(target, z, maximum))
  }

  /// Whether a token has the largest logit; of equal ones the lowest token's counts.
  @inline(__always)
  private static func isLikeliest(_ token: Int, _ z: UnsafePointer<Float>, _ maximum: Float) -> Bool {
    z[token] == maximum && largest(z, token) < maximum
  }

  /// λ − Σ p z and Σ e^{z − max}. With `kept`, leaves e^{z − max} where z was.
  @inline(__always)
  private static func exponentials(
    _ z: UnsafeMutablePointer<Float>, _ V: Int, _ maximum: Float, _ tokens: UnsafePointer<Int32>,
    _ weights: UnsafePointer<Float>, _ count: Int, kept: Bool
  ) -> (loss: Float, sum: Float) {
    // Measured from the maximum, so that large logits do not cancel.
    var hit: Float = 0
    for k in 0..<count { hit += weights[k] * (z[Int(tokens[k])] - maximum) }
    var total = Lanes(repeating: 0)
    for (i, lanes) in sixteens(V) {
      var e = exponential(load(z, i, lanes) - maximum)
      if lanes < 16 { e = filled(e, from: lanes, with: 0) }
      if kept { store(e, z, i, lanes) }
      total += e
    }
    let sum = total.folded
    return (log(sum) - hit, sum)
  }
}
