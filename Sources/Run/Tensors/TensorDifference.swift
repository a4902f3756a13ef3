// How far a tensor of one checkpoint is from that of another.

/// How far a tensor of one checkpoint is from that of another.
package struct TensorDifference: Sendable {
  package let path: String
  /// The shapes in each; nil where it does not have the tensor.
  package let shapes: (a: [Int]?, b: [Int]?)
  /// The norm of a − b, and that of a; nil where the shapes differ.
  package let norm: Double?
  package let base: Double?
  /// The cosine of the angle between a and b; nil where the shapes differ, or one of them is nothing but zeros.
  package let cosine: Double?

  /// ‖a − b‖ / ‖a‖; nil where it is not known, or a is nothing but zeros.
  package var relative: Double? {
    guard let norm, let base, base > 0 else { return nil }
    return norm / base
  }

  /// All tensors that either has: those of `a` in their order, then those that only `b` has.
  package static func all(_ a: Checkpoint, _ b: Checkpoint) -> [TensorDifference] {
    let others = Dictionary(b.tensors.map { ($0.path, $0) }) { first, _ in first }
    let own = Set(a.tensors.map(\.path))
    return a.tensors.map { TensorDifference($0, in: a.weights, others[$0.path], in: b.weights) }
      + b.tensors.filter { !own.contains($0.path) }.map {
        TensorDifference(path: $0.path, shapes: (nil, $0.shape), norm: nil, base: nil, cosine: nil)
      }
  }

  /// A tensor against the one of the same name; `b` is nil where there is none.
  package init(_ a: Checkpoint.Tensor, in weights: [Float], _ b: Checkpoint.Tensor?, in others: [Float]) {
    var squares: (difference: Double, base: Double, other: Double, product: Double)?
    if let b, b.shape == a.shape {
      var sums = (difference: 0.0, base: 0.0, other: 0.0, product: 0.0)
      weights.withUnsafeBufferPointer { weights in
        others.withUnsafeBufferPointer { others in
          for index in 0..<a.count {
            let value = Double(weights[a.offset + index])
            let other = Double(others[b.offset + index])
            let difference = value - other
            sums.difference += difference * difference
            sums.base += value * value
            sums.other += other * other
            sums.product += value * other
          }
        }
      }
      squares = sums
    }
    let length = squares.map { ($0.base * $0.other).squareRoot() } ?? 0
    self.init(
      path: a.path, shapes: (a.shape, b?.shape), norm: squares?.difference.squareRoot(),
      base: squares?.base.squareRoot(), cosine: length > 0 ? squares.map { $0.product / length } : nil)
  }

  private init(path: String, shapes: (a: [Int]?, b: [Int]?), norm: Double?, base: Double?, cosine: Double?) {
    self.path = path
    self.shapes = shapes
    self.norm = norm
    self.base = base
    self.cosine = cosine
  }
}
