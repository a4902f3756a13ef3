// Whether each token of the vocabulary is in a set, each by a logistic unit of its own, with the gradient in the same pass.
//   y = z + b;   L = r · (Σ_v log(1 + e^{y[v]}) − Σ_{v ∈ A} y[v]);   dz = c · r · (σ(y) − 1[v ∈ A])
// Letters: z logits [V], b an offset of all of them, A a set of tokens, r and c factors.
import Foundation

package struct PresenceCrossEntropy {
  /// b, the logit of how likely a token is in the set where nothing is known, and r.
  package var offset, scale: Float

  package init(offset: Float, scale: Float) {
    (self.offset, self.scale) = (offset, scale)
  }

  /// The loss of every row, and with `gradient` dz.
  /// - Parameters:
  ///   - z: [rows, V] fp32 logits, any stride; overwritten where the gradient takes their place.
  ///   - targets: of these rows, distinct tokens; weights are not looked at. A row without any has loss 0 and gradient 0.
  ///   - losses: [rows], written, nats.
  package func rows(
    _ z: Matrix, targets: SparseTargets, losses: UnsafeMutablePointer<Float>,
    gradient: SparseCrossEntropy.Gradient?, threads: Int
  ) {
    Team.split(z.rows, threads: threads) { _, rows in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: targets.capacity) { own in
        for t in rows {
          guard let gradient else {
            losses[t] = loss(t, z, targets)
            continue
          }
          switch gradient.out.precision {
          case .fp32:
            losses[t] = row(
              t, z, targets, own.baseAddress!, gradient.factor, into: gradient.out.row(t, as: Float.self))
          case .bf16:
            losses[t] = row(
              t, z, targets, own.baseAddress!, gradient.factor, into: gradient.out.row(t, as: BFloat16.self))
          }
        }
      }
    }
  }

  private func loss(_ t: Int, _ z: Matrix, _ targets: SparseTargets) -> Float {
    guard targets.counts[t] > 0 else { return 0 }
    var sum = SoftplusSum()
    let zt = z.row(t, as: Float.self)
    for (i, lanes) in sixteens(z.columns) { _ = sum.add(load(zt, i, lanes) + offset, lanes) }
    return scale * (sum.value - present(t, zt, targets))
  }

  @inline(__always)
  private func row<E: Element>(
    _ t: Int, _ z: Matrix, _ targets: SparseTargets, _ own: UnsafeMutablePointer<Float>, _ factor: Float,
    into out: UnsafeMutablePointer<E>
  ) -> Float {
    let count = Int(targets.counts[t])
    guard count > 0 else {
      UnsafeMutableRawPointer(out).initializeMemory(
        as: UInt8.self, repeating: 0, count: z.columns * MemoryLayout<E>.stride)
      return 0
    }
    let zt = z.row(t, as: Float.self)
    let tokens = targets.tokens + t * targets.capacity
    let present = present(t, zt, targets)
    for k in 0..<count { own[k] = zt[Int(tokens[k])] + offset }
    var sum = SoftplusSum()
    for (i, lanes) in sixteens(z.columns) {
      let probability = sum.add(load(zt, i, lanes) + offset, lanes)
      store(probability * (factor * scale), out, i, lanes)
    }
    // σ(y) − 1 = −σ(−y), without a difference that loses digits.
    for k in 0..<count {
      let gradient = -factor * scale / (1 + exp(own[k]))
      store(Lanes(repeating: gradient), out, Int(tokens[k]), 1)
    }
    return scale * (sum.value - present)
  }

  /// Σ_{v ∈ A} y[v].
  @inline(__always)
  private func present(_ t: Int, _ zt: UnsafePointer<Float>, _ targets: SparseTargets) -> Float {
    let tokens = targets.tokens + t * targets.capacity
    var sum: Float = 0
    for k in 0..<Int(targets.counts[t]) { sum += zt[Int(tokens[k])] + offset }
    return sum
  }
}

/// Σ log(1 + e^y), as Σ max(y, 0) + log Π (1 + e^{−|y|}): a logarithm for every sixteen factors, whose product is at most 2^16.
private struct SoftplusSum {
  private var positive = Lanes(repeating: 0)
  private var product = Lanes(repeating: 1)
  private var factors = 0
  private var logarithms: Float = 0

  /// Adds the first `lanes` of y; σ(y).
  @inline(__always)
  mutating func add(_ y: Lanes, _ lanes: Int) -> Lanes {
    let zero = Lanes(repeating: 0)
    let isPositive = y .> zero
    var e = exponential(zero.replacing(with: y, where: y .< zero) - zero.replacing(with: y, where: isPositive))
    let inverse = 1 / (e + 1)
    let probability = (e * inverse).replacing(with: inverse, where: isPositive)
    var above = zero.replacing(with: y, where: isPositive)
    if lanes < 16 {
      e = filled(e, from: lanes, with: 0)
      above = filled(above, from: lanes, with: 0)
    }
    positive += above
    product *= e + 1
    factors += 1
    if factors == 16 { takeLogarithms() }
    return probability
  }

  @inline(__always)
  private mutating func takeLogarithms() {
    var sum: Float = 0
    for lane in 0..<16 { sum += log(product[lane]) }
    logarithms += sum
    product = Lanes(repeating: 1)
    factors = 0
  }

  var value: Float {
    @inline(__always) mutating get {
      takeLogarithms()
      return positive.folded + logarithms
    }
  }
}
