// The arithmetic of causal attention between its matrix products, on one tile of query rows.
//   P = softmax(α·S) over keys 0 … t;   dS = α · P ∘ (dP − D),   D_t = Σ dO_t · O_t
// Letters: S scores [m, n] (query rows × keys), P weights, α = 1/√h, λ (`lse`) = log Σ e^{αS}, first: position of row 0.

import Foundation

package enum AttentionRows {
  /// P and λ from S. Keys after a row's own position weigh 0.
  /// - Parameters:
  ///   - scores: [m, n] fp32.
  ///   - weights: [m, n] in any precision.
  ///   - lse: [m].
  ///   - sight: where each row's document begins; nil sees all keys up to its own.
  package static func forward(
    _ scores: Matrix, weights: Matrix, lse: UnsafeMutablePointer<Float>, first: Int, alpha: Float, sight: Sight? = nil
  ) {
    switch weights.precision {
    case .fp32: forward(scores, weights, lse, first, alpha, sight, Float.self)
    case .bf16: forward(scores, weights, lse, first, alpha, sight, BFloat16.self)
    }
  }

  /// What the rows of a tile do not see, beside what comes after them.
  package struct Sight {
    /// [m]: the first position in a row's document.
    let starts: UnsafePointer<Int32>
    /// The position of the tile's first key: those before it are in nobody's document.
    let firstKey: Int

    package init(starts: UnsafePointer<Int32>, firstKey: Int) {
      self.starts = starts
      self.firstKey = firstKey
    }

    /// The first column that row r sees.
    @inline(__always)
    func column(_ r: Int) -> Int { max(0, Int(starts[r]) - firstKey) }
  }

  /// Zeros the first `count` of a row's weights.
  @inline(__always)
  private static func clear<E: Element>(_ p: UnsafeMutablePointer<E>, _ count: Int) {
    let zero = Lanes(repeating: 0)
    for (i, lanes) in sixteens(count) { store(zero, p, i, lanes) }
  }

  @inline(__always)
  private static func forward<E: Element>(
    _ scores: Matrix, _ weights: Matrix, _ lse: UnsafeMutablePointer<Float>, _ first: Int, _ alpha: Float,
    _ sight: Sight?, _: E.Type
  ) {
    for r in 0..<scores.rows {
      let start = sight.map { $0.column(r) } ?? 0
      // Whole vectors of keys out of sight are passed over; from here on all counts from `low`.
      let low = start / 16 * 16
      let n = scores.columns - low
      let keys = first + r + 1 - low
      let s = scores.row(r, as: Float.self) + low
      let p = weights.row(r, as: E.self) + low
      if low > 0 { clear(p - low, low) }
      for key in 0..<start - low { s[key] = -.infinity }
      // The score of a key beyond reach must not become the maximum.
      for key in keys..<max(keys, (keys + 15) / 16 * 16) where key < n { s[key] = -.infinity }
      let wide = min(n, (keys + 15) / 16 * 16)
      var top = Lanes(repeating: -.infinity)
      for (i, lanes) in sixteens(wide) {
        var v = load(s, i, lanes)
        if lanes < 16 { v = filled(v, from: lanes, with: -.infinity) }
        top = top.replacing(with: v, where: v .> top)
      }
      let maximum = top.largest * alpha
      var total = Lanes(repeating: 0)
      for (i, lanes) in sixteens(wide) {
        let v = load(s, i, lanes)
        var e = exponential(v * alpha - maximum)
        e = e.replacing(with: 0, where: v .== -.infinity)
        if lanes < 16 { e = filled(e, from: lanes, with: 0) }
        store(e, s, i, lanes)
        total += e
      }
      let sum = total.folded
      lse[r] = maximum + log(sum)
      let inverse = 1 / sum
      for (i, lanes) in sixteens(wide) { store(load(s, i, lanes) * inverse, p, i, lanes) }
      for key in stride(from: wide, to: n, by: 1) { E.put(0, p, key) }
    }
  }

  /// P again from S and λ, and dS, in place of S and dP.
  /// - Parameters:
  ///   - scores: [m, n] fp32, α not applied.
  ///   - dWeights: [m, n] fp32: dP.
  ///   - weights: [m, n], written: P.
  ///   - dScores: [m, n], written: dS, α applied.
  ///   - dots: [m]: D.
  package static func backward(
    _ scores: Matrix, dWeights: Matrix, weights: Matrix, dScores: Matrix, lse: UnsafePointer<Float>,
    dots: UnsafePointer<Float>, first: Int, alpha: Float, sight: Sight? = nil
  ) {
    switch weights.precision {
    case .fp32: backward(scores, dWeights, weights, dScores, lse, dots, first, alpha, sight, Float.self)
    case .bf16: backward(scores, dWeights, weights, dScores, lse, dots, first, alpha, sight, BFloat16.self)
    }
  }

  @inline(__always)
  private static func backward<E: Element>(
    _ scores: Matrix, _ dWeights: Matrix, _ weights: Matrix, _ dScores: Matrix, _ lse: UnsafePointer<Float>,
    _ dots: UnsafePointer<Float>, _ first: Int, _ alpha: Float, _ sight: Sight?, _: E.Type
  ) {
    for r in 0..<scores.rows {
      let start = sight.map { $0.column(r) } ?? 0
      let low = start / 16 * 16
      let n = scores.columns - low
      let keys = first + r + 1 - low
      let s = scores.row(r, as: Float.self) + low
      let dp = dWeights.row(r, as: Float.self) + low
      let p = weights.row(r, as: E.self) + low
      let ds = dScores.row(r, as: E.self) + low
      let λ = lse[r]
      let dot = dots[r]
      let whole = keys / 16 * 16
      for (i, lanes) in sixteens(whole) {
        let v = exponential(load(s, i, lanes) * alpha - λ)
        store(v, p, i, lanes)
        store(v * (load(dp, i, lanes) - dot) * alpha, ds, i, lanes)
      }
      if whole < n {
        let lanes = min(16, n - whole)
        var v = exponential(load(s, whole, lanes) * alpha - λ)
        for lane in 0..<16 where whole + lane >= keys { v[lane] = 0 }
        var dv = v * (load(dp, whole, lanes) - dot) * alpha
        for lane in 0..<16 where whole + lane >= keys { dv[lane] = 0 }
        store(v, p, whole, lanes)
        store(dv, ds, whole, lanes)
        let zero = Lanes(repeating: 0)
        for (i, rest) in sixteens(n - whole - lanes) {
          store(zero, p + whole + lanes, i, rest)
          store(zero, ds + whole + lanes, i, rest)
        }
      }
      if start > 0 {
        clear(p - low, start)
        clear(ds - low, start)
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
  ///   - sums: [m, h] fp32; changed where `turned`.
  ///   - out: [m, h] in any precision.
  ///   - angles: Rotary's table at position 0; nil for values.
  ///   - starts: [m]: how far before its place a row's angle is, as Rotary's.
  package static func unload(
    _ sums: Matrix, into out: Matrix, angles: UnsafePointer<Float>?, context: Int, starts: UnsafePointer<Int32>? = nil
  ) {
    let half = sums.columns / 2
    for t in 0..<sums.rows {
      let x = sums.row(t, as: Float.self)
      if let angles {
        Rotary.turn(x, 1, sums.columns, angles + (t - (starts.map { Int($0[t]) } ?? 0)) * half, context, -1)
      }
      switch out.precision {
      case .fp32:
        for (i, lanes) in sixteens(sums.columns) { store(load(x, i, lanes), out.row(t, as: Float.self), i, lanes) }
      case .bf16:
        for (i, lanes) in sixteens(sums.columns) { store(load(x, i, lanes), out.row(t, as: BFloat16.self), i, lanes) }
      }
    }
  }
}
