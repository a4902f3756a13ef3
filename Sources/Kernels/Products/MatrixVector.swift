// y = W · x for one position: what generation needs, bound by reading W once.

package enum MatrixVector {
  /// - Parameters:
  ///   - w: [n, k] in any precision.
  ///   - x: [k] fp32.
  ///   - y: [n] fp32, written, or added to.
  package static func multiply(
    _ w: Matrix, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, accumulates: Bool = false, threads: Int
  ) {
    Team.split(w.rows, threads: threads) { _, rows in
      for r in rows {
        let sum =
          switch w.precision {
          case .fp32: dot(w.row(r, as: Float.self), x, w.columns)
          case .bf16: dot(w.row(r, as: BFloat16.self), x, w.columns)
          }
        y[r] = accumulates ? y[r] + sum : sum
      }
    }
  }

  @inline(__always)
  private static func dot<E: Element>(_ w: UnsafePointer<E>, _ x: UnsafePointer<Float>, _ n: Int) -> Float {
    var a = Lanes(repeating: 0)
    var b = Lanes(repeating: 0)
    var i = 0
    while i + 32 <= n {
      a = a.addingProduct(E.load(w, i), Float.load(x, i))
      b = b.addingProduct(E.load(w, i + 16), Float.load(x, i + 16))
      i += 32
    }
    for (j, lanes) in sixteens(n - i) { a = a.addingProduct(load(w, i + j, lanes), load(x, i + j, lanes)) }
    return (a + b).folded
  }
}

/// Attention of one new position over the positions read before it.
package enum CachedAttention {
  /// o = Σ softmax(q·kₛ/√h) vₛ, a head at a time.
  /// - Parameters:
  ///   - q: [heads · h], turned.
  ///   - keys, values: [count, groups · h] fp32, the new position's included.
  ///   - output: [heads · h], written.
  ///   - scores: [heads, capacity] room, capacity ≥ count.
  package static func forward(
    q: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, count: Int, heads: Int,
    groups: Int, headWidth: Int, output: UnsafeMutablePointer<Float>, scores: UnsafeMutablePointer<Float>, capacity: Int
  ) {
    let stride = groups * headWidth
    let alpha = 1 / Float(headWidth).squareRoot()
    for head in 0..<heads {
      let first = head / (heads / groups) * headWidth
      let qh = q + head * headWidth
      let p = scores + head * capacity
      var top = -Float.infinity
      for s in 0..<count {
        var dot = Lanes(repeating: 0)
        let k = keys + s * stride + first
        for (i, lanes) in sixteens(headWidth) { dot = dot.addingProduct(load(qh, i, lanes), load(k, i, lanes)) }
        p[s] = dot.folded * alpha
        top = max(top, p[s])
      }
      var sum: Float = 0
      for (i, lanes) in sixteens(count) {
        var e = exponential(load(p, i, lanes) - top)
        if lanes < 16 { e = filled(e, from: lanes, with: 0) }
        store(e, p, i, lanes)
        sum += e.folded
      }
      let o = output + head * headWidth
      o.update(repeating: 0, count: headWidth)
      for s in 0..<count {
        let weight = p[s] / sum
        let v = values + s * stride + first
        for (i, lanes) in sixteens(headWidth) {
          store(load(o, i, lanes).addingProduct(load(v, i, lanes), weight), o, i, lanes)
        }
      }
    }
  }
}
