// A few rows times a matrix: every row has the bits that it has alone, and is what its twin says.
import Foundation
import Kernels
import Support
import Testing

@Suite struct MatrixVectorTests {
  @Test(arguments: [Precision.fp32, .bf16], [1, 2, 3, 4, 7, 16])
  func `a row beside others has the bits that it has alone`(precision: Precision, rows: Int) {
    var dice = Dice(for: "matrix-vector")
    for (n, k, threads) in [(5, 1, 1), (9, 31, 2), (16, 32, 1), (33, 100, 3), (20, 384, 2)] {
      var w = dice.floats(n * k)
      var x = dice.floats(rows * k)
      var rounded = w.map { UInt16(truncatingIfNeeded: $0.bitPattern >> 16) }
      let exact = precision == .fp32 ? w : rounded.map { Float(bitPattern: UInt32($0) << 16) }
      let start = dice.floats(rows * n)
      let weights = w.withUnsafeMutableBytes { fp32 in
        rounded.withUnsafeMutableBytes {
          Matrix(precision == .fp32 ? fp32.baseAddress! : $0.baseAddress!, rows: n, columns: k, precision: precision)
        }
      }
      for accumulates in [false, true] {
        var (together, alone) = (start, start)
        MatrixVector.multiply(
          weights, matrix(&x, rows: rows, columns: k), into: matrix(&together, rows: rows, columns: n),
          accumulates: accumulates, threads: threads)
        for row in 0..<rows {
          var y = Array(start[row * n..<(row + 1) * n])
          MatrixVector.multiply(
            weights, Array(x[row * k..<(row + 1) * k]), into: &y, accumulates: accumulates, threads: 1)
          alone.replaceSubrange(row * n..<(row + 1) * n, with: y)
        }
        #expect(together == alone, "\(n) × \(k), \(Trial.note)")
        let expected = (0..<rows * n).map { place in
          let (row, r) = (place / n, place % n)
          return (0..<k).reduce(accumulates ? Double(start[place]) : 0) {
            $0 + Double(exact[r * k + $1]) * Double(x[row * k + $1])
          }
        }
        #expect(largestError(together, expected) < 1e-4, "\(n) × \(k), \(Trial.note)")
      }
      withExtendedLifetime((w, rounded)) {}
    }
  }
}

@Suite struct CachedAttentionTests {
  @Test(arguments: [(1, 4), (5, 16), (33, 64), (40, 70), (17, 128)])
  func `attention of one position is its twin's`(count: Int, width: Int) {
    var dice = Dice(for: "cached attention")
    let stride = width + 3
    let (q, keys, values) = (dice.floats(width), dice.floats(count * stride), dice.floats(count * stride))
    var (output, scores) = ([Float](repeating: 0, count: width), [Float](repeating: 0, count: count))
    CachedAttention.forward(
      q: q, keys: keys, values: values, stride: stride, count: count, headWidth: width, output: &output, scores: &scores
    )
    let dots = (0..<count).map { s in
      (0..<width).reduce(0.0) { $0 + Double(q[$1]) * Double(keys[s * stride + $1]) } / Double(width).squareRoot()
    }
    let top = dots.max()!
    let sum = dots.reduce(0) { $0 + exp($1 - top) }
    let expected = (0..<width).map { i in
      (0..<count).reduce(0.0) { $0 + exp(dots[$1] - top) / sum * Double(values[$1 * stride + i]) }
    }
    #expect(largestError(output, expected) < 1e-5, "\(Trial.note)")
  }
}
