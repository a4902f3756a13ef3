// Squared distances of all rows of one matrix to all rows of another, from their differences: x·x − 2x·y + y·y would lose what
// small distances are made of.

package enum SquaredDistances {
  /// ‖aᵢ − bⱼ‖² for every pair of rows, on the calling thread.
  /// - Parameters:
  ///   - a: [m, d] fp32.
  ///   - b: [n, d] fp32.
  ///   - out: [m, n], written.
  package static func fill(_ out: UnsafeMutablePointer<Float>, _ a: Matrix, _ b: Matrix) {
    for i in 0..<a.rows {
      let x = a.row(i, as: Float.self)
      for j in 0..<b.rows { out[i * b.rows + j] = distance(x, b.row(j, as: Float.self), a.columns) }
    }
  }

  @inline(__always)
  private static func distance(_ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>, _ n: Int) -> Float {
    var (a, b) = (Lanes(repeating: 0), Lanes(repeating: 0))
    var i = 0
    while i + 32 <= n {
      let first = Float.load(x, i) - Float.load(y, i)
      a = a.addingProduct(first, first)
      let second = Float.load(x, i + 16) - Float.load(y, i + 16)
      b = b.addingProduct(second, second)
      i += 32
    }
    for (j, lanes) in sixteens(n - i) {
      let rest = load(x, i + j, lanes) - load(y, i + j, lanes)
      a = a.addingProduct(rest, rest)
    }
    return (a + b).folded
  }
}
