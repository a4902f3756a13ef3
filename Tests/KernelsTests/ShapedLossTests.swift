// Losses whose weights do not sum to 1 or depend on the prediction, and those of sets and discounted futures, against their twins.
import Foundation
import Kernels
import Support
import Testing

/// What a kernel made of rows of logits.
private struct LossRows {
  var losses, plain, entropies: [Float]
  var gradient: [Float]
}

/// Tokens and weights of some rows.
private struct TargetRows {
  var tokens: [Int32]
  var weights: [Float]
  var counts: [Int32]
  let capacity: Int

  /// Distinct tokens, a row with none among them.
  init(rows: Int, vocabulary: Int, capacity: Int, dice: inout Dice) {
    self.capacity = capacity
    counts = (0..<rows).map { Int32(min(vocabulary, $0 % (capacity + 1))) }
    tokens = [Int32](repeating: 0, count: rows * capacity)
    weights = [Float](repeating: 0, count: rows * capacity)
    for row in 0..<rows {
      for (k, token) in (0..<Int32(vocabulary)).shuffled(using: &dice).prefix(Int(counts[row])).enumerated() {
        tokens[row * capacity + k] = token
        weights[row * capacity + k] = k == 0 ? 1 : Float.random(in: 0.1...0.6, using: &dice)
      }
    }
  }

  func of(_ row: Int) -> [(token: Int, weight: Double)] {
    (0..<Int(counts[row])).map { (Int(tokens[row * capacity + $0]), Double(weights[row * capacity + $0])) }
  }

  mutating func view<Result>(_ body: (SparseTargets) -> Result) -> Result {
    let capacity = capacity
    return tokens.withUnsafeMutableBufferPointer { tokens in
      weights.withUnsafeMutableBufferPointer { weights in
        counts.withUnsafeMutableBufferPointer { counts in
          body(
            SparseTargets(
              tokens: tokens.baseAddress!, weights: weights.baseAddress!, counts: counts.baseAddress!,
              capacity: capacity))
        }
      }
    }
  }
}

@Suite struct ShapedCrossEntropyTests {
  private static func run(
    _ z: [Float], _ targets: TargetRows, _ shape: WeightShape, factor: Float = 1, threads: Int = 2
  ) -> LossRows {
    let rows = targets.counts.count
    var (z, targets) = (z, targets)
    var result = LossRows(
      losses: .init(repeating: -1, count: rows), plain: .init(repeating: -1, count: rows),
      entropies: .init(repeating: -1, count: rows), gradient: [])
    targets.view { view in
      z.withUnsafeMutableBufferPointer { z in
        let matrix = Matrix(z.baseAddress!, rows: rows, columns: z.count / rows)
        result.losses.withUnsafeMutableBufferPointer { losses in
          result.plain.withUnsafeMutableBufferPointer { plain in
            result.entropies.withUnsafeMutableBufferPointer { entropies in
              ShapedCrossEntropy.rows(
                matrix, targets: view, shape: shape,
                results: .init(
                  losses: losses.baseAddress!, plain: plain.baseAddress!, entropies: entropies.baseAddress!),
                gradient: .init(out: matrix, factor: factor), threads: threads)
            }
          }
        }
      }
    }
    result.gradient = z
    return result
  }

  private static let shapes = [
    WeightShape(), WeightShape(beta: 0.5), WeightShape(beta: -0.25), WeightShape(tail: -0.1, likeliest: 5),
    WeightShape(head: 0.1, likeliest: 3), WeightShape(beta: 1.5, head: 0.2, tail: 0.1, likeliest: 4),
    WeightShape(head: 0.2, tail: 0.2, likeliest: 200),
  ]

  @Test(arguments: shapes, [1, 2, 15, 16, 33, 100])
  func `its loss is its twin's and its gradient the slope with weights held fixed`(shape: WeightShape, vocabulary: Int)
  {
    var dice = Dice(1)
    let rows = 6
    let z = dice.floats(rows * vocabulary, scale: 4)
    let targets = TargetRows(rows: rows, vocabulary: vocabulary, capacity: 3, dice: &dice)
    let factor: Float = 0.25
    let result = Self.run(z, targets, shape, factor: factor)
    for t in 0..<rows {
      let row = Array(z[t * vocabulary..<(t + 1) * vocabulary]).doubles
      let gradient = Array(result.gradient[t * vocabulary..<(t + 1) * vocabulary])
      let list = targets.of(t)
      guard !list.isEmpty else {
        #expect(result.losses[t] == 0 && result.plain[t] == 0 && result.entropies[t] == 0)
        #expect(gradient.allSatisfy { $0 == 0 })
        continue
      }
      let weights = Reference.shapedWeights(
        row, list, beta: Double(shape.beta), head: Double(shape.head), tail: Double(shape.tail),
        likeliest: shape.likeliest)
      let p = Reference.softmax(row)
      #expect(abs(Double(result.losses[t]) - Reference.weighted(row, weights)) < 2e-5)
      #expect(abs(Double(result.plain[t]) + log(p[list[0].token])) < 2e-5)
      #expect(abs(Double(result.entropies[t]) + p.reduce(0) { $0 + $1 * log($1) }) < 2e-5)
      let slopes = row.indices.map { slope(of: { Reference.weighted($0, weights) }, at: row, $0) }
      #expect(largestError(gradient, slopes.map { $0 * Double(factor) }) < 2e-6)
      #expect(abs(gradient.reduce(0, +)) < 1e-5)
    }
  }

