// Rotary positions, half-split: lane i of a head pairs with lane i + h/2.
//   (a, b) → (a·cos − b·sin, b·cos + a·sin), angle = t · θ^(−2i/h);   backward turns the other way.
// Letters: t position in the row, h head width.
import Foundation

package enum Rotary {
  /// cos and sin of every angle: two tables of [context, h/2], cos first.
  /// - Returns: 2 · context · h/2 floats in `table`.
  package static func fill(_ table: UnsafeMutablePointer<Float>, context: Int, headWidth: Int, theta: Double) {
    let half = headWidth / 2
    for t in 0..<context {
      for i in 0..<half {
        let angle = Double(t) * pow(theta, -2 * Double(i) / Double(headWidth))
        table[t * half + i] = Float(cos(angle))
        table[(context + t) * half + i] = Float(sin(angle))
      }
    }
  }

  /// Turns `heads` heads, which lie side by side in the first columns of x, in place.
  /// - Parameters:
  ///   - x: [rows · context, ≥ heads · h].
  ///   - position: the position of row 0, for rows that do not begin at 0.
  ///   - starts: [rows · context]: for every position the one at which its document begins in its row, which counts as 0;
  ///     nil where all begin with the row.
  package static func forward(
    _ x: Matrix, heads: Int, headWidth: Int, table: UnsafePointer<Float>, context: Int, position: Int = 0,
    starts: UnsafePointer<Int32>? = nil,
    threads: Int
  ) {
    Team.split(x.rows, threads: threads) { _, rows in
      for t in rows {
        let place = (position + t) % context - (starts.map { Int($0[t]) } ?? 0)
        let angles = table + place * (headWidth / 2)
        switch x.precision {
        case .fp32: turn(x.row(t, as: Float.self), heads, headWidth, angles, context)
        case .bf16: turn(x.row(t, as: BFloat16.self), heads, headWidth, angles, context)
        }
      }
    }
  }

  /// Turns one head of one row by `sign` times its angle. y may be x.
  @inline(__always)
  static func turn<X: Element, Y: Element>(
    _ x: UnsafePointer<X>, into y: UnsafeMutablePointer<Y>, _ half: Int, _ cosines: UnsafePointer<Float>,
    _ context: Int, _ sign: Float
  ) {
    let sines = cosines + context * half
    for (i, lanes) in sixteens(half) {
      let a = load(x, i, lanes)
      let b = load(x + half, i, lanes)
      let c = load(cosines, i, lanes)
      let s = load(sines, i, lanes) * sign
      store(a * c - b * s, y, i, lanes)
      store(b * c + a * s, y + half, i, lanes)
    }
  }

  /// Turns heads that lie side by side.
  @inline(__always)
  private static func turn<E: Element>(
    _ x: UnsafeMutablePointer<E>, _ heads: Int, _ headWidth: Int, _ cosines: UnsafePointer<Float>, _ context: Int
  ) {
    for head in 0..<heads {
      turn(x + head * headWidth, into: x + head * headWidth, headWidth / 2, cosines, context, 1)
    }
  }
}
