// What softmax(z) is like, without its targets: its entropy and its largest share. Letters: z logits [V], e = e^{z − max}, s = Σ e.
//   H = log s − Σ e·(z − max) / s;   max p = 1 / s
import Foundation

package enum OutputStatistics {
  /// The entropy and the largest probability of every row.
  /// - Parameters:
  ///   - z: [rows, V] fp32 logits, any stride; read only.
  ///   - entropy: [rows], written, nats.
  ///   - confidence: [rows], written: the probability of the likeliest token.
  package static func rows(
    _ z: Matrix, entropy: UnsafeMutablePointer<Float>, confidence: UnsafeMutablePointer<Float>, threads: Int
  ) {
    Team.split(z.rows, threads: threads) { _, rows in
      for t in rows {
        let zt = z.row(t, as: Float.self)
        let maximum = largest(zt, z.columns)
        var total = Lanes(repeating: 0)
        var moment = Lanes(repeating: 0)
        for (i, lanes) in sixteens(z.columns) {
          let below = load(zt, i, lanes) - maximum
          var e = exponential(below)
          if lanes < 16 { e = filled(e, from: lanes, with: 0) }
          total += e
          moment = moment.addingProduct(e, below)
        }
        let sum = total.folded
        entropy[t] = log(sum) - moment.folded / sum
        confidence[t] = 1 / sum
      }
    }
  }
}
