// How far an update has moved weights, told afterwards from what it left behind: nothing is kept for it during steps.
//   w = c·w₀ − u,  c = 1 − ηλ  →  Δw = w − w₀ = (w + u)·(c − 1)/c − u

extension AdamW {
  /// ‖Δw‖ of the update that left these weights and moments; NaN where weight decay has erased what was before.
  /// - Parameters:
  ///   - w: [count], as `update` left it; m and v likewise.
  ///   - partial: room for `VectorMath.pieces(of: count)` doubles.
  package func updateNorm(
    w: UnsafePointer<Float>, m: UnsafePointer<Float>, v: UnsafePointer<Float>, count: Int,
    partial: UnsafeMutablePointer<Double>, threads: Int
  ) -> Double {
    let step = rate / correction1
    let scale = 1 / correction2
    let keep = 1 - rate * weightDecay
    guard keep > 0 else { return .nan }
    let decay = (keep - 1) / keep
    return VectorMath.norm(count: count, partial: partial, threads: threads) { i, lanes in
      let u = load(m, i, lanes) * step / (root(load(v, i, lanes) * scale) + epsilon)
      return (load(w, i, lanes) + u) * decay - u
    }
  }
}

extension Muon {
  /// ‖u‖ of the direction that `average` last took in, from the momentum that it left.
  /// - Parameter partial: room for `VectorMath.pieces(of: count)` doubles.
  package func directionNorm(
    g: UnsafePointer<Float>, m: UnsafePointer<Float>, count: Int, partial: UnsafeMutablePointer<Double>, threads: Int
  ) -> Double {
    VectorMath.norm(count: count, partial: partial, threads: threads) { i, lanes in
      load(m, i, lanes) * momentum + load(g, i, lanes) * (clip * (1 - momentum))
    }
  }

  /// ‖Δw‖ of the update that left these weights; NaN where weight decay has erased what was before.
  /// - Parameters:
  ///   - x: [count] of `precision`: the orthogonal direction that `update` took.
  ///   - partial: room for `VectorMath.pieces(of: count)` doubles.
  package func updateNorm(
    w: UnsafePointer<Float>, x: UnsafeRawPointer, precision: Precision, scale: Float, count: Int,
    partial: UnsafeMutablePointer<Double>, threads: Int
  ) -> Double {
    switch precision {
    case .fp32: updateNorm(w, x.assumingMemoryBound(to: Float.self), scale, count, partial, threads)
    case .bf16: updateNorm(w, x.assumingMemoryBound(to: BFloat16.self), scale, count, partial, threads)
    }
  }

  @inline(__always)
  private func updateNorm<E: Element>(
    _ w: UnsafePointer<Float>, _ x: UnsafePointer<E>, _ scale: Float, _ count: Int,
    _ partial: UnsafeMutablePointer<Double>, _ threads: Int
  ) -> Double {
    let keep = 1 - rate * weightDecay
    guard keep > 0 else { return .nan }
    let (decay, step) = ((keep - 1) / keep, rate * scale)
    return VectorMath.norm(count: count, partial: partial, threads: threads) { i, lanes in
      let u = load(x, i, lanes) * step
      return (load(w, i, lanes) + u) * decay - u
    }
  }
}
