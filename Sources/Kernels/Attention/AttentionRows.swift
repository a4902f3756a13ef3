// The arithmetic of causal attention between its matrix products, on one tile of query rows and one block of keys at a time.
//   P = softmax(α·S) over keys 0 … t;   dS = α · P ∘ (dP − D),   D_t = Σ dO_t · O_t
// Forward goes over a row's blocks of keys with a running maximum and sum (Milakov and Gimelshein 2018; FlashAttention, Dao
// et al. 2022). Letters: S scores [m, n] (query rows × keys), P weights, α = 1/√h, λ (`lse`) = log Σ e^{αS}.
import Foundation

package enum AttentionRows {
  /// Which keys of a block the rows of a tile see: those of their document up to their own.
  package struct Sight {
    /// The position of row 0.
    let firstRow: Int
    /// The position of column 0.
    let firstKey: Int
    /// [m]: the position where each row's document begins; nil where that is 0.
    let starts: UnsafePointer<Int32>?

    package init(firstRow: Int, firstKey: Int, starts: UnsafePointer<Int32>? = nil) {
      self.firstRow = firstRow
      self.firstKey = firstKey
      self.starts = starts
    }

    /// The columns that row r sees, of `count`.
    @inline(__always)
    func columns(_ r: Int, of count: Int) -> Range<Int> {
      let end = min(count, max(0, firstRow + r + 1 - firstKey))
      let start = starts.map { max(0, Int($0[r]) - firstKey) } ?? 0
      return min(start, end)..<end
    }
  }

  /// What each of m rows has come to over its blocks of keys so far.
  package struct Running {
    /// [m]: the largest of αS.
    let maximum: UnsafeMutablePointer<Float>
    /// [m]: Σ e^{αS − maximum}.
    let sum: UnsafeMutablePointer<Float>
    /// [m]: what the blocks before this one have to be multiplied with, since the maximum has grown.
    let factor: UnsafeMutablePointer<Float>

    package init(
      maximum: UnsafeMutablePointer<Float>, sum: UnsafeMutablePointer<Float>, factor: UnsafeMutablePointer<Float>
    ) {
      self.maximum = maximum
      self.sum = sum
      self.factor = factor
    }
  }

  /// e^{αS − maximum} from S, for one block of keys; 0 for keys that a row does not see.
  /// - Parameters:
  ///   - scores: [m, n] fp32; changed.
  ///   - weights: [m, n] in any precision, written.
  ///   - isFirst: whether it is the first block of these rows: then `running` is written, else it goes on.
  package static func forward(
    _ scores: Matrix, weights: Matrix, running: Running, isFirst: Bool, sight: Sight, alpha: Float
  ) {
    switch weights.precision {
    case .fp32: forward(scores, weights, running, isFirst, sight, alpha, Float.self)
    case .bf16: forward(scores, weights, running, isFirst, sight, alpha, BFloat16.self)
    }
  }

  @inline(__always)
  private static func forward<E: Element>(
    _ scores: Matrix, _ weights: Matrix, _ running: Running, _ isFirst: Bool, _ sight: Sight, _ alpha: Float, _: E.Type
  ) {
    for r in 0..<scores.rows {
      let before = isFirst ? -Float.infinity : running.maximum[r]
      let seen = sight.columns(r, of: scores.columns)
      let s = scores.row(r, as: Float.self)
      let p = weights.row(r, as: E.self)
      let whole = hide(s, beside: seen, of: scores.columns)
      clear(p, beside: whole, of: scores.columns)
      var top = Lanes(repeating: -.infinity)
      for (i, lanes) in sixteens(whole.count) {
        var v = load(s + whole.lowerBound, i, lanes)
        if lanes < 16 { v = filled(v, from: lanes, with: -.infinity) }
        top = top.replacing(with: v, where: v .> top)
      }
      let maximum = max(before, top.largest * alpha)
      var total = Lanes(repeating: 0)
      for (i, lanes) in sixteens(whole.count) {
        var v = load(s + whole.lowerBound, i, lanes)
        if lanes < 16 { v = filled(v, from: lanes, with: -.infinity) }
        let e = exponential(v * alpha - maximum).replacing(with: 0, where: v .== -.infinity)
        store(e, p + whole.lowerBound, i, lanes)
        total += e
      }
      // Nothing seen before weighs nothing, whatever the maximum is now.
      let factor = before == -.infinity ? 0 : exp(before - maximum)
      running.maximum[r] = maximum
      running.sum[r] = (isFirst ? 0 : running.sum[r] * factor) + total.folded
      running.factor[r] = factor
    }
  }

  /// Makes the scores beside the columns that are seen −∞, as far as they share a vector with one of them.
  /// - Returns: the whole vectors.
  @inline(__always)
  private static func hide(_ s: UnsafeMutablePointer<Float>, beside seen: Range<Int>, of count: Int) -> Range<Int> {
    if seen.isEmpty { return 0..<0 }
    let whole = seen.lowerBound / 16 * 16..<min(count, (seen.upperBound + 15) / 16 * 16)
    for key in whole.lowerBound..<seen.lowerBound { s[key] = -.infinity }
    for key in seen.upperBound..<whole.upperBound { s[key] = -.infinity }
    return whole
  }

  @inline(__always)
  private static func clear<E: Element>(_ p: UnsafeMutablePointer<E>, beside whole: Range<Int>, of count: Int) {
    let zero = Lanes(repeating: 0)
    for (i, lanes) in sixteens(whole.lowerBound) { store(zero, p, i, lanes) }
    for (i, lanes) in sixteens(count - whole.upperBound) { store(zero, p + whole.upperBound, i, lanes) }
  }

  /// Multiplies what the blocks before have summed up by `running.factor`.
  /// - Parameter sums: [m, h] fp32.
  package static func rescale(_ sums: Matrix, by running: Running) {
    for r in 0..<sums.rows where running.factor[r] != 1 {
      let x = sums.row(r, as: Float.self)
      scale(x, sums.columns, by: running.factor[r], into: x)
    }
  }

  /// O and λ, after a tile's last block.
  /// - Parameters:
  ///   - sums: [m, h] fp32: Σ e^{αS − maximum} · V.
  ///   - output: [m, h] in any precision, written.
  ///   - lse: [m], written.
  package static func finish(_ sums: Matrix, running: Running, output: Matrix, lse: UnsafeMutablePointer<Float>) {
    for r in 0..<sums.rows {
      let x = sums.row(r, as: Float.self)
      let inverse = 1 / running.sum[r]
      lse[r] = running.maximum[r] + log(running.sum[r])
      switch output.precision {
      case .fp32: scale(x, sums.columns, by: inverse, into: output.row(r, as: Float.self))
      case .bf16: scale(x, sums.columns, by: inverse, into: output.row(r, as: BFloat16.self))
      }
    }
  }

  /// P again from S and λ, and dS, for one block of keys.
  /// - Parameters:
  ///   - scores: [m, n] fp32, α not applied; changed.
  ///   - dWeights: [m, n] fp32: dP.
  ///   - weights: [m, n], written: P.
  ///   - dScores: [m, n], written: dS, α applied.
  ///   - dots: [m]: D.
  package static func backward(
    _ scores: Matrix, dWeights: Matrix, weights: Matrix, dScores: Matrix, lse: UnsafePointer<Float>,
    dots: UnsafePointer<Float>, sight: Sight, alpha: Float
  ) {
    switch weights.precision {
    case .fp32: backward(scores, dWeights, weights, dScores, lse, dots, sight, alpha, Float.self)
    case .bf16: backward(scores, dWeights, weights, dScores, lse, dots, sight, alpha, BFloat16.self)
    }
  }

  @inline(__always)
  private static func backward<E: Element>(
    _ scores: Matrix, _ dWeights: Matrix, _ weights: Matrix, _ dScores: Matrix, _ lse: UnsafePointer<Float>,
    _ dots: UnsafePointer<Float>, _ sight: Sight, _ alpha: Float, _: E.Type
  ) {
    for r in 0..<scores.rows {
      let seen = sight.columns(r, of: scores.columns)
      let s = scores.row(r, as: Float.self)
      let dp = dWeights.row(r, as: Float.self)
      let p = weights.row(r, as: E.self)
      let ds = dScores.row(r, as: E.self)
      let whole = hide(s, beside: seen, of: scores.columns)
      clear(p, beside: whole, of: scores.columns)
      clear(ds, beside: whole, of: scores.columns)
      let (λ, dot, first) = (lse[r], dots[r], whole.lowerBound)
      for (i, lanes) in sixteens(whole.count) {
        let score = load(s + first, i, lanes)
        let v = exponential(score * alpha - λ).replacing(with: 0, where: score .== -.infinity)
        store(v, p + first, i, lanes)
        store(v * (load(dp + first, i, lanes) - dot) * alpha, ds + first, i, lanes)
      }
    }
  }

  /// D: the dot product of each row of a and b.
  /// - Parameters:
  ///   - a: [m, h].
  ///   - b: [m, h], same precision.
  ///   - dots: [m], written.
  package static func dots(_ a: Matrix, _ b: Matrix, into dots: UnsafeMutablePointer<Float>) {
    for r in 0..<a.rows {
      switch a.precision {
      case .fp32: dots[r] = dot(a.row(r, as: Float.self), b.row(r, as: Float.self), a.columns)
      case .bf16: dots[r] = dot(a.row(r, as: BFloat16.self), b.row(r, as: BFloat16.self), a.columns)
      }
    }
  }

  @inline(__always)
  private static func dot<E: Element>(_ a: UnsafePointer<E>, _ b: UnsafePointer<E>, _ n: Int) -> Float {
    var sum = Lanes(repeating: 0)
    for (i, lanes) in sixteens(n) { sum = sum.addingProduct(load(a, i, lanes), load(b, i, lanes)) }
    return sum.folded
  }

  /// Copies gradients of keys or values from their fp32 sums to where the product before reads them; keys are turned
  /// back on the way.
  /// - Parameters:
  ///   - sums: [m, h] fp32.
  ///   - out: [m, h] in any precision.
  ///   - angles: Rotary's table at position 0; nil for values.
  ///   - starts: [m]: how far before its place a row's angle is, as Rotary's.
  package static func unload(
    _ sums: Matrix, into out: Matrix, angles: UnsafePointer<Float>?, context: Int, starts: UnsafePointer<Int32>? = nil
  ) {
    switch out.precision {
    case .fp32: unload(sums, out, angles, context, starts, Float.self)
    case .bf16: unload(sums, out, angles, context, starts, BFloat16.self)
    }
  }

  @inline(__always)
  private static func unload<E: Element>(
    _ sums: Matrix, _ out: Matrix, _ angles: UnsafePointer<Float>?, _ context: Int, _ starts: UnsafePointer<Int32>?,
    _: E.Type
  ) {
    let half = sums.columns / 2
    for t in 0..<sums.rows {
      let x = sums.row(t, as: Float.self)
      let y = out.row(t, as: E.self)
      if let angles {
        let place = t - (starts.map { Int($0[t]) } ?? 0)
        Rotary.turn(x, into: y, half, angles + place * half, context, -1)
      } else {
        for (i, lanes) in sixteens(sums.columns) { store(load(x, i, lanes), y, i, lanes) }
      }
    }
  }
}
