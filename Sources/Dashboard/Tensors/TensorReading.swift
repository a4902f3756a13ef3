// What is read of the tensors of a run's checkpoints, as values: the tree of a checkpoint, one tensor closely, and what it was
// in other checkpoints.
import Run

/// A tensor in numbers, and what changed since another checkpoint.
package struct TensorNumbers: Sendable {
  package let summary: TensorSummary
  /// Against the other checkpoint; nil without one.
  package let difference: TensorDifference?

  package init(_ summary: TensorSummary, _ difference: TensorDifference?) {
    (self.summary, self.difference) = (summary, difference)
  }

  /// The numbers of tensors of a checkpoint.
  /// - Parameter other: the same tensors of another checkpoint, where there is one.
  package static func all(
    _ tensors: [Checkpoint.Tensor], _ numbers: [Float], against other: (tensors: [Checkpoint.Tensor], numbers: [Float])?
  ) -> [TensorNumbers] {
    let others = Dictionary((other?.tensors ?? []).map { ($0.path, $0) }) { first, _ in first }
    return tensors.map { tensor in
      TensorNumbers(
        TensorSummary(tensor, in: numbers),
        other.map { TensorDifference(tensor, in: numbers, others[tensor.path], in: $0.numbers) })
    }
  }
}

/// All tensors of a checkpoint, beside another one. Names and shapes come first, the numbers as they are computed.
package struct TensorTree: Sendable {
  /// A tensor.
  package struct TensorRow: Sendable {
    package let path: String
    package let shape: [Int]
    /// Nil until they are computed.
    package fileprivate(set) var numbers: TensorNumbers?

    var count: Int { shape.reduce(1, *) }
  }

  package let step: Int
  /// The step of the other checkpoint.
  package let against: Int?
  /// The steps of all checkpoints, rising.
  package let steps: [Int]
  package private(set) var rows: [TensorRow]
  /// The index of a tensor's row.
  private let indices: [String: Int]

  package init(step: Int, against: Int?, steps: [Int], _ tensors: [Checkpoint.Tensor]) {
    (self.step, self.against, self.steps) = (step, against, steps)
    rows = tensors.map { TensorRow(path: $0.path, shape: $0.shape, numbers: nil) }
    indices = Dictionary(tensors.indices.map { (tensors[$0].path, $0) }) { first, _ in first }
  }

  /// Takes the numbers of some tensors.
  mutating func take(_ numbers: [TensorNumbers]) {
    for one in numbers {
      if let index = indices[one.summary.path] { rows[index].numbers = one }
    }
  }
}

/// One tensor of a checkpoint, looked at closely.
package struct TensorDetail: Sendable {
  package let step: Int
  package let summary: TensorSummary
  package let histogram: Histogram
  package let heatMap: HeatMap
  /// Nil for a vector, and where a number is not finite.
  package let singular: SingularValues?

  package init(_ tensor: Checkpoint.Tensor, in numbers: [Float], step: Int) {
    self.step = step
    summary = TensorSummary(tensor, in: numbers)
    histogram = Histogram(tensor, in: numbers, parts: 40, leavesOutliers: true)
    heatMap = HeatMap(tensor, in: numbers)
    singular = SingularValues(tensor, in: numbers)
  }
}

/// What a tensor was in a checkpoint.
package struct TensorMoment: Sendable, Equatable {
  package let norm: Double
  package let deviation: Double

  package init(_ summary: TensorSummary) { (norm, deviation) = (summary.norm, summary.deviation) }
}
