// Muon's slow twin, in Double: written from the formulas of Kernels/Elementwise/Muon.swift, one matrix at a time.
import Foundation

extension Reference {
  /// Five iterations of x ← (3.4445·1 − 4.7750·A + 2.0315·A²)·x with A = x·xᵀ, on the wide side of x.
  /// - Parameter x: [rows, columns], of a Frobenius norm of at most 1.
  package static func newtonSchulz(_ x: [Double], rows: Int, columns: Int) -> [Double] {
    if rows > columns {
      return transposed(
        newtonSchulz(transposed(x, rows: rows, columns: columns), rows: columns, columns: rows), rows: columns,
        columns: rows)
    }
    var x = x
    for _ in 0..<5 {
      let gram = product(x, x, columns)
      // A is its own transpose.
      let square = product(gram, gram, rows)
      let factor = (0..<rows * rows).map { i in
        (i / rows == i % rows ? 3.4445 : 0) - 4.7750 * gram[i] + 2.0315 * square[i]
      }
      x = product(factor, transposed(x, rows: rows, columns: columns), rows)
    }
    return x
  }

  /// One step of Muon.
  /// - Returns: weights and momentum after it.
  package static func muon(
    _ w: [Double], _ g: [Double], _ m: [Double], rows: Int, columns: Int, momentum: Double, rate: Double,
    decay: Double, clip: Double
  ) -> (w: [Double], m: [Double]) {
    let m = zip(m, g).map { momentum * $0 + (1 - momentum) * clip * $1 }
    let u = zip(m, g).map { momentum * $0 + (1 - momentum) * clip * $1 }
    let norm = u.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let x = newtonSchulz(u.map { $0 / max(norm, 1e-16) }, rows: rows, columns: columns)
    let scale = 0.2 * Double(max(rows, columns)).squareRoot()
    return (zip(w, x).map { $0 - rate * (scale * $1 + decay * $0) }, m)
  }

  package static func transposed(_ x: [Double], rows: Int, columns: Int) -> [Double] {
    (0..<columns * rows).map { x[$0 % rows * columns + $0 / rows] }
  }
}
