// Adding up gradients that reach one residual stream from several sides.

package enum StreamSum {
  /// sum = x + y, and once more rounded as an operand of products.
  /// - Parameters:
  ///   - x, y, sum: [rows, d] fp32; sum may be either.
  ///   - operand: [rows, d] bf16; nil writes none.
  package static func add(_ x: Matrix, _ y: Matrix, into sum: Matrix, operand: Matrix?, threads: Int) {
    Team.split(x.rows, threads: threads) { _, rows in
      for t in rows {
        let (a, b, c) = (x.row(t, as: Float.self), y.row(t, as: Float.self), sum.row(t, as: Float.self))
        eachLanes(x.columns) { i, lanes in
          let v = load(a, i, lanes) + load(b, i, lanes)
          store(v, c, i, lanes)
          if let operand { store(v, operand.row(t, as: BFloat16.self), i, lanes) }
        }
      }
    }
  }
}
