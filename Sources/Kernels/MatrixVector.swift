// y = W · x for one position: what generation needs, bound by reading W once.

package enum MatrixVector {
  /// - Parameters:
  ///   - w: [n, k] in any precision.
  ///   - x: [k] fp32.
  ///   - y: [n] fp32, written, or added to.
  package static func multiply(
    _ w: Matrix, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, adds: Bool = false, threads: Int
  ) {
    Team.split(w.rows, threads: threads) { _, rows in
      for r in rows {
        let sum =
          switch w.precision {
          case .fp32: dot(w.row(r, as: Float.self), x, w.columns)
          case .bf16: dot(w.row(r, as: BFloat16.self), x, w.columns)
          }
        y[r] = adds ? y[r] + sum : sum
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
    eachLanes(n - i) { j, lanes in a = a.addingProduct(load(w, i + j, lanes), load(x, i + j, lanes)) }
    return (a + b).folded
  }
}
