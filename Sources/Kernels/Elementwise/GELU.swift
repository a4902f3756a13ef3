// GELU as GPT-2 has it, the approximation by tanh (Hendrycks & Gimpel 2016; `gelu_new` in transformers):
//   s = ½u·(1 + tanh v) = u · σ(2v),  v = √(2/π)·(u + 0.044715·u³)
//   du = ds · (σ + u · σ·(1 − σ) · 2v'),  v' = √(2/π)·(1 + 3·0.044715·u²),  σ = σ(2v)
// Letters: u one row before, s after, n their width, σ the logistic function.

package enum GELU {
  /// - Parameters:
  ///   - u: [rows, n].
  ///   - s: [rows, n], same precision.
  package static func forward(_ u: Matrix, s: Matrix, threads: Int) {
    Team.split(u.rows, threads: threads) { _, rows in
      for t in rows {
        switch u.precision {
        case .fp32: forward(u.row(t, as: Float.self), s.row(t, as: Float.self), u.columns)
        case .bf16: forward(u.row(t, as: BFloat16.self), s.row(t, as: BFloat16.self), u.columns)
        }
      }
    }
  }

  @inline(__always)
  private static func forward<E: Element>(_ u: UnsafePointer<E>, _ s: UnsafeMutablePointer<E>, _ n: Int) {
    for (i, lanes) in sixteens(n) {
      let ui = load(u, i, lanes)
      store(ui * gate(ui), s, i, lanes)
    }
  }

  /// Turns `u` into its own gradient, and makes s again on the way (forward does not keep it).
  /// - Parameters:
  ///   - ds: [rows, n], same precision.
  ///   - u: [rows, n]: values before, their gradients after.
  ///   - s: [rows, n], written.
  package static func backward(_ ds: Matrix, u: Matrix, s: Matrix, threads: Int) {
    Team.split(u.rows, threads: threads) { _, rows in
      for t in rows {
        switch u.precision {
        case .fp32: backward(ds.row(t, as: Float.self), u.row(t, as: Float.self), s.row(t, as: Float.self), u.columns)
        case .bf16:
          backward(
            ds.row(t, as: BFloat16.self), u.row(t, as: BFloat16.self), s.row(t, as: BFloat16.self), u.columns)
        }
      }
    }
  }

  @inline(__always)
  private static func backward<E: Element>(
    _ ds: UnsafePointer<E>, _ u: UnsafeMutablePointer<E>, _ s: UnsafeMutablePointer<E>, _ n: Int
  ) {
    for (i, lanes) in sixteens(n) {
      let ui = load(u, i, lanes)
      let σ = gate(ui)
      store(ui * σ, s, i, lanes)
      // Far out σ·(1 − σ) is 0 before the square of u overflows.
      let near = ui.replacing(with: 0, where: ui .> 1e4).replacing(with: 0, where: ui .< -1e4)
      let inner = Lanes(repeating: twice).addingProduct(near * near, 3 * cubic * twice)
      store(load(ds, i, lanes) * (σ + near * σ * (1 - σ) * inner), u, i, lanes)
    }
  }

  /// 2·√(2/π), and the factor of u³.
  private static var twice: Float { @inline(__always) get { 1.595_769_12 } }
  private static var cubic: Float { @inline(__always) get { 0.044_715 } }

  /// σ(2v).
  @_transparent
  private static func gate(_ u: Lanes) -> Lanes {
    logistic(u * Lanes(repeating: twice).addingProduct(u * u, cubic * twice))
  }
}
