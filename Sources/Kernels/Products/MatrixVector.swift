// y = x · Wᵀ for one position or a few: what generation needs, bound by reading W once. Every row of x is multiplied in the
// same order however many rows there are, so that a row comes to the same bits alone and beside others.

package enum MatrixVector {
  /// Several rows.
  /// - Parameters:
  ///   - w: [n, k] in any precision.
  ///   - x: [rows, k] fp32.
  ///   - y: [rows, n] fp32, written, or added to.
  package static func multiply(_ w: Matrix, _ x: Matrix, into y: Matrix, accumulates: Bool = false, threads: Int) {
    Team.split(w.rows, threads: threads) { _, rows in
      switch w.precision {
      case .fp32: multiply(rows, w, x, y, accumulates, Float.self)
      case .bf16: multiply(rows, w, x, y, accumulates, BFloat16.self)
      }
    }
  }

  /// One row.
  /// - Parameters:
  ///   - w: [n, k] in any precision.
  ///   - x: [k] fp32.
  ///   - y: [n] fp32, written, or added to.
  package static func multiply(
    _ w: Matrix, _ x: UnsafePointer<Float>, into y: UnsafeMutablePointer<Float>, accumulates: Bool = false, threads: Int
  ) {
    multiply(
      w, Matrix(UnsafeMutablePointer(mutating: x), rows: 1, columns: w.columns),
      into: Matrix(y, rows: 1, columns: w.rows), accumulates: accumulates, threads: threads)
  }

  /// Some rows of W with all rows of x: three at a time, whose sums have room in sixteen registers.
  @inline(__always)
  private static func multiply<E: Element>(
    _ rows: Range<Int>, _ w: Matrix, _ x: Matrix, _ y: Matrix, _ accumulates: Bool, _: E.Type
  ) {
    let n = w.columns
    for r in rows {
      let wr = w.row(r, as: E.self)
      @inline(__always) func put(_ t: Int, _ sum: Float) {
        let place = y.row(t, as: Float.self) + r
        place.pointee = accumulates ? place.pointee + sum : sum
      }
      var t = 0
      while t + 3 <= x.rows {
        let sums = dots(wr, x.row(t, as: Float.self), x.stride, n)
        put(t, sums.0)
        put(t + 1, sums.1)
        put(t + 2, sums.2)
        t += 3
      }
      while t < x.rows {
        put(t, dot(wr, x.row(t, as: Float.self), n))
        t += 1
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

  /// `dot` with three rows of x.
  @inline(__always)
  private static func dots<E: Element>(
    _ w: UnsafePointer<E>, _ x: UnsafePointer<Float>, _ stride: Int, _ n: Int
  ) -> (Float, Float, Float) {
    let (y, z) = (x + stride, x + 2 * stride)
    var (a, b, c) = (Lanes(repeating: 0), Lanes(repeating: 0), Lanes(repeating: 0))
    var (d, e, f) = (Lanes(repeating: 0), Lanes(repeating: 0), Lanes(repeating: 0))
    var i = 0
    while i + 32 <= n {
      let first = E.load(w, i)
      a = a.addingProduct(first, Float.load(x, i))
      b = b.addingProduct(first, Float.load(y, i))
      c = c.addingProduct(first, Float.load(z, i))
      let second = E.load(w, i + 16)
      d = d.addingProduct(second, Float.load(x, i + 16))
      e = e.addingProduct(second, Float.load(y, i + 16))
      f = f.addingProduct(second, Float.load(z, i + 16))
      i += 32
    }
    for (j, lanes) in sixteens(n - i) {
      let rest = load(w, i + j, lanes)
      a = a.addingProduct(rest, load(x, i + j, lanes))
      b = b.addingProduct(rest, load(y, i + j, lanes))
      c = c.addingProduct(rest, load(z, i + j, lanes))
    }
    return ((a + d).folded, (b + e).folded, (c + f).folded)
  }
}
