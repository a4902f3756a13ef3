// Attention of one new position over the positions read before it, a head at a time.
//   o = Σ softmax(q·kₛ/√h) vₛ
// Letters: h head width, s a position.

package enum CachedAttention {
  /// One head of one position.
  /// - Parameters:
  ///   - q: [h], turned.
  ///   - keys, values: `count` rows of h, each `stride` floats after the one before; the new position's are the last.
  ///   - output: [h], written.
  ///   - scores: room for `count` floats.
  package static func forward(
    q: UnsafePointer<Float>, keys: UnsafePointer<Float>, values: UnsafePointer<Float>, stride: Int, count: Int,
    headWidth: Int, output: UnsafeMutablePointer<Float>, scores p: UnsafeMutablePointer<Float>
  ) {
    let alpha = 1 / Float(headWidth).squareRoot()
    var top = -Float.infinity
    for s in 0..<count {
      var dot = Lanes(repeating: 0)
      let k = keys + s * stride
      for (i, lanes) in sixteens(headWidth) { dot = dot.addingProduct(load(q, i, lanes), load(k, i, lanes)) }
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
    for s in 0..<count { p[s] /= sum }
    // Sums of 64 columns stay in registers.
    var first = 0
    while first + 64 <= headWidth {
      var (a, b) = (Lanes(repeating: 0), Lanes(repeating: 0))
      var (c, d) = (Lanes(repeating: 0), Lanes(repeating: 0))
      var v = values + first
      for s in 0..<count {
        let weight = Lanes(repeating: p[s])
        a = a.addingProduct(Float.load(v, 0), weight)
        b = b.addingProduct(Float.load(v, 16), weight)
        c = c.addingProduct(Float.load(v, 32), weight)
        d = d.addingProduct(Float.load(v, 48), weight)
        v += stride
      }
      Float.store(a, output, first)
      Float.store(b, output, first + 16)
      Float.store(c, output, first + 32)
      Float.store(d, output, first + 48)
      first += 64
    }
    for (i, lanes) in sixteens(headWidth - first) {
      var o = Lanes(repeating: 0)
      for s in 0..<count { o = o.addingProduct(load(values + s * stride, first + i, lanes), p[s]) }
      store(o, output, first + i, lanes)
    }
  }
}
