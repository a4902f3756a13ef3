// NC1 to NC3: how little classes vary within, how evenly their means lie around their centre, and how far the unembeddings point where
// the means are. Letters: μ_c class means, μ_G their unweighted mean, u_c = (μ_c − μ_G) / ‖μ_c − μ_G‖, w_c unembeddings.
import Foundation
import Kernels

struct ClassGeometry {
  /// Rows of a tile of pairs. Every tile has sums of its own, which are added in one order whatever the threads.
  private static let tile = 64

  let numbers: [(name: String, value: Double)]

  /// - Parameters:
  ///   - means: [C, d], at least two classes.
  ///   - variances: [C].
  ///   - weights: [C, d], the unembeddings.
  init(means: [Double], variances: [Double], weights: [Float], width: Int, threads: Int) {
    let classes = variances.count
    var center = [Double](repeating: 0, count: width)
    for c in 0..<classes { for i in 0..<width { center[i] += means[c * width + i] / Double(classes) } }
    var centred = [Float](repeating: 0, count: classes * width)
    var unit = centred
    var logNorms = SpreadSum()
    var cosines = SpreadSum()
    var unitSum = [Double](repeating: 0, count: width)
    for c in 0..<classes {
      var (square, product, weightSquare) = (0.0, 0.0, 0.0)
      for i in 0..<width {
        let value = means[c * width + i] - center[i]
        let weight = Double(weights[c * width + i])
        centred[c * width + i] = Float(value)
        square += value * value
        product += value * weight
        weightSquare += weight * weight
      }
      let norm = square.squareRoot()
      logNorms.add(log(norm))
      cosines.add(product / (norm * weightSquare.squareRoot()))
      for i in 0..<width {
        let value = (means[c * width + i] - center[i]) / norm
        unit[c * width + i] = Float(value)
        unitSum[i] += value
      }
    }
    let pairs = Self.pairs(centred: centred, unit: unit, variances: variances, width: width, threads: threads)
    // Σ over pairs of u·u' = (‖Σ u‖² − C) / 2.
    let count = Double(classes)
    let meanCosine = (unitSum.reduce(0) { $0 + $1 * $1 } - count) / (count * (count - 1))
    numbers = [
      ("nc1-cdnv", pairs.variability.mean), ("nc1-log-cdnv", pairs.logVariability.mean),
      ("nc1-scaled", pairs.scaled.mean), ("nc2-norms", logNorms.variation), ("nc2-norm-deviation", logNorms.deviation),
      ("nc2-cosine", meanCosine), ("nc2-cosines", pairs.cosines.variation),
      ("gnc2-uniformity", pairs.logInverse.variation),
      ("nc3-cosine", cosines.mean), ("unc3-uniformity", cosines.variation),
    ]
  }

  /// Sums over pairs of classes. Pairs whose means coincide have no variability, and those without variance no logarithm: they are
  /// left out there.
  private struct PairSums {
    var variability = SpreadSum()
    var logVariability = SpreadSum()
    var scaled = SpreadSum()
    var cosines = SpreadSum()
    var logInverse = SpreadSum()

    mutating func add(_ other: PairSums) {
      variability.add(other.variability)
      logVariability.add(other.logVariability)
      scaled.add(other.scaled)
      cosines.add(other.cosines)
      logInverse.add(other.logInverse)
    }

    /// - Parameters:
    ///   - distance: ‖μ − μ'‖².
    ///   - unit: ‖u − u'‖².
    mutating func add(distance: Double, unit: Double, variance: Double) {
      if distance > 0 {
        let value = variance / (2 * distance * distance)
        variability.add(value)
        scaled.add(variance / (2 * distance))
        if value > 0 { logVariability.add(log(value)) }
      }
      if unit > 0 { logInverse.add(-log(unit) / 2) }
      cosines.add(1 - unit / 2)
    }
  }

  private static func pairs(
    centred: [Float], unit: [Float], variances: [Double], width: Int, threads: Int
  ) -> PairSums {
    let classes = variances.count
    let tiles = (classes + tile - 1) / tile
    var sums = [PairSums](repeating: PairSums(), count: tiles)
    centred.withUnsafeBufferPointer { centred in
      unit.withUnsafeBufferPointer { unit in
        sums.withUnsafeMutableBufferPointer { buffer in
          nonisolated(unsafe) let sums = buffer
          func rows(_ list: UnsafeBufferPointer<Float>, _ tile: Int) -> Matrix {
            let first = tile * Self.tile
            return Matrix(
              UnsafeMutablePointer(mutating: list.baseAddress! + first * width),
              rows: min(Self.tile, classes - first), columns: width)
          }
          // Later tiles have fewer pairs: threads take them in turn.
          Team.run(threads) { worker in
            withUnsafeTemporaryAllocation(of: Float.self, capacity: 2 * Self.tile * Self.tile) { room in
              let distances = room.baseAddress!
              let units = distances + Self.tile * Self.tile
              for a in stride(from: worker, to: tiles, by: threads) {
                for b in a..<tiles {
                  let (left, right) = (rows(centred, a), rows(centred, b))
                  SquaredDistances.fill(distances, left, right)
                  SquaredDistances.fill(units, rows(unit, a), rows(unit, b))
                  for i in 0..<left.rows {
                    for j in 0..<right.rows where a < b || i < j {
                      sums[a].add(
                        distance: Double(distances[i * right.rows + j]), unit: Double(units[i * right.rows + j]),
                        variance: variances[a * Self.tile + i] + variances[b * Self.tile + j])
                    }
                  }
                }
              }
            }
          }
        }
      }
    }
    return sums.reduce(into: PairSums()) { $0.add($1) }
  }
}

/// The mean and the spread of numbers, by Welford's method: numbers that are nearly equal lose nothing.
struct SpreadSum {
  private(set) var count = 0.0
  private var average = 0.0
  private var squares = 0.0

  /// NaN without numbers.
  var mean: Double { count > 0 ? average : .nan }

  mutating func add(_ value: Double) {
    count += 1
    let before = value - average
    average += before / count
    squares += before * (value - average)
  }

  /// Chan, Golub & LeVeque 1979.
  mutating func add(_ other: SpreadSum) {
    guard other.count > 0 else { return }
    let (all, apart) = (count + other.count, other.average - average)
    squares += other.squares + apart * apart * count * other.count / all
    average += apart * other.count / all
    count = all
  }

  /// The standard deviation of these numbers (not of what they are a sample of); NaN without numbers.
  var deviation: Double { (squares / count).squareRoot() }

  /// The coefficient of variation: deviation / |mean|.
  var variation: Double { deviation / abs(mean) }
}
