// RMSNorm of every head's queries and keys on their own, before they are turned by their positions (qk-norm, as Qwen3
// has it): attention scores cannot grow without bound.
//   ρ = 1/√(mean(x²) + ε),  y = x · ρ · w;   dx = ρ · (w·dy − x̂ · mean(w·dy · x̂)),  dw = Σ dy · x̂,  x̂ = x · ρ
// Letters: x one head's vector [h], w [h] the same for all heads of queries, or of keys.

package enum HeadNorm {
  /// Norms some heads, which lie side by side in x, in place.
  /// - Parameters:
  ///   - x: [rows, heads · h], any stride.
  ///   - w: [h].
  ///   - kept: [rows, heads · h]: x as it was, for backward, same precision; nil keeps nothing.
  package static func forward(
    _ x: Matrix, headWidth h: Int, w: UnsafePointer<Float>, epsilon: Float, kept: Matrix?, threads: Int
  ) {
    Team.split(x.rows, threads: threads) { _, rows in
      for t in rows {
        for first in stride(from: 0, to: x.columns, by: h) {
          switch x.precision {
          case .fp32:
            forward(
              x.row(t, as: Float.self) + first, w, epsilon, kept.map { $0.row(t, as: Float.self) + first }, h)
          case .bf16:
            forward(
              x.row(t, as: BFloat16.self) + first, w, epsilon, kept.map { $0.row(t, as: BFloat16.self) + first }, h)
          }
        }
      }
    }
  }

  @inline(__always)
  private static func scale<E: Element>(_ x: UnsafePointer<E>, _ epsilon: Float, _ h: Int) -> Float {
    var squares = Lanes(repeating: 0)
    for (i, lanes) in sixteens(h) {
      let v = load(x, i, lanes)
      squares = squares.addingProduct(v, v)
    }
    return 1 / (squares.folded / Float(h) + epsilon).squareRoot()
  }

  @inline(__always)
  private static func forward<E: Element>(
    _ x: UnsafeMutablePointer<E>, _ w: UnsafePointer<Float>, _ epsilon: Float, _ kept: UnsafeMutablePointer<E>?,
    _ h: Int
  ) {
    let ρ = scale(x, epsilon, h)
    for (i, lanes) in sixteens(h) {
      let v = load(x, i, lanes)
      if let kept { store(v, kept, i, lanes) }
      store(v * ρ * load(w, i, lanes), x, i, lanes)
    }
  }

  /// Turns the gradient at the normed heads into the one before, in place, and adds the one at w.
  /// - Parameters:
  ///   - dy: [rows, heads · h], any stride; dx afterwards.
  ///   - x: [rows, heads · h]: what forward kept, same precision.
  ///   - dw: [h], added to.
  ///   - partial: [threads, h] fp32: a thread's own sum of dw.
  package static func backward(
    _ dy: Matrix, x: Matrix, headWidth h: Int, w: UnsafePointer<Float>, epsilon: Float,
    dw: UnsafeMutablePointer<Float>, partial: UnsafeMutablePointer<Float>, threads: Int
  ) {
    partial.update(repeating: 0, count: threads * h)
    Team.split(x.rows, threads: threads) { worker, rows in
      let sums = partial + worker * h
      for t in rows {
        for first in stride(from: 0, to: x.columns, by: h) {
          switch x.precision {
          case .fp32:
            backward(dy.row(t, as: Float.self) + first, x.row(t, as: Float.self) + first, w, epsilon, sums, h)
          case .bf16:
            backward(dy.row(t, as: BFloat16.self) + first, x.row(t, as: BFloat16.self) + first, w, epsilon, sums, h)
          }
        }
      }
    }
    for worker in 0..<threads { for i in 0..<h { dw[i] += partial[worker * h + i] } }
  }

  @inline(__always)
  private static func backward<E: Element>(
    _ dy: UnsafeMutablePointer<E>, _ x: UnsafePointer<E>, _ w: UnsafePointer<Float>, _ epsilon: Float,
    _ sums: UnsafeMutablePointer<Float>, _ h: Int
  ) {
    let ρ = scale(x, epsilon, h)
    var dot = Lanes(repeating: 0)
    for (i, lanes) in sixteens(h) {
      let product = load(dy, i, lanes) * load(x, i, lanes) * ρ
      dot = dot.addingProduct(product, load(w, i, lanes))
      store(load(sums, i, lanes) + product, sums, i, lanes)
    }
    let mean = dot.folded / Float(h)
    for (i, lanes) in sixteens(h) {
      let v = load(dy, i, lanes) * load(w, i, lanes) - load(x, i, lanes) * ρ * mean
      store(v * ρ, dy, i, lanes)
    }
  }
}
