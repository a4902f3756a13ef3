// Every kernel against its slow twin, over widths that do and do not divide by sixteen; gradients against slopes.
import Foundation
import Kernels
import Support
import Testing

/// A shape to try.
struct Extent: Sendable, CustomTestStringConvertible {
  var rows: Int
  var width: Int
  var threads: Int
  var testDescription: String { "\(rows) × \(width) on \(threads)" }

  static let samples = [
    Extent(rows: 1, width: 1, threads: 1), Extent(rows: 3, width: 16, threads: 2),
    Extent(rows: 5, width: 17, threads: 1),
    Extent(rows: 4, width: 31, threads: 2), Extent(rows: 7, width: 64, threads: 3),
    Extent(rows: 2, width: 100, threads: 2),
  ]
}

func matrix(_ values: inout [Float], rows: Int, columns: Int) -> Matrix {
  // Tests keep the array alive for the call that follows.
  values.withUnsafeMutableBufferPointer { Matrix($0.baseAddress!, rows: rows, columns: columns) }
}

/// An RMSNorm of random numbers.
struct NormTrial {
  let extent: Extent
  var x: [Float]
  let w: [Float]
  /// As many numbers as x has: what is added to x, or the gradient of y.
  var other: [Float]
  var y: [Float]
  var sum: [Float]
  var scale: [Float]

  init(_ extent: Extent, seed: UInt64) {
    self.extent = extent
    var dice = Dice(seed)
    x = dice.floats(extent.rows * extent.width)
    w = dice.floats(extent.width)
    other = dice.floats(x.count)
    (y, sum) = (x, x)
    scale = [Float](repeating: 0, count: extent.rows)
  }

  mutating func forward(isAdding: Bool) {
    let (rows, columns) = (extent.rows, extent.width)
    RMSNorm.forward(
      matrix(&x, rows: rows, columns: columns), adding: isAdding ? matrix(&other, rows: rows, columns: columns) : nil,
      w: w, epsilon: 1e-6, sum: matrix(&sum, rows: rows, columns: columns), y: matrix(&y, rows: rows, columns: columns),
      scale: &scale, threads: extent.threads)
  }
}

@Suite struct RMSNormTests {
  @Test(arguments: Extent.samples)
  func `it agrees with its twin`(extent: Extent) {
    var norm = NormTrial(extent, seed: 1)
    norm.forward(isAdding: true)
    let added = zip(norm.x.doubles, norm.other.doubles).map(+)
    #expect(largestError(norm.sum, added) < 1e-6)
    #expect(largestError(norm.y, Reference.rmsNorm(added, norm.w.doubles)) < 1e-5)
  }

  @Test(arguments: Extent.samples)
  func `its gradient is the slope of its output`(extent: Extent) {
    var norm = NormTrial(extent, seed: 2)
    norm.forward(isAdding: false)
    var (x, dy) = (norm.x, norm.other)
    let (w, scale) = (norm.w, norm.scale)
    var dx = [Float](repeating: 1, count: x.count)
    var dw = [Float](repeating: 1, count: extent.width)
    var partial = [Float](repeating: 0, count: extent.threads * extent.width)
    RMSNorm.backward(
      matrix(&dy, rows: extent.rows, columns: extent.width), x: matrix(&x, rows: extent.rows, columns: extent.width),
      w: w, scale: scale, dx: matrix(&dx, rows: extent.rows, columns: extent.width), addsTo: true, operand: nil,
      dw: &dw, partial: &partial, threads: extent.threads)
    let g = dy.doubles
    func loss(_ x: [Double], _ w: [Double]) -> Double { zip(Reference.rmsNorm(x, w), g).reduce(0) { $0 + $1.0 * $1.1 } }
    for i in x.indices {
      let expected = 1 + slope(of: { loss($0, w.doubles) }, at: x.doubles, i)
      #expect(abs(Double(dx[i]) - expected) < 1e-4 * (1 + abs(expected)), "dx[\(i)]")
    }
    for i in w.indices {
      let expected = 1 + slope(of: { loss(x.doubles, $0) }, at: w.doubles, i)
      #expect(abs(Double(dw[i]) - expected) < 1e-4 * (1 + abs(expected)), "dw[\(i)]")
    }
  }
}

