// What memory layers begin with (UltraMemV2, section on initialisation): scores of picks are 1 on average, and what the layer adds
// to the stream has the variance of what the MLP adds.
//   σ_V⁴ = var(MLP) / (P · E[s²] · D_p · dσ² · D_v σ²),  with plain values σ_V² = var(MLP) / (P · E[s²] · D_v σ²)
// The paper's formula is this one for its own deviation of linear layers, σ² = 2/(5d). Its text prints σ_V² for the fourth power;
// the fourth power is what its derivation gives.
import Foundation
import Kernels
import Run

extension Parameters {
  /// Sets the tensors whose first values are calibrated; keys and cores are there already.
  /// - Parameters:
  ///   - deviation: of linear layers.
  ///   - residualScale: what the deviation of the MLP's last matrix is multiplied with.
  func calibrateMemory(seed: UInt64, deviation: Double, residualScale: Double, threads: Int) {
    guard let memory = layout.memory else { return }
    chooseFilters(isFirst: true)
    let shape = memory.shape
    for tensors in memory.layers {
      let random = RandomStream(seed: seed, purpose: "weights \(tensors.layer)")
      let scores = sampledScores(shape, tensors, random: random.branch(0))
      // Scores grow with both norms' weights, once for each side, or once in all where sides are added.
      let gain = scores.mean > 0 ? pow(1 / scores.mean, shape.cores > 0 ? 0.25 : 0.5) : 1
      for norm in ["query_norm", "key_norm"] {
        (weights + layout.affine("\(tensors.layer)/\(norm)").weight).update(
          repeating: Float(gain), count: shape.keyWidth)
      }
      let square = scores.mean > 0 ? scores.square / (scores.mean * scores.mean) : 1
      let target = memory.size.feedForwardVariance(deviation: deviation, residualScale: residualScale)
      let plain = target / (Double(shape.picks) * square * Double(shape.valueWidth) * deviation * deviation)
      let table =
        shape.preWidth == 0
        ? plain.squareRoot()
        : pow(plain / (Double(shape.preWidth) * Double(memory.size.width) * deviation * deviation), 0.25)
      VectorMath.fillNormal(
        weights + tensors.table, count: shape.rows * shape.rowWidth, deviation: table, random: random.branch(1),
        threads: threads)
    }
  }

  /// Mean of scores of picks, and of their squares, for random queries where both norms' weights are 1.
  private func sampledScores(
    _ shape: MemoryShape, _ tensors: MemoryTensors, random: RandomStream
  ) -> (mean: Double, square: Double) {
    let (samples, width, n) = (64, shape.keyWidth, shape.keys)
    let rows = shape.scoreMatrices * n
    func normed(_ x: UnsafeMutablePointer<Float>, rows: Int) -> [Float] {
      let ones = [Float](repeating: 1, count: width)
      var scale = [Float](repeating: 0, count: rows)
      var y = [Float](repeating: 0, count: rows * width)
      y.withUnsafeMutableBufferPointer { y in
        let x = Matrix(x, rows: rows, columns: width)
        RMSNorm.forward(
          x, adding: nil, w: ones, epsilon: MemoryLayers.epsilon, sum: x,
          y: Matrix(y.baseAddress!, rows: rows, columns: width), scale: &scale, threads: 1)
      }
      return y
    }
    var keys = normed(weights + tensors.keys, rows: rows)
    var queries = (0..<samples * shape.sides * width).map { Float(random.normal(UInt64($0))) }
    queries = queries.withUnsafeMutableBufferPointer { normed($0.baseAddress!, rows: samples * shape.sides) }
    var scores = [Float](repeating: 0, count: shape.scoreMatrices * samples * n)
    let picks = samples * shape.picks
    var pickRows = [Int32](repeating: 0, count: picks)
    var pickWeights = [Float](repeating: 0, count: picks * shape.weights)
    var pickSides = [Float](repeating: 0, count: picks * shape.sides)
    var factors: [Float] = [0]
    var room = [Float](repeating: 0, count: MemoryPicks.room(shape))
    queries.withUnsafeMutableBufferPointer { queries in
      keys.withUnsafeMutableBufferPointer { keys in
        scores.withUnsafeMutableBufferPointer { scores in
          for matrix in 0..<shape.scoreMatrices {
            let all = Matrix(queries.baseAddress!, rows: samples, columns: shape.sides * width)
            MatrixVector.multiply(
              Matrix(keys.baseAddress! + matrix * n * width, rows: n, columns: width),
              all.columns(matrix % shape.sides * width, count: width),
              into: Matrix(scores.baseAddress! + matrix * samples * n, rows: samples, columns: n), threads: 1)
          }
          pickRows.withUnsafeMutableBufferPointer { rows in
            pickWeights.withUnsafeMutableBufferPointer { picked in
              pickSides.withUnsafeMutableBufferPointer { sides in
                factors.withUnsafeMutableBufferPointer { factors in
                  MemoryPicks.find(
                    shape, scores: scores.baseAddress!, count: samples, stride: samples,
                    cores: weights + (tensors.cores ?? tensors.filter), filter: weights + tensors.filter,
                    into: PickLists(
                      rows: rows.baseAddress!, weights: picked.baseAddress!, sides: sides.baseAddress!,
                      factors: factors.baseAddress!), room: &room, threads: 1)
                }
              }
            }
          }
        }
      }
    }
    let count = Double(pickWeights.count)
    return (
      pickWeights.reduce(0) { $0 + Double($1) } / count, pickWeights.reduce(0) { $0 + Double($1) * Double($1) } / count
    )
  }
}

extension NetworkSize {
  /// Variance of what an MLP adds to the stream before the first step.
  fileprivate func feedForwardVariance(deviation: Double, residualScale: Double) -> Double {
    let input = Double(width) * deviation * deviation
    let isGated = kind.style.isGated
    /// E[f(x)²] of a normal x of the variance of the MLP's inner numbers.
    func square(_ f: (Double) -> Double) -> Double {
      let (steps, bound) = (4000, 8.0)
      let width = 2 * bound / Double(steps)
      return (0...steps).reduce(0.0) { sum, step in
        let x = -bound + Double(step) * width
        let y = f(x * input.squareRoot())
        return sum + y * y * exp(-x * x / 2) * width / (2 * Double.pi).squareRoot()
      }
    }
    let activation =
      isGated
      ? input * square { $0 / (1 + exp(-$0)) }
      : square { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
    return Double(inner) * pow(deviation * residualScale, 2) * activation
  }
}
