// SwiGLU: s = silu(g) · u with silu(g) = g · σ(g).
//   dg = ds · u · σ(g) · (1 + g · (1 − σ(g))),   du = ds · silu(g)
// Letters: gu one row [gate | up] of 2·n, s [n], σ the logistic function.

import CLanes

package enum SwiGLU {
  /// - Parameters:
  ///   - gu: [rows, 2n].
  ///   - s: [rows, n], same precision.
  package static func forward(_ gu: Matrix, s: Matrix, threads: Int) {
    Team.split(gu.rows, threads: threads) { _, rows in
      switch gu.precision {
      case .fp32: forward(rows, gu, s, Float.self)
      case .bf16: forward(rows, gu, s, BFloat16.self)
      }
    }
  }

  @inline(__always)
  private static func forward<E: Element>(_ rows: Range<Int>, _ gu: Matrix, _ s: Matrix, _: E.Type) {
    let n = s.columns
    for t in rows {
      let g = gu.row(t, as: E.self)
      let u = g + n
      let st = s.row(t, as: E.self)
      for (i, lanes) in sixteens(n) {
        lanes_prefetch(g + 2 * n + i)
        lanes_prefetch(u + 2 * n + i)
        let gi = load(g, i, lanes)
        store(gi * logistic(gi) * load(u, i, lanes), st, i, lanes)
      }
    }
  }

  /// Turns `gu` into its own gradient, and makes s again on the way (forward does not keep it).
  /// - Parameters:
  ///   - ds: [rows, n], same precision.
  ///   - gu: [rows, 2n]: [gate | up] before, their gradients after.
  ///   - s: [rows, n], written.
  package static func backward(_ ds: Matrix, gu: Matrix, s: Matrix, threads: Int) {
    Team.split(gu.rows, threads: threads) { _, rows in
      switch gu.precision {
      case .fp32: backward(rows, ds, gu, s, Float.self)
      case .bf16: backward(rows, ds, gu, s, BFloat16.self)
      }
    }
  }

  @inline(__always)
  private static func backward<E: Element>(_ rows: Range<Int>, _ ds: Matrix, _ gu: Matrix, _ s: Matrix, _: E.Type) {
    let n = s.columns
    for t in rows {
      let g = gu.row(t, as: E.self)
      let u = g + n
      let st = s.row(t, as: E.self)
      let dst = ds.row(t, as: E.self)
      for (i, lanes) in sixteens(n) {
        lanes_prefetch(g + 2 * n + i)
        lanes_prefetch(u + 2 * n + i)
        lanes_prefetch(dst + n + i)
        let gi = load(g, i, lanes)
        let ui = load(u, i, lanes)
        let dsi = load(dst, i, lanes)
        let σ = logistic(gi)
        let silu = gi * σ
        store(silu * ui, st, i, lanes)
        store(dsi * silu, u, i, lanes)
        store(dsi * ui * (σ + silu * (1 - σ)), g, i, lanes)
      }
    }
  }
}
