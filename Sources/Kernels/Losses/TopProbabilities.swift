// The likeliest tokens of softmax(z / τ), as teachers keep them. Letters: z logits [V], k tokens of a row.
import Foundation

package enum TopProbabilities {
  /// - Parameters:
  ///   - z: [rows, V] fp32 logits, any stride; read only.
  ///   - temperature: τ.
  ///   - top: k, at most V.
  ///   - tokens: [rows, k], written, likeliest first; of equally likely ones the lower first.
  ///   - weights: [rows, k], written: their probabilities.
  package static func rows(
    _ z: Matrix, temperature: Float, top: Int, tokens: UnsafeMutablePointer<Int32>,
    weights: UnsafeMutablePointer<Float>, threads: Int
  ) {
    precondition((1...z.columns).contains(top) && temperature > 0)
    Team.split(z.rows, threads: threads) { _, rows in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: top) { heap in
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: top) { places in
          for t in rows {
            row(
              z.row(t, as: Float.self), count: z.columns, temperature, top, heap.baseAddress!, places.baseAddress!,
              tokens + t * top, weights + t * top)
          }
        }
      }
    }
  }

  private static func row(
    _ z: UnsafeMutablePointer<Float>, count V: Int, _ temperature: Float, _ top: Int,
    _ heap: UnsafeMutablePointer<Float>, _ places: UnsafeMutablePointer<Int32>, _ tokens: UnsafeMutablePointer<Int32>,
    _ weights: UnsafeMutablePointer<Float>
  ) {
    TopScores.find(z, count: V, most: top, heap: heap, places: places, into: tokens)
    var found = UnsafeMutableBufferPointer<Int32>(start: tokens, count: top)
    found.sort { (a: Int32, b: Int32) -> Bool in
      let (x, y) = (z[Int(a)], z[Int(b)])
      return x == y ? a < b : x > y
    }
    let maximum = largest(z, V)
    var total = Lanes(repeating: 0)
    for (i, lanes) in sixteens(V) {
      var e = exponential((load(z, i, lanes) - maximum) / temperature)
      if lanes < 16 { e = filled(e, from: lanes, with: 0) }
      total += e
    }
    let sum = total.folded
    for k in 0..<top { weights[k] = exp((z[Int(tokens[k])] - maximum) / temperature) / sum }
  }
}
