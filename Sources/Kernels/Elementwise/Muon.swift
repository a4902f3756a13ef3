// The passes of Muon over one weight matrix, before and after the momentum's direction is made orthogonal (Jordan et al. 2024;
// the scale of the update: Liu et al. 2025, “Muon is scalable for LLM training”).
//   g ← c·g;  m ← μm + (1−μ)g;  u = μm + (1−μ)g (Nesterov);  x = u / ‖u‖;  x ← orthogonal(x);
//   w ← w − η·(0.2·√max(rows, columns)·x + λw)
// Letters: w, g, m [rows, columns] fp32; x [rows, columns] in the precision of products.

package struct Muon {
  /// μ.
  package var momentum: Float
  /// λ, decoupled.
  package var weightDecay: Float
  /// η of this step, and c: the factor on the gradient that clips its norm.
  package var rate, clip: Float

  package init(momentum: Float, weightDecay: Float, rate: Float, clip: Float) {
    (self.momentum, self.weightDecay, self.rate, self.clip) = (momentum, weightDecay, rate, clip)
  }

  /// The factor that gives an orthogonal update a root mean square of about 0.2, as AdamW's updates have (Liu et al. 2025,
  /// section 2.2).
  package static func scale(rows: Int, columns: Int) -> Float { 0.2 * Float(max(rows, columns)).squareRoot() }

  /// The smallest divisor: a smaller norm is rounding noise, and a gradient of zero stays zero.
  private static let smallestNorm = 1e-16

  /// Updates the momentum with the gradient.
  /// - Parameters:
  ///   - partial: memory for `VectorMath.pieces(of: count)` doubles.
  /// - Returns: ‖u‖, summed in pieces of fixed size, so that it does not depend on the number of threads.
  package func average(
    g: UnsafePointer<Float>, into m: UnsafeMutablePointer<Float>, count: Int, partial: UnsafeMutablePointer<Double>,
    threads: Int
  ) -> Double {
    VectorMath.norm(count: count, partial: partial, threads: threads) { i, lanes in
      let gi = load(g, i, lanes) * (clip * (1 - momentum))
      let mi = load(m, i, lanes) * momentum + gi
      store(mi, m, i, lanes)
      return mi * momentum + gi
    }
  }

  /// x = u / ‖u‖.
  /// - Parameters:
  ///   - m: the momentum after `average`.
  ///   - norm: the result of `average`.
  ///   - x: written; `count` elements of `precision`.
  package func direct(
    g: UnsafePointer<Float>, m: UnsafePointer<Float>, norm: Double, into x: UnsafeMutableRawPointer,
    precision: Precision, count: Int, threads: Int
  ) {
    let factor = Float(1 / max(norm, Self.smallestNorm))
    switch precision {
    case .fp32: direct(g, m, factor, x.assumingMemoryBound(to: Float.self), count, threads)
    case .bf16: direct(g, m, factor, x.assumingMemoryBound(to: BFloat16.self), count, threads)
    }
  }

  @inline(__always)
  private func direct<E: Element>(
    _ g: UnsafePointer<Float>, _ m: UnsafePointer<Float>, _ factor: Float, _ x: UnsafeMutablePointer<E>, _ count: Int,
    _ threads: Int
  ) {
    let share = clip * (1 - momentum)
    Team.split(count, threads: threads, grain: 16) { _, range in
      let first = range.lowerBound
      for (i, lanes) in sixteens(range.count) {
        let u = load(m + first, i, lanes) * momentum + load(g + first, i, lanes) * share
        store(u * factor, x + first, i, lanes)
      }
    }
  }

  /// w ← w − η·(scale·x + λw).
  /// - Parameter rounded: written with the weights in bf16, for products; nil if products read the fp32 weights.
  package func update(
    w: UnsafeMutablePointer<Float>, x: UnsafeRawPointer, precision: Precision, scale: Float,
    rounded: UnsafeMutableRawPointer?, count: Int, threads: Int
  ) {
    switch precision {
    case .fp32: update(w, x.assumingMemoryBound(to: Float.self), scale, rounded, count, threads)
    case .bf16: update(w, x.assumingMemoryBound(to: BFloat16.self), scale, rounded, count, threads)
    }
  }

  @inline(__always)
  private func update<E: Element>(
    _ w: UnsafeMutablePointer<Float>, _ x: UnsafePointer<E>, _ scale: Float, _ rounded: UnsafeMutableRawPointer?,
    _ count: Int, _ threads: Int
  ) {
    let rounded = rounded?.assumingMemoryBound(to: BFloat16.self)
    let keep = 1 - rate * weightDecay
    let step = rate * scale
    Team.split(count, threads: threads, grain: 16) { _, range in
      let first = range.lowerBound
      for (i, lanes) in sixteens(range.count) {
        let wi = load(w + first, i, lanes) * keep - load(x + first, i, lanes) * step
        store(wi, w + first, i, lanes)
        if let rounded { store(wi, rounded + first, i, lanes) }
      }
    }
  }
}
