// Cross-entropy with weights w that need not sum to 1 and may depend on the prediction p, with its gradient in the same pass.
//   w[v_k] = w_k (1 − p[v_k])^β for listed tokens;   w[a] = λ_head p[a] for the others that are likeliest;   λ_tail p[a] for the rest
//   L = −Σ_a w[a] log p[a], w held fixed;   S = Σ_a w[a];   dz = c · (S p − w)
// Where targets have tails, r of the weight lies on all tokens together that are not listed (and on the first listed one, where the tail
// counts it), whose probabilities sum to P:   L = −Σ_k w_k log p[v_k] − r log P, and in dz w[a] = r p[a] / P for these tokens.
// With β = λ_head = λ_tail = 0 and weights that sum to 1 that is SparseCrossEntropy. The expectation over a ~ p of "Diversity or
// Precision" (arXiv 2512.22955) is taken exactly. Letters as there: z logits [V], v_k listed tokens, c a factor.
import Foundation

/// How weights depend on the prediction.
package struct WeightShape: Sendable, Equatable {
  /// β: exponent of 1 − p for listed tokens.
  package var beta: Float
  /// λ_head and λ_tail: what the probabilities of other tokens are multiplied with.
  package var head: Float
  package var tail: Float
  /// k: how many other tokens are the head, at most 256.
  package var likeliest: Int

  package init(beta: Float = 0, head: Float = 0, tail: Float = 0, likeliest: Int = 1) {
    self.beta = beta
    self.head = head
    self.tail = tail
    self.likeliest = likeliest
  }

  /// True if weights do not depend on the prediction.
  package var isFlat: Bool { beta == 0 && head == 0 && tail == 0 }
}