@Suite struct SwiGLUTests {
  @Test(arguments: Extent.samples)
  func `it agrees with its twin, and its gradient is its slope`(extent: Extent) {
    let n = extent.width
    var dice = Dice(3)
    var gu = dice.floats(extent.rows * 2 * n, scale: 4)
    let before = gu.doubles
    var s = [Float](repeating: 0, count: extent.rows * n)
    SwiGLU.forward(
      matrix(&gu, rows: extent.rows, columns: 2 * n), s: matrix(&s, rows: extent.rows, columns: n),
      threads: extent.threads)
    #expect(largestError(s, Reference.swiGLU(before, n)) < 1e-5)
    var ds = dice.floats(s.count)
    var again = [Float](repeating: 0, count: s.count)
    SwiGLU.backward(
      matrix(&ds, rows: extent.rows, columns: n), gu: matrix(&gu, rows: extent.rows, columns: 2 * n),
      s: matrix(&again, rows: extent.rows, columns: n), threads: extent.threads)
    #expect(again == s)
    let g = ds.doubles
    for i in gu.indices {
      let expected = slope(
        of: { zip(Reference.swiGLU($0, n), g).reduce(0) { $0 + $1.0 * $1.1 } }, at: before, i)
      #expect(abs(Double(gu[i]) - expected) < 1e-4 * (1 + abs(expected)), "dgu[\(i)]")
    }
  }

  @Test func `gates of a thousand neither overflow nor lose their gradient`() {
    var gu: [Float] = [1000, -1000, 2, 3]
    var s: [Float] = [0, 0]
    SwiGLU.forward(matrix(&gu, rows: 1, columns: 4), s: matrix(&s, rows: 1, columns: 2), threads: 1)
    #expect(s[0] == 2000)
    #expect(abs(s[1]) < 1e-30)
    var ds: [Float] = [1, 1]
    SwiGLU.backward(
      matrix(&ds, rows: 1, columns: 2), gu: matrix(&gu, rows: 1, columns: 4), s: matrix(&s, rows: 1, columns: 2),
      threads: 1)
    #expect(gu[0] == 2 && gu[2] == 1000)
    #expect(gu.allSatisfy { $0.isFinite })
  }
}

@Suite struct RotaryTests {
  @Test(arguments: [2, 6, 16, 32, 34])
  func `it turns pairs by their position`(headWidth: Int) {
    let (context, heads) = (5, 3)
    var dice = Dice(4)
    var x = dice.floats(context * heads * headWidth)
    let before = x.doubles
    var table = [Float](repeating: 0, count: context * headWidth)
    Rotary.fill(&table, context: context, headWidth: headWidth, theta: 10_000)
    Rotary.forward(
      matrix(&x, rows: context, columns: heads * headWidth), heads: heads, headWidth: headWidth, table: table,
      context: context, threads: 2)
    let expected = (0..<context * heads).flatMap { i in
      Reference.rotary(
        Array(before[i * headWidth..<(i + 1) * headWidth]), position: i / heads, theta: 10_000)
    }
    #expect(largestError(x, expected) < 1e-6)
  }
}

@Suite struct SparseCrossEntropyTests {
  @Test(arguments: [1, 2, 15, 16, 33, 100], [Float(1), 50, 10_000])
  func `its loss and gradient agree with their twins`(vocabulary: Int, scale: Float) {
    var dice = Dice(5)
    let rows = 4
    var z = dice.floats(rows * vocabulary, scale: scale)
    let before = z.doubles
    let capacity = 3
    let counts: [Int32] = [Int32(min(vocabulary, 1)), Int32(min(vocabulary, 3)), 0, Int32(min(vocabulary, 2))]
    var tokens = [Int32](repeating: 0, count: rows * capacity)
    var weights = [Float](repeating: 0, count: rows * capacity)
    for t in 0..<rows {
      for k in 0..<Int(counts[t]) {
        tokens[t * capacity + k] = Int32((t * 7 + k * 5) % vocabulary)
        weights[t * capacity + k] = 1 / Float(counts[t])
      }
    }
    var distinctCounts = counts
    var losses = [Float](repeating: -1, count: rows)
    let factor: Float = 0.25
    z.withUnsafeMutableBufferPointer { z in
      tokens.withUnsafeMutableBufferPointer { tokens in
        weights.withUnsafeMutableBufferPointer { weights in
          distinctCounts.withUnsafeMutableBufferPointer { counts in
            SparseCrossEntropy.rows(
              Matrix(z.baseAddress!, rows: rows, columns: vocabulary),
              targets: SparseTargets(
                tokens: tokens.baseAddress!, weights: weights.baseAddress!, counts: counts.baseAddress!,
                capacity: capacity),
              losses: &losses,
              gradient: .init(out: Matrix(z.baseAddress!, rows: rows, columns: vocabulary), factor: factor),
              threads: 2)
          }
        }
      }
    }
    for t in 0..<rows {
      let row = Array(before[t * vocabulary..<(t + 1) * vocabulary])
      guard counts[t] > 0 else {
        #expect(losses[t] == 0)
        #expect(z[t * vocabulary..<(t + 1) * vocabulary].allSatisfy { $0 == 0 })
        continue
      }
      let targets = (0..<Int(counts[t])).map { k in
        (token: Int(tokens[t * capacity + k]), weight: Double(weights[t * capacity + k]))
      }
      let expected = Reference.crossEntropy(row, targets)
      #expect(abs(Double(losses[t]) - expected) < 1e-5 * (1 + abs(expected)))
      var gradient = Reference.softmax(row)
      for target in targets { gradient[target.token] -= target.weight }
      #expect(
        largestError(Array(z[t * vocabulary..<(t + 1) * vocabulary]), gradient.map { $0 * Double(factor) }) < 1e-6)
    }
  }
}

