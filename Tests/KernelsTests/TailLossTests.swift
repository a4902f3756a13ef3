// Targets that leave a part of their weight to all tokens together that they do not name, and the likeliest tokens of a prediction.
import Foundation
import Kernels
import Support
import Testing

@Suite struct TailLossTests {
  /// One row of targets: the first token is the text's, whose weight of its own is 1 − w.
  private struct TaughtRow {
    var tokens: [Int32]
    var weights: [Float]
    var tail: Float
    var isFirstInTail: Bool
  }

  private static func run(_ z: [Float], _ row: TaughtRow, factor: Float) -> (loss: Float, gradient: [Float]) {
    var (z, row, counts) = (z, row, [Int32(row.tokens.count)])
    var (losses, plain, entropies) = ([Float(0)], [Float(0)], [Float(0)])
    var tails: [Float] = [row.tail, row.isFirstInTail ? 1 : 0]
    z.withUnsafeMutableBufferPointer { z in
      row.tokens.withUnsafeMutableBufferPointer { tokens in
        row.weights.withUnsafeMutableBufferPointer { weights in
          tails.withUnsafeMutableBufferPointer { tails in
            let matrix = Matrix(z.baseAddress!, rows: 1, columns: z.count)
            ShapedCrossEntropy.rows(
              matrix,
              targets: SparseTargets(
                tokens: tokens.baseAddress!, weights: weights.baseAddress!, counts: &counts, capacity: tokens.count,
                tails: tails.baseAddress!),
              shape: WeightShape(), results: .init(losses: &losses, plain: &plain, entropies: &entropies),
              gradient: .init(out: matrix, factor: factor), threads: 1)
          }
        }
      }
    }
    return (losses[0], z)
  }

  /// (1 − w) e + w q for the likeliest tokens of q.
  private static func mixed(_ q: [Double], named: [Int], next: Int, w: Double) -> TaughtRow {
    let isNamed = named.contains(next)
    let others = named.filter { $0 != next }
    return TaughtRow(
      tokens: ([next] + others).map(Int32.init),
      weights: [Float(1 - w + (isNamed ? w * q[next] : 0))] + others.map { Float(w * q[$0]) },
      tail: Float(w * (1 - named.reduce(0) { $0 + q[$1] })), isFirstInTail: !isNamed)
  }

  @Test(arguments: [2, 15, 16, 33, 100], [0.3, 1])
  func `its loss is its twin's and its gradient the slope`(vocabulary: Int, w: Double) {
    var dice = Dice(3)
    for trial in 0..<8 {
      let z = dice.floats(vocabulary, scale: 4)
      let q = Reference.softmax(dice.floats(vocabulary, scale: 3).doubles)
      let named = Array((0..<vocabulary).shuffled(using: &dice).prefix(max(1, min(vocabulary - 1, 1 + trial))))
      let next = Int.random(in: 0..<vocabulary, using: &dice)
      let factor: Float = 0.25
      let result = Self.run(z, Self.mixed(q, named: named, next: next, w: w), factor: factor)
      func loss(_ z: [Double]) -> Double { Reference.salted(z, next, named.map { ($0, q[$0]) }, weight: w) }
      #expect(abs(Double(result.loss) - loss(z.doubles)) < 2e-5)
      let slopes = z.indices.map { slope(of: loss, at: z.doubles, $0) * Double(factor) }
      #expect(largestError(result.gradient, slopes) < 2e-6)
      #expect(abs(result.gradient.reduce(0, +)) < 1e-5)
    }
  }

  @Test func `a teacher that predicts what the network predicts teaches nothing`() {
    var dice = Dice(4)
    for vocabulary in [5, 40] {
      let z = dice.floats(vocabulary, scale: 4)
      let p = Reference.softmax(z.doubles)
      for named in [Array(0..<vocabulary), Array((0..<vocabulary).shuffled(using: &dice).prefix(3))] {
        let row = Self.mixed(p, named: named, next: 2, w: 1)
        #expect(Self.run(z, row, factor: 1).gradient.allSatisfy { abs($0) < 1e-6 })
      }
    }
  }

  @Test(arguments: [1, 7, 16, 100, 513], [1, 0.5, 3])
  func `the likeliest tokens of a prediction are those of its twin`(vocabulary: Int, temperature: Float) {
    var dice = Dice(5)
    let (rows, top) = (5, min(vocabulary, 9))
    var z = dice.floats(rows * vocabulary, scale: 6)
    if vocabulary > 3 { z[3] = z[1] }
    var tokens = [Int32](repeating: -1, count: rows * top)
    var weights = [Float](repeating: -1, count: rows * top)
    z.withUnsafeMutableBufferPointer { z in
      TopProbabilities.rows(
        Matrix(z.baseAddress!, rows: rows, columns: vocabulary), temperature: temperature, top: top, tokens: &tokens,
        weights: &weights, threads: 2)
    }
    for row in 0..<rows {
      let p = Reference.softmax(z[row * vocabulary..<(row + 1) * vocabulary].map { Double($0) / Double(temperature) })
      let order = p.indices.sorted {
        (z[row * vocabulary + $1], $0) < (z[row * vocabulary + $0], $1)
      }.prefix(top)
      #expect(tokens[row * top..<(row + 1) * top].map(Int.init) == Array(order))
      for (k, token) in order.enumerated() { #expect(abs(Double(weights[row * top + k]) - p[token]) < 1e-6) }
    }
  }
}