package enum ShapedCrossEntropy {
  /// What comes of some rows, [rows] each, written; 0 for a row without targets.
  package struct Results {
    /// L, nats.
    package var losses: UnsafeMutablePointer<Float>
    /// −log p of the first listed token, nats.
    package var plain: UnsafeMutablePointer<Float>
    /// −Σ p log p, nats.
    package var entropies: UnsafeMutablePointer<Float>

    package init(
      losses: UnsafeMutablePointer<Float>, plain: UnsafeMutablePointer<Float>, entropies: UnsafeMutablePointer<Float>
    ) {
      self.losses = losses
      self.plain = plain
      self.entropies = entropies
    }

    package func from(_ first: Int) -> Results {
      Results(losses: losses + first, plain: plain + first, entropies: entropies + first)
    }
  }

  /// 1 − p is at least this: (1 − p)^β is finite then.
  private static let least: Float = 1e-6

  /// The loss of every row, and dz.
  /// - Parameters:
  ///   - z: [rows, V] fp32 logits, any stride; overwritten.
  ///   - targets: of these rows; the tokens of a row are distinct. A row without any has gradient 0.
  package static func rows(
    _ z: Matrix, targets: SparseTargets, shape: WeightShape, results: Results, gradient: SparseCrossEntropy.Gradient,
    threads: Int
  ) {
    let capacity = targets.capacity
    let most = min(shape.likeliest, z.columns)
    Team.split(z.rows, threads: threads) { _, rows in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: 4 * capacity) { listed in
        withUnsafeTemporaryAllocation(of: Float.self, capacity: most) { heap in
          withUnsafeTemporaryAllocation(of: Int32.self, capacity: most) { places in
            withUnsafeTemporaryAllocation(of: Int32.self, capacity: most) { indices in
              let list = listed.baseAddress!
              let room = RowRoom(
                shifted: list, exponentials: list + capacity, weights: list + 2 * capacity,
                gradients: list + 3 * capacity,
                heap: heap.baseAddress!, places: places.baseAddress!, indices: indices.baseAddress!)
              for t in rows {
                switch gradient.out.precision {
                case .fp32:
                  row(
                    t, z, targets, shape, room, results, gradient.factor, into: gradient.out.row(t, as: Float.self))
                case .bf16:
                  row(
                    t, z, targets, shape, room, results, gradient.factor, into: gradient.out.row(t, as: BFloat16.self))
                }
              }
            }
          }
        }
      }
    }
  }

  /// Room of a thread for one row: of listed tokens z − max, e^{z − max}, weights and dz, and of the search for the likeliest.
  private struct RowRoom {
    let shifted, exponentials, weights, gradients: UnsafeMutablePointer<Float>
    let heap: UnsafeMutablePointer<Float>
    let places, indices: UnsafeMutablePointer<Int32>
  }

  @inline(__always)
  private static func row<E: Element>(
    _ t: Int, _ z: Matrix, _ targets: SparseTargets, _ shape: WeightShape, _ room: RowRoom, _ results: Results,
    _ factor: Float, into out: UnsafeMutablePointer<E>
  ) {
    let V = z.columns
    let count = Int(targets.counts[t])
    guard count > 0 else {
      (results.losses[t], results.plain[t], results.entropies[t]) = (0, 0, 0)
      UnsafeMutableRawPointer(out).initializeMemory(
        as: UInt8.self, repeating: 0, count: V * MemoryLayout<E>.stride)
      return
    }
    let tokens = targets.tokens + t * targets.capacity
    let weights = targets.weights + t * targets.capacity
    let zt = z.row(t, as: Float.self)
    let maximum = largest(zt, V)
    // Listed tokens are taken out, so that 1 − p is a sum and not a difference.
    for k in 0..<count {
      let place = zt + Int(tokens[k])
      room.shifted[k] = place.pointee - maximum
      room.exponentials[k] = exp(room.shifted[k])
      place.pointee = -Float.greatestFiniteMagnitude
    }
    let isSplit = shape.head != shape.tail
    let heads = isSplit ? min(shape.likeliest, V - count) : 0
    var (headSum, headMoment): (Float, Float) = (0, 0)
    if heads > 0 {
      TopScores.find(zt, count: V, most: heads, heap: room.heap, places: room.places, into: room.indices)
      for i in 0..<heads {
        let shifted = zt[Int(room.indices[i])] - maximum
        let e = exp(max(shifted, -87))
        room.heap[i] = e
        headSum += e
        headMoment += e * max(shifted, -87)
      }
    }
    // Far below the others, but not so far that 0 · z is not 0.
    for k in 0..<count { zt[Int(tokens[k])] = maximum - 100 }
    var (restSum, restMoment) = exponentials(zt, V, maximum)
    var sum = restSum
    for k in 0..<count { sum += room.exponentials[k] }
    let logSum = log(sum)
    var moment = restMoment
    for k in 0..<count { moment += room.exponentials[k] * room.shifted[k] }
    results.entropies[t] = logSum - moment / sum
    results.plain[t] = logSum - room.shifted[0]
    var (S, hit): (Float, Float) = (0, 0)
    for k in 0..<count {
      var weight = weights[k]
      if shape.beta != 0 {
        var others = restSum
        for j in 0..<count where j != k { others += room.exponentials[j] }
        weight *= pow(max(least, others / sum), shape.beta)
      }
      room.weights[k] = weight
      S += weight
      hit += weight * room.shifted[k]
    }
    restSum = max(0, restSum - headSum)
    restMoment -= headMoment
    S += (shape.head * headSum + shape.tail * restSum) / sum
    hit += (shape.head * headMoment + shape.tail * restMoment) / sum
    // What tokens that are not listed have in common.
    var tail = shape.tail
    if let tails = targets.tails, tails[2 * t] > 0 {
      let isFirstInTail = tails[2 * t + 1] != 0
      let outside = restSum + headSum + (isFirstInTail ? room.exponentials[0] : 0)
      tail += tails[2 * t] * sum / outside
      S += tails[2 * t]
      hit += tails[2 * t] * log(outside)
      if isFirstInTail { room.weights[0] += tails[2 * t] * room.exponentials[0] / outside }
    }
    results.losses[t] = S * logSum - hit
    for k in 0..<count { room.gradients[k] = factor * (S * room.exponentials[k] / sum - room.weights[k]) }
    scale(zt, V, by: factor * (S - tail) / sum, into: out)
    let headFactor = factor * (S - (shape.head + (tail - shape.tail))) / sum
    for i in 0..<heads { put(headFactor * room.heap[i], out, Int(room.indices[i])) }
    for k in 0..<count { put(room.gradients[k], out, Int(tokens[k])) }
  }

  @inline(__always)
  private static func put<E: Element>(_ value: Float, _ out: UnsafeMutablePointer<E>, _ i: Int) {
    store(Lanes(repeating: value), out, i, 1)
  }

  /// Σ e^{z − max} and Σ e^{z − max} (z − max). Leaves e^{z − max} where z was.
  @inline(__always)
  private static func exponentials(
    _ z: UnsafeMutablePointer<Float>, _ V: Int, _ maximum: Float
  ) -> (sum: Float, moment: Float) {
    var (total, moment) = (Lanes(repeating: 0), Lanes(repeating: 0))
    for (i, lanes) in sixteens(V) {
      let shifted = load(z, i, lanes) - maximum
      var e = exponential(shifted)
      if lanes < 16 { e = filled(e, from: lanes, with: 0) }
      store(e, z, i, lanes)
      total += e
      let kept = shifted.replacing(with: -87, where: shifted .< -87)
      moment += e * kept
    }
    return (total.folded, moment.folded)
  }
}
