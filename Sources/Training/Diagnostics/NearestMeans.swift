// NC4: whether the class with the largest logit is the one with the nearest mean. Both are chosen among the classes seen in the
// training part. ‖h − μ‖² is least where μ·h − ‖μ‖²/2 is largest: the product that logits are, with a bias.
import Kernels
import Run

/// Compares held-out positions with class means. A class, since oneDNN's products are kept.
final class NearestMeans {
  /// Positions whose logits are in memory at the same time.
  static let rows = 256

  private let width: Int
  private let threads: Int
  /// The token of each class.
  private let tokens: [Int]
  /// [C, d] each, and [C].
  private var means: [Float]
  private var weights: [Float]
  private var bias: [Float]
  private let products: Products
  private let logits: Product
  private let nearness: Product
  /// [rows, d], and [rows, C] twice.
  private var states: [Float]
  private var scores: [[Float]]
  private var agreeing = 0
  private var right = 0
  private var count = 0

  /// - Parameters:
  ///   - means: [C, d].
  ///   - weights: [C, d], the unembeddings.
  /// - Throws: `ProductError` where oneDNN refuses.
  init(means: [Double], weights: [Float], tokens: [Int], width: Int, threads: Int) throws(ProductError) {
    typealias Operand = ProductShape.Operand
    let classes = tokens.count
    self.width = width
    self.threads = threads
    self.tokens = tokens
    self.weights = weights
    self.means = means.map { Float($0) }
    bias = (0..<classes).map { c in
      Float(means[c * width..<(c + 1) * width].reduce(0) { $0 - $1 * $1 } / 2)
    }
    products = try Products(threads: threads)
    func shape(hasBias: Bool) -> ProductShape {
      let operand = Operand(stride: width, precision: .fp32)
      return ProductShape(
        m: Self.rows, n: classes, k: width, a: operand,
        b: Operand(stride: width, precision: .fp32, isTransposed: true),
        c: Operand(stride: classes, precision: .fp32), hasBias: hasBias)
    }
    logits = try products[shape(hasBias: false)]
    nearness = try products[shape(hasBias: true)]
    states = [Float](repeating: 0, count: Self.rows * width)
    scores = [[Float]](repeating: [Float](repeating: 0, count: Self.rows * classes), count: 2)
  }

  /// Takes in positions.
  /// - Parameters:
  ///   - all: [M, d].
  ///   - targets: [M], the next tokens.
  func add(_ all: [Float], at positions: [Int], targets: [Int32]) {
    for first in stride(from: 0, to: positions.count, by: Self.rows) {
      let chunk = positions[first..<min(first + Self.rows, positions.count)]
      for (row, position) in chunk.enumerated() {
        states.replaceSubrange(
          row * width..<(row + 1) * width, with: all[position * width..<(position + 1) * width])
      }
      let guesses = largest(of: chunk.count)
      for ((guess, near), position) in zip(guesses, chunk) {
        count += 1
        if guess == near { agreeing += 1 }
        if tokens[near] == Int(targets[position]) { right += 1 }
      }
    }
  }

  /// The classes with the largest logit and the nearest mean, for each of the first rows of `states`.
  private func largest(of count: Int) -> [(logit: Int, nearest: Int)] {
    let classes = tokens.count
    states.withUnsafeMutableBytes { states in
      weights.withUnsafeMutableBytes { weights in
        scores[0].withUnsafeMutableBytes { logits(states.baseAddress!, weights.baseAddress!, into: $0.baseAddress!) }
      }
      means.withUnsafeMutableBytes { means in
        bias.withUnsafeMutableBytes { bias in
          scores[1].withUnsafeMutableBytes {
            nearness(states.baseAddress!, means.baseAddress!, into: $0.baseAddress!, bias: bias.baseAddress!)
          }
        }
      }
    }
    var found = [(logit: Int, nearest: Int)](repeating: (0, 0), count: count)
    scores[0].withUnsafeBufferPointer { logits in
      scores[1].withUnsafeBufferPointer { nearness in
        found.withUnsafeMutableBufferPointer { buffer in
          nonisolated(unsafe) let found = buffer
          func best(_ list: UnsafeBufferPointer<Float>, _ row: Int) -> Int {
            var best = 0
            for c in 1..<classes where list[row * classes + c] > list[row * classes + best] { best = c }
            return best
          }
          Team.split(count, threads: threads) { _, rows in
            for row in rows { found[row] = (best(logits, row), best(nearness, row)) }
          }
        }
      }
    }
    return found
  }

  var numbers: [(name: String, value: Double)] {
    // What a failed product leaves means nothing.
    guard products.failure == nil, count > 0 else { return [] }
    return [
      ("nc4-agreement", Double(agreeing) / Double(count)), ("nc4-accuracy", Double(right) / Double(count)),
      ("nc4-count", Double(count)),
    ]
  }
}
