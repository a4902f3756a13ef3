// Cross-entropy against all tokens that follow, the weight falling by a factor c from one to the next, without ever writing down the
// targets of a position: the recursion goes over rows of the unembedding instead (TokenUnify's next-all, arXiv 2405.16847, in text).
//   m_t = Σ_j c^j u[x_{t+1+j}] / Z_t,  Z_t = Σ_j c^j;   L_t = log Σ_v e^{z_t[v]} − h_t · m_t
//   s_t = u[x_{t+1}] + c s_{t+1},  m_t = s_t / Z_t;   dh_t = dp_t − f m_t;   a_t = c a_{t−1} + h_t / Z_t,  dU[x_{t+1}] −= f a_t
// The products have made losses and gradients for the next token alone by then: what is added here is the difference, which is 0
// to the bit where c = 0. O(T · d) whatever the horizon. Letters: T positions of a row, d width, E operand precision.

package struct DiscountedTargets {
  /// c.
  package var discount: Float
  /// T.
  package var context: Int

  package init(discount: Float, context: Int) {
    (self.discount, self.context) = (discount, context)
  }

  /// Losses, and the gradient at h where there is one. Threads share out rows.
  /// - Parameters:
  ///   - h: E [rows · T, d].
  ///   - u: E [V, d].
  ///   - targets: of all positions, capacity 2: the next token, or −1 where a text or document ends; and 1 / Z in the second
  ///     weight. Positions with count 0 have no loss, but their next token is a target of those before.
  ///   - losses: [rows · T], with the next token's cross-entropy in it.
  ///   - dh: E [rows · T, d], with the gradient of that in it; nil where nothing is learned.
  ///   - factor: f, what the gradient of the loss is multiplied with.
  package func correct(
    _ h: Matrix, _ u: Matrix, targets: SparseTargets, losses: UnsafeMutablePointer<Float>, dh: Matrix?, factor: Float,
    threads: Int
  ) {
    switch h.precision {
    case .fp32: correct(h, u, as: Float.self, targets, losses, dh, factor, threads)
    case .bf16: correct(h, u, as: BFloat16.self, targets, losses, dh, factor, threads)
    }
  }

  private func correct<E: Element>(
    _ h: Matrix, _ u: Matrix, as type: E.Type, _ targets: SparseTargets, _ losses: UnsafeMutablePointer<Float>,
    _ dh: Matrix?, _ factor: Float, _ threads: Int
  ) {
    let T = context
    Team.split(h.rows / T, threads: threads) { _, rows in
      for row in rows {
        for (i, lanes) in sixteens(h.columns) {
          var s = Lanes(repeating: 0)
          for t in stride(from: (row + 1) * T - 1, through: row * T, by: -1) {
            let token = Int(targets.tokens[2 * t])
            if token < 0 {
              s = Lanes(repeating: 0)
              continue
            }
            let next = load(u.row(token, as: E.self), i, lanes)
            s = next + s * discount
            if targets.counts[t] == 0 { continue }
            let difference = s * targets.weights[2 * t + 1] - next
            losses[t] -= (load(h.row(t, as: E.self), i, lanes) * difference).folded
            guard let dh else { continue }
            let gradient = dh.row(t, as: E.self)
            store(load(gradient, i, lanes) - difference * factor, gradient, i, lanes)
          }
        }
      }
    }
  }

  /// The gradient of U. Threads share out columns, so that every sum has its order.
  /// - Parameters:
  ///   - h, targets, factor: as in `correct`.
  ///   - du: [V, d] fp32, with the gradient of the next token's cross-entropy in it.
  package func correctUnembedding(
    _ h: Matrix, targets: SparseTargets, du: Matrix, factor: Float, threads: Int
  ) {
    switch h.precision {
    case .fp32: correctUnembedding(h, as: Float.self, targets, du, factor, threads)
    case .bf16: correctUnembedding(h, as: BFloat16.self, targets, du, factor, threads)
    }
  }

  private func correctUnembedding<E: Element>(
    _ h: Matrix, as type: E.Type, _ targets: SparseTargets, _ du: Matrix, _ factor: Float, _ threads: Int
  ) {
    let T = context
    Team.split(h.columns, threads: threads, grain: 16) { _, columns in
      for (first, lanes) in sixteens(columns.count) {
        let i = columns.lowerBound + first
        var a = Lanes(repeating: 0)
        for t in 0..<h.rows {
          if t % T == 0 { a = Lanes(repeating: 0) }
          let token = Int(targets.tokens[2 * t])
          if token < 0 {
            a = Lanes(repeating: 0)
            continue
          }
          a = a * discount
          var difference = a
          if targets.counts[t] > 0 {
            let state = load(h.row(t, as: E.self), i, lanes)
            a += state * targets.weights[2 * t + 1]
            difference = a - state
          }
          let sum = du.row(token, as: Float.self)
          store(load(sum, i, lanes) - difference * factor, sum, i, lanes)
        }
      }
    }
  }
}
