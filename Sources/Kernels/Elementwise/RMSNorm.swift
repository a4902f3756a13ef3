// RMSNorm, with the residual addition before it.
//   x' = x + δ;   ρ = 1/√(mean(x'²) + ε);   y = x' · ρ · w
//   dx += ρ · (w·dy − x̂ · mean(w·dy · x̂)),   dw = Σ_t dy · x̂,   x̂ = x · ρ
// Letters: x residual stream, y normed rows (operand of a product), w weight, ρ (`scale`) one a row, d width.

package enum RMSNorm {
  /// Adds `delta` to x, norms, and leaves what backward needs in `sum` and `scale`.
  /// - Parameters:
  ///   - x: [rows, d] fp32.
  ///   - delta: [rows, d] in any precision, added to x; nil adds nothing.
  ///   - w: [d].
  ///   - sum: [rows, d] fp32: x + delta. May be x itself.
  ///   - y: [rows, d] in any precision.
  ///   - scale: [rows]: ρ.
  package static func forward(
    _ x: Matrix, adding delta: Matrix?, w: UnsafePointer<Float>, epsilon: Float, sum: Matrix, y: Matrix,
    scale: UnsafeMutablePointer<Float>, threads: Int
  ) {
    Team.split(x.rows, threads: threads) { _, rows in
      switch (delta?.precision, y.precision) {
      case (nil, .fp32):
        forward(rows, x, nil as (Matrix, Float.Type)?, w, epsilon, sum, y, Float.self, scale)
      case (nil, .bf16):
        forward(rows, x, nil as (Matrix, Float.Type)?, w, epsilon, sum, y, BFloat16.self, scale)
      case (.fp32, .fp32):
        forward(rows, x, (delta!, Float.self), w, epsilon, sum, y, Float.self, scale)
      case (.fp32, .bf16):
        forward(rows, x, (delta!, Float.self), w, epsilon, sum, y, BFloat16.self, scale)
      case (.bf16, .fp32):
        forward(rows, x, (delta!, BFloat16.self), w, epsilon, sum, y, Float.self, scale)
      case (.bf16, .bf16):
        forward(rows, x, (delta!, BFloat16.self), w, epsilon, sum, y, BFloat16.self, scale)
      }
    }
  }

  @inline(__always)
  private static func forward<D: Element, Y: Element>(
    _ rows: Range<Int>, _ x: Matrix, _ delta: (Matrix, D.Type)?, _ w: UnsafePointer<Float>, _ epsilon: Float,
    _ sum: Matrix, _ y: Matrix, _: Y.Type, _ scale: UnsafeMutablePointer<Float>
  ) {
    let d = x.columns
    for t in rows {
      let xt = x.row(t, as: Float.self)
      let st = sum.row(t, as: Float.self)
      var squares = Lanes(repeating: 0)
      if let (delta, _) = delta {
        let δ = delta.row(t, as: D.self)
        eachLanes(d) { i, lanes in
          let v = load(xt, i, lanes) + load(δ, i, lanes)
          store(v, st, i, lanes)
          squares = squares.addingProduct(v, v)
        }
      } else {
        eachLanes(d) { i, lanes in
          let v = load(xt, i, lanes)
          if st != xt { store(v, st, i, lanes) }
          squares = squares.addingProduct(v, v)
        }
      }
      let ρ = 1 / (squares.folded / Float(d) + epsilon).squareRoot()
      scale[t] = ρ
      let yt = y.row(t, as: Y.self)
      eachLanes(d) { i, lanes in store(load(st, i, lanes) * ρ * load(w, i, lanes), yt, i, lanes) }
    }
  }

  /// The gradient at x, added to what is there, and at w.
  /// - Parameters:
  ///   - dy: [rows, d] in any precision.
  ///   - x: [rows, d] fp32, as it went into the norm (`sum` of forward).
  ///   - dx: [rows, d] fp32, added to; `addsTo` false writes over it.
  ///   - operand: [rows, d]: dx again, rounded, as an operand of the products before; nil where dx itself is.
  ///   - dw: [d], added to.
  ///   - partial: [threads, d] fp32: a thread's own sum of dw.
  package static func backward(
    _ dy: Matrix, x: Matrix, w: UnsafePointer<Float>, scale: UnsafePointer<Float>, dx: Matrix, addsTo: Bool,
    operand: Matrix?, dw: UnsafeMutablePointer<Float>, partial: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let d = x.columns
    partial.update(repeating: 0, count: threads * d)
    Team.split(x.rows, threads: threads) { worker, rows in
      let sums = partial + worker * d
      switch dy.precision {
      case .fp32: backward(rows, dy, Float.self, x, w, scale, dx, addsTo, operand, sums)
      case .bf16: backward(rows, dy, BFloat16.self, x, w, scale, dx, addsTo, operand, sums)
      }
    }
    for worker in 0..<threads {
      let sums = partial + worker * d
      for i in 0..<d { dw[i] += sums[i] }
    }
  }

  @inline(__always)
  private static func backward<G: Element>(
    _ rows: Range<Int>, _ dy: Matrix, _: G.Type, _ x: Matrix, _ w: UnsafePointer<Float>,
    _ scale: UnsafePointer<Float>, _ dx: Matrix, _ addsTo: Bool, _ operand: Matrix?, _ sums: UnsafeMutablePointer<Float>
  ) {
    let d = x.columns
    for t in rows {
      let g = dy.row(t, as: G.self)
      let xt = x.row(t, as: Float.self)
      let dxt = dx.row(t, as: Float.self)
      let ρ = scale[t]
      var dot = Lanes(repeating: 0)
      eachLanes(d) { i, lanes in
        let dyi = load(g, i, lanes)
        let x̂ = load(xt, i, lanes) * ρ
        let product = dyi * x̂
        dot = dot.addingProduct(product, load(w, i, lanes))
        store(load(sums, i, lanes) + product, sums, i, lanes)
      }
      let mean = dot.folded / Float(d)
      eachLanes(d) { i, lanes in
        let x̂ = load(xt, i, lanes) * ρ
        var v = (load(g, i, lanes) * load(w, i, lanes) - x̂ * mean) * ρ
        if addsTo { v += load(dxt, i, lanes) }
        store(v, dxt, i, lanes)
        if let operand { store(v, operand.row(t, as: BFloat16.self), i, lanes) }
      }
    }
  }
}
