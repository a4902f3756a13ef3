// LayerNorm, with the residual addition before it (Ba, Kiros & Hinton 2016; the norm of GPT-2).
//   x' = x + δ;   μ = mean(x'),  ρ = 1/√(mean((x' − μ)²) + ε),  x̂ = (x' − μ)·ρ;   y = x̂ · w + b
//   dx += ρ · (w·dy − mean(w·dy) − x̂ · mean(w·dy · x̂)),   dw = Σ_t dy · x̂,   db = Σ_t dy
// Letters: x residual stream, y normed rows (operand of a product), w weight, b bias, ρ and μ one a row, d width.

package enum LayerNorm {
  /// Adds `delta` to x, norms, and leaves what backward needs in `sum`, `scale` and `mean`.
  /// - Parameters:
  ///   - x: [rows, d] fp32.
  ///   - delta: [rows, d] in any precision, added to x; nil adds nothing.
  ///   - w, b: [d].
  ///   - sum: [rows, d] fp32: x + delta. May be x itself.
  ///   - y: [rows, d] in any precision.
  ///   - scale: [rows]: ρ.
  ///   - mean: [rows]: μ.
  package static func forward(
    _ x: Matrix, adding delta: Matrix?, w: UnsafePointer<Float>, b: UnsafePointer<Float>, epsilon: Float, sum: Matrix,
    y: Matrix, scale: UnsafeMutablePointer<Float>, mean: UnsafeMutablePointer<Float>, threads: Int
  ) {
    Team.split(x.rows, threads: threads) { _, rows in
      for t in rows {
        let xt = x.row(t, as: Float.self)
        let st = sum.row(t, as: Float.self)
        let μ =
          switch delta?.precision {
          case nil: copied(xt, st, x.columns)
          case .fp32: added(xt, delta!.row(t, as: Float.self), st, x.columns)
          case .bf16: added(xt, delta!.row(t, as: BFloat16.self), st, x.columns)
          }
        mean[t] = μ
        switch y.precision {
        case .fp32: scale[t] = norm(st, μ, w, b, epsilon, y.row(t, as: Float.self), x.columns)
        case .bf16: scale[t] = norm(st, μ, w, b, epsilon, y.row(t, as: BFloat16.self), x.columns)
        }
      }
    }
  }

  /// s = x, and its mean.
  @inline(__always)
  private static func copied(_ x: UnsafePointer<Float>, _ s: UnsafeMutablePointer<Float>, _ d: Int) -> Float {
    var total = Lanes(repeating: 0)
    for (i, lanes) in sixteens(d) {
      let v = load(x, i, lanes)
      if UnsafePointer(s) != x { store(v, s, i, lanes) }
      total += v
    }
    return total.folded / Float(d)
  }

  /// s = x + δ, and its mean.
  @inline(__always)
  private static func added<D: Element>(
    _ x: UnsafePointer<Float>, _ δ: UnsafePointer<D>, _ s: UnsafeMutablePointer<Float>, _ d: Int
  ) -> Float {
    var total = Lanes(repeating: 0)
    for (i, lanes) in sixteens(d) {
      let v = load(x, i, lanes) + load(δ, i, lanes)
      store(v, s, i, lanes)
      total += v
    }
    return total.folded / Float(d)
  }

  /// One row's y, and its ρ.
  @inline(__always)
  private static func norm<Y: Element>(
    _ s: UnsafePointer<Float>, _ μ: Float, _ w: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ epsilon: Float,
    _ y: UnsafeMutablePointer<Y>, _ d: Int
  ) -> Float {
    var squares = Lanes(repeating: 0)
    for (i, lanes) in sixteens(d) {
      var v = load(s, i, lanes) - μ
      if lanes < 16 { v = filled(v, from: lanes, with: 0) }
      squares = squares.addingProduct(v, v)
    }
    let ρ = 1 / (squares.folded / Float(d) + epsilon).squareRoot()
    for (i, lanes) in sixteens(d) {
      store(load(b, i, lanes).addingProduct((load(s, i, lanes) - μ) * ρ, load(w, i, lanes)), y, i, lanes)
    }
    return ρ
  }

  /// The gradient at x, added to what is there, and at w and b.
  /// - Parameters:
  ///   - dy: [rows, d] in any precision.
  ///   - x: [rows, d] fp32, as it went into the norm (`sum` of forward).
  ///   - dx: [rows, d] fp32, added to; `addsTo` false writes over it.
  ///   - operand: [rows, d]: dx again, rounded, as an operand of the products before; nil where dx itself is.
  ///   - dw, db: [d], added to.
  ///   - partial: [threads, 2d] fp32: a thread's own sums of dw and db.
  package static func backward(
    _ dy: Matrix, x: Matrix, w: UnsafePointer<Float>, scale: UnsafePointer<Float>, mean: UnsafePointer<Float>,
    dx: Matrix, addsTo: Bool, operand: Matrix?, dw: UnsafeMutablePointer<Float>, db: UnsafeMutablePointer<Float>,
    partial: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let d = x.columns
    partial.update(repeating: 0, count: threads * 2 * d)
    Team.split(x.rows, threads: threads) { worker, rows in
      let sums = partial + worker * 2 * d
      for t in rows {
        let out = operand.map { $0.row(t, as: BFloat16.self) }
        switch dy.precision {
        case .fp32:
          backward(
            dy.row(t, as: Float.self), x.row(t, as: Float.self), w, scale[t], mean[t], dx.row(t, as: Float.self),
            addsTo, out, sums, d)
        case .bf16:
          backward(
            dy.row(t, as: BFloat16.self), x.row(t, as: Float.self), w, scale[t], mean[t], dx.row(t, as: Float.self),
            addsTo, out, sums, d)
        }
      }
    }
    for worker in 0..<threads {
      let sums = partial + worker * 2 * d
      for i in 0..<d {
        dw[i] += sums[i]
        db[i] += sums[d + i]
      }
    }
  }

  @inline(__always)
  private static func backward<G: Element>(
    _ g: UnsafePointer<G>, _ x: UnsafePointer<Float>, _ w: UnsafePointer<Float>, _ ρ: Float, _ μ: Float,
    _ dx: UnsafeMutablePointer<Float>, _ addsTo: Bool, _ operand: UnsafeMutablePointer<BFloat16>?,
    _ sums: UnsafeMutablePointer<Float>, _ d: Int
  ) {
    var total = Lanes(repeating: 0)
    var dot = Lanes(repeating: 0)
    for (i, lanes) in sixteens(d) {
      let dyi = load(g, i, lanes)
      let x̂ = (load(x, i, lanes) - μ) * ρ
      let wi = load(w, i, lanes)
      total = total.addingProduct(dyi, wi)
      dot = dot.addingProduct(dyi * x̂, wi)
      store(load(sums, i, lanes) + dyi * x̂, sums, i, lanes)
      store(load(sums + d, i, lanes) + dyi, sums + d, i, lanes)
    }
    let (average, slope) = (total.folded / Float(d), dot.folded / Float(d))
    for (i, lanes) in sixteens(d) {
      let x̂ = (load(x, i, lanes) - μ) * ρ
      var v = (load(g, i, lanes) * load(w, i, lanes) - average - x̂ * slope) * ρ
      if addsTo { v += load(dx, i, lanes) }
      store(v, dx, i, lanes)
      if let operand { store(v, operand, i, lanes) }
    }
  }
}