  @Test func `a prediction that is almost certain keeps its digits, and large logits are no fault`() {
    var dice = Dice(2)
    var targets = TargetRows(rows: 2, vocabulary: 40, capacity: 1, dice: &dice)
    targets.counts = [1, 1]
    targets.tokens = [7, 8]
    targets.weights = [1, 1]
    var z = dice.floats(80)
    (z[7], z[48]) = (11, 10_000)
    let result = Self.run(z, targets, WeightShape(beta: -0.25, head: 0.1, likeliest: 4))
    let row = Array(z[..<40]).doubles
    let weights = Reference.shapedWeights(
      row, [(7, 1)], beta: -0.25, head: Double(Float(0.1)), tail: 0, likeliest: 4)
    let S = weights.reduce(0, +)
    let p = Reference.softmax(row)
    #expect(abs(Double(result.losses[0]) / Reference.weighted(row, weights) - 1) < 1e-4)
    #expect(
      largestError(Array(result.gradient[..<40]), zip(p, weights).map { S * $0 - $1 }, floor: 1e-3) < 1e-3)
    #expect(result.gradient[40...].allSatisfy(\.isFinite) && result.losses[1].isFinite)
  }

  @Test func `the number of threads changes no bit`() {
    var dice = Dice(3)
    let z = dice.floats(7 * 50)
    let targets = TargetRows(rows: 7, vocabulary: 50, capacity: 4, dice: &dice)
    let shape = WeightShape(beta: 0.5, head: 0.1, tail: -0.1, likeliest: 6)
    let (one, three) = (Self.run(z, targets, shape, threads: 1), Self.run(z, targets, shape, threads: 3))
    #expect(one.gradient == three.gradient && one.losses == three.losses && one.entropies == three.entropies)
  }
}

@Suite struct PresenceCrossEntropyTests {
  @Test(arguments: [1, 2, 15, 16, 33, 700], [Float(1), 60])
  func `its loss is its twin's and its gradient its slope`(vocabulary: Int, scale: Float) {
    var dice = Dice(4)
    let rows = 5
    var z = dice.floats(rows * vocabulary, scale: scale)
    let before = z
    var targets = TargetRows(rows: rows, vocabulary: vocabulary, capacity: 4, dice: &dice)
    let window = 5
    let share = min(0.5, Double(window - 1) / Double(vocabulary))
    let form = PresenceCrossEntropy(offset: Float(log(share / (1 - share))), scale: 1 / Float(window - 1))
    var (measured, losses) = ([Float](repeating: -1, count: rows), [Float](repeating: -1, count: rows))
    let copy = targets
    targets.view { view in
      z.withUnsafeMutableBufferPointer { z in
        let matrix = Matrix(z.baseAddress!, rows: rows, columns: vocabulary)
        form.rows(matrix, targets: view, losses: &measured, gradient: nil, threads: 2)
        form.rows(matrix, targets: view, losses: &losses, gradient: .init(out: matrix, factor: 0.5), threads: 2)
      }
    }
    #expect(measured == losses)
    for t in 0..<rows {
      let row = Array(before[t * vocabulary..<(t + 1) * vocabulary]).doubles
      let gradient = Array(z[t * vocabulary..<(t + 1) * vocabulary])
      let bag = Set(copy.of(t).map(\.token))
      guard !bag.isEmpty else {
        #expect(losses[t] == 0 && gradient.allSatisfy { $0 == 0 })
        continue
      }
      let expected = Reference.presence(row, bag, window: window)
      #expect(abs(Double(losses[t]) - expected) < 1e-5 * (1 + expected))
      for v in row.indices.prefix(40) {
        let slope = slope(of: { Reference.presence($0, bag, window: window) }, at: row, v)
        #expect(abs(Double(gradient[v]) - 0.5 * slope) < 1e-6)
      }
    }
  }

  @Test func `the best constant prediction loses the entropies of its tokens`() {
    // A token is in a quarter of the sets, another in half of them, the third in none.
    let probabilities = [0.25, 0.5, 1e-9]
    let logits = probabilities.map { Float(log($0 / (1 - $0))) }
    let sets: [Set<Int>] = [[0, 1], [1], [], []]
    let form = PresenceCrossEntropy(offset: 0, scale: 1)
    var losses = [Float](repeating: 0, count: 4)
    var dice = Dice(5)
    var targets = TargetRows(rows: 4, vocabulary: 3, capacity: 2, dice: &dice)
    targets.counts = sets.map { Int32($0.count) }
    for (row, set) in sets.enumerated() {
      for (k, token) in set.enumerated() { targets.tokens[row * 2 + k] = Int32(token) }
    }
    var z = (0..<4).flatMap { _ in logits }
    targets.view { view in
      z.withUnsafeMutableBufferPointer { z in
        form.rows(
          Matrix(z.baseAddress!, rows: 4, columns: 3), targets: view, losses: &losses, gradient: nil, threads: 1)
      }
    }
    // Rows without a set count as no position: what they would lose is added here.
    let empty = logits.reduce(0.0) { $0 + log1p(exp(Double($1))) }
    let mean = (Double(losses[0]) + Double(losses[1]) + 2 * empty) / 4
    let entropies = probabilities.reduce(0.0) { $0 - $1 * log($1) - (1 - $1) * log(1 - $1) }
    #expect(abs(mean - entropies) < 1e-5)
  }
}