@Suite struct EmbeddingTests {
  @Test func `a token that stands twice gets both gradients, whatever the threads`() {
    var dice = Dice(6)
    let tokens: [Int32] = [2, 0, 2, 1, 9, 9]  // two rows of two with a look-ahead of one
    var dx = dice.floats(4 * 20)
    let sums = [1, 2].map { threads in
      var table = [Float](repeating: 0, count: 10 * 20)
      Embedding.backward(
        matrix(&dx, rows: 4, columns: 20), tokens: tokens, context: 2, stride: 3, dTable: &table, threads: threads)
      return table
    }
    #expect(sums[0] == sums[1])
    for i in 0..<20 {
      #expect(sums[0][2 * 20 + i] == dx[i])
      #expect(sums[0][9 * 20 + i] == dx[3 * 20 + i])
      #expect(sums[0][1 * 20 + i] == dx[2 * 20 + i])
    }
  }
}

@Suite struct AdamWTests {
  @Test func `its update is the formula's`() {
    var dice = Dice(7)
    let n = 37
    var w = dice.floats(n)
    let g = dice.floats(n)
    var m = dice.floats(n)
    var v = dice.floats(n).map(abs)
    let before = (w: w.doubles, m: m.doubles, v: v.doubles)
    let adam = AdamW(
      beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, rate: 0.01, clip: 0.5, step: 2)
    adam.update(w: &w, g: g, m: &m, v: &v, rounded: nil, count: n, threads: 2)
    for i in 0..<n {
      let gi = Double(g[i]) * 0.5
      let mi = 0.9 * before.m[i] + 0.1 * gi
      let vi = 0.95 * before.v[i] + 0.05 * gi * gi
      let corrected = (mi / (1 - pow(0.9, 3))) / ((vi / (1 - pow(0.95, 3))).squareRoot() + 1e-8)
      let wi = before.w[i] - 0.01 * (corrected + 0.1 * before.w[i])
      #expect(abs(Double(m[i]) - mi) < 1e-6)
      #expect(abs(Double(v[i]) - vi) < 1e-6)
      #expect(abs(Double(w[i]) - wi) < 1e-5)
    }
  }

  @Test func `the norm of a block does not depend on the threads`() {
    var dice = Dice(8)
    let x = dice.floats(100_003)
    var partial = [Double](repeating: 0, count: VectorMath.pieces(of: x.count))
    let norms = [1, 2, 5].map { VectorMath.norm(x, count: x.count, partial: &partial, threads: $0) }
    #expect(Set(norms).count == 1)
    let expected = x.doubles.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(abs(norms[0] - expected) < 1e-4 * expected)
  }
}

@Suite struct RandomStreamTests {
  @Test func `numbers depend on seed, purpose and index alone`() {
    let a = RandomStream(seed: 1, purpose: "weights")
    #expect(a.bits(5) == RandomStream(seed: 1, purpose: "weights").bits(5))
    #expect(a.bits(5) != RandomStream(seed: 2, purpose: "weights").bits(5))
    #expect(a.bits(5) != RandomStream(seed: 1, purpose: "text").bits(5))
    let normals = (0..<100_000).map { a.normal(UInt64($0)) }
    let mean = normals.reduce(0, +) / 100_000
    let variance = normals.reduce(0) { $0 + $1 * $1 } / 100_000
    #expect(abs(mean) < 0.02 && abs(variance - 1) < 0.03)
  }
}
