// Neural collapse of the final hidden states (“Linguistic collapse: neural collapse in (large) language models”, arXiv 2405.17767).
// A class c is a next token; h is the exact input of the unembedding. NC1 to NC3 are of the training part, NC4 of the held-out part.
//   n_c, S_c = Σ h, Q_c = Σ ‖h‖²  →  μ_c = S_c / n_c,  var_c = Q_c / n_c − ‖μ_c‖² (not below 0),  μ_G = mean of the μ_c
// The sums are made in one pass, in Double. What follows from the means is in ClassGeometry, NC4 in NearestMeans.
import Kernels
import Run
import Transformer

struct NeuralCollapse: Diagnostic {
  static var needs: DiagnosticNeeds { [.training, .states] }

  static func cost(_ plan: RunPlan) -> DiagnosticCost {
    let (width, classes) = (Double(plan.recipe.model.width), Double(plan.network.configuration.vocabulary))
    let states = 4 * plan.recipe.batch.rows * plan.recipe.model.context * plan.recipe.model.width
    // Two kinds of distances over half of all pairs; logits and distances to the means for every held-out token.
    return DiagnosticCost(
      perTrainingToken: 3 * width, perHeldOutToken: 4 * classes * width, once: 3 * classes * classes * width,
      bytes: states + Int(classes * width) * (2 * 8 + 4 * 4) + 2 * 4 * NearestMeans.rows * Int(classes))
  }

  private let width: Int
  private let least: Int
  private let threads: Int
  /// n_c, S_c [V, d] and Q_c.
  private var counts: [Int]
  private var sums: [Double]
  private var squares: [Double]
  private var geometry: ClassGeometry?
  private var nearest: NearestMeans?
  private var classes = 0

  init(_ setting: DiagnosticSetting) {
    self.init(
      vocabulary: setting.vocabulary, width: setting.recipe.model.width, least: setting.recipe.measure.least,
      threads: setting.threads)
  }

  /// - Parameter least: how often a next token must come to be a class.
  init(vocabulary: Int, width: Int, least: Int, threads: Int) {
    self.width = width
    self.least = least
    self.threads = threads
    counts = [Int](repeating: 0, count: vocabulary)
    sums = [Double](repeating: 0, count: vocabulary * width)
    squares = [Double](repeating: 0, count: vocabulary)
  }

  mutating func add(_ batch: DiagnosticBatch) {
    let positions = batch.targets[0].indices.filter { batch.targets[0][$0] >= 0 }
    if batch.part == .heldOut {
      nearest?.add(batch.states, at: positions, targets: batch.targets[0])
    } else {
      take(batch.states, at: positions, targets: batch.targets[0])
    }
  }

  /// Adds to n, S and Q. Threads share out the columns, so that every sum is made in the order of the positions.
  private mutating func take(_ states: [Float], at positions: [Int], targets: [Int32]) {
    let width = width
    states.withUnsafeBufferPointer { states in
      sums.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let sums = buffer
        Team.split(width, threads: threads, grain: 16) { _, columns in
          for position in positions {
            let (from, to) = (position * width, Int(targets[position]) * width)
            for i in columns { sums[to + i] += Double(states[from + i]) }
          }
        }
      }
      for position in positions {
        var square = 0.0
        for i in position * width..<(position + 1) * width { square += Double(states[i]) * Double(states[i]) }
        squares[Int(targets[position])] += square
        counts[Int(targets[position])] += 1
      }
    }
  }

  mutating func finish(_ part: DiagnosticPart, _ model: Transformer) throws {
    guard part == .training else { return }
    try prepare(unembedding: model.unembedding(head: 0))
  }

  /// Makes the means and what follows from them.
  /// - Parameter unembedding: [V, d].
  /// - Throws: `ProductError` where oneDNN refuses.
  mutating func prepare(unembedding: UnsafePointer<Float>) throws {
    let seen = counts.indices.filter { counts[$0] >= max(least, 1) }
    classes = seen.count
    guard classes >= 2 else { return }
    var means = [Double](repeating: 0, count: classes * width)
    var variances: [Double] = []
    var weights = [Float](repeating: 0, count: classes * width)
    for (index, token) in seen.enumerated() {
      let count = Double(counts[token])
      var square = 0.0
      for i in 0..<width {
        let mean = sums[token * width + i] / count
        means[index * width + i] = mean
        square += mean * mean
        weights[index * width + i] = unembedding[token * width + i]
      }
      variances.append(max(squares[token] / count - square, 0))
    }
    geometry = ClassGeometry(
      means: means, variances: variances, weights: weights, width: width, threads: threads)
    nearest = try NearestMeans(means: means, weights: weights, tokens: seen, width: width, threads: threads)
  }

  func numbers() -> [(name: String, value: Double)] {
    [("classes-count", Double(classes))] + (geometry?.numbers ?? []) + (nearest?.numbers ?? [])
  }
}
