// AdamW (Loshchilov & Hutter 2019) in one pass over weights, gradient and both moments, clipping on the way in and rounding
// the weights for the products on the way out.
//   g ← c·g;  m ← β₁m + (1−β₁)g;  v ← β₂v + (1−β₂)g²;  w ← w − η·(m̂/(√v̂ + ε) + λw),  m̂ = m/(1−β₁ˢ), v̂ = v/(1−β₂ˢ)
import Foundation

package struct AdamW {
  package var beta1, beta2, epsilon: Float
  /// λ, decoupled.
  package var weightDecay: Float
  /// η of this step, and c: the factor on the gradient that clips its norm.
  package var rate, clip: Float
  /// 1 − β₁ˢ and 1 − β₂ˢ, for step s = 1, 2, …
  package var correction1, correction2: Float

  /// - Parameter step: the number of updates before this one.
  package init(
    beta1: Double, beta2: Double, epsilon: Double, weightDecay: Double, rate: Double, clip: Double, step: Int
  ) {
    (self.beta1, self.beta2, self.epsilon) = (Float(beta1), Float(beta2), Float(epsilon))
    (self.weightDecay, self.rate, self.clip) = (Float(weightDecay), Float(rate), Float(clip))
    correction1 = Float(1 - pow(beta1, Double(step + 1)))
    correction2 = Float(1 - pow(beta2, Double(step + 1)))
  }

  /// Updates `count` weights and their moments.
  /// - Parameter rounded: the weights again in bf16, for the products; nil where they read the weights themselves.
  package func update(
    w: UnsafeMutablePointer<Float>, g: UnsafePointer<Float>, m: UnsafeMutablePointer<Float>,
    v: UnsafeMutablePointer<Float>, rounded: UnsafeMutableRawPointer?, count: Int, threads: Int
  ) {
    let rounded = rounded?.assumingMemoryBound(to: BFloat16.self)
    let factors = factors
    Team.split(count, threads: threads, grain: 16) { _, range in
      let first = range.lowerBound
      let (w, g, m, v) = (w + first, g + first, m + first, v + first)
      for (i, lanes) in sixteens(range.count) {
        var (wi, mi, vi) = (load(w, i, lanes), load(m, i, lanes), load(v, i, lanes))
        factors.update(&wi, &mi, &vi, g: load(g, i, lanes) * clip)
        store(mi, m, i, lanes)
        store(vi, v, i, lanes)
        store(wi, w, i, lanes)
        if let rounded { store(wi, rounded + first, i, lanes) }
      }
    }
  }
}

/// What an update depends on besides the gradient: all that is kept of it where weights get it later.
package struct AdamWFactors: BitwiseCopyable {
  let beta1, beta2, epsilon: Float
  /// η/(1−β₁ˢ), 1/(1−β₂ˢ) and 1 − ηλ.
  let step, scale, keep: Float

  /// Updates sixteen weights and their moments. Every update comes here, also one that is made later: the bits are the same.
  /// - Parameter g: the gradient after clipping.
  @_transparent
  func update(_ w: inout Lanes, _ m: inout Lanes, _ v: inout Lanes, g: Lanes) {
    m = m * beta1 + g * (1 - beta1)
    v = v * beta2 + g * g * (1 - beta2)
    w = w * keep - m * step / (root(v * scale) + epsilon)
  }
}

extension AdamW {
  package var factors: AdamWFactors {
    AdamWFactors(
      beta1: beta1, beta2: beta2, epsilon: epsilon, step: rate / correction1, scale: 1 / correction2,
      keep: 1 - rate * weightDecay)
  }
}

/// Operations on one long array.
package enum VectorMath {
  /// The Euclidean norm of `count` floats. Adds in pieces of fixed size, so that threads do not change the result.
  /// - Parameter partial: room for `pieces(of: count)` doubles.
  package static func norm(
    _ x: UnsafePointer<Float>, count: Int, partial: UnsafeMutablePointer<Double>, threads: Int
  ) -> Double {
    norm(count: count, partial: partial, threads: threads) { i, lanes in load(x, i, lanes) }
  }

  /// The same of numbers that are made on the way.
  /// - Parameter element: numbers i ..< i + lanes, the rest zero.
  @inline(__always)
  static func norm(
    count: Int, partial: UnsafeMutablePointer<Double>, threads: Int, _ element: (_ i: Int, _ lanes: Int) -> Lanes
  ) -> Double {
    let pieces = pieces(of: count)
    Team.split(pieces, threads: threads) { _, range in
      for piece in range {
        let first = piece * pieceLength
        var a = Lanes(repeating: 0)
        for (i, lanes) in sixteens(min(pieceLength, count - first)) {
          let v = element(first + i, lanes)
          a = a.addingProduct(v, v)
        }
        partial[piece] = Double(a.folded)
      }
    }
    var sum = 0.0
    for piece in 0..<pieces { sum += partial[piece] }
    return sum.squareRoot()
  }

  private static let pieceLength = 16_384

  package static func pieces(of count: Int) -> Int { (count + pieceLength - 1) / pieceLength }

  /// y += x, `count` floats each.
  package static func add(_ x: UnsafePointer<Float>, to y: UnsafeMutablePointer<Float>, count: Int, threads: Int) {
    Team.split(count, threads: threads, grain: 16) { _, range in
      let (x, y) = (x + range.lowerBound, y + range.lowerBound)
      eachLanes(range.count) { i, lanes in store(load(x, i, lanes) + load(y, i, lanes), y, i, lanes) }
    }
  }

  /// Rounds `count` floats to bf16.
  package static func round(_ x: UnsafePointer<Float>, into y: UnsafeMutableRawPointer, count: Int, threads: Int) {
    let y = y.assumingMemoryBound(to: BFloat16.self)
    Team.split(count, threads: threads, grain: 16) { _, range in
      let first = range.lowerBound
      for (i, lanes) in sixteens(range.count) { store(load(x + first, i, lanes), y + first, i, lanes) }
    }
  }

  /// Fills with normal numbers of the given deviation: element i is a function of (seed, stream, i) alone.
  package static func fillNormal(
    _ x: UnsafeMutablePointer<Float>, count: Int, deviation: Double, random: RandomStream, threads: Int
  ) {
    Team.split(count, threads: threads) { _, range in
      for i in range { x[i] = Float(random.normal(UInt64(i)) * deviation) }
    }
  }
}
