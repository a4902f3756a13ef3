// What is read of the tensors of a run's checkpoints, as values: the tree of a checkpoint, one tensor closely, and what it was
// in other checkpoints.
import Run

/// All tensors of a checkpoint, with what changed since another one.
package struct TensorTree: Sendable {
  /// A tensor.
  package struct TensorRow: Sendable {
    package let summary: TensorSummary
    /// Against the other checkpoint; nil without one.
    package let difference: TensorDifference?

    package init(_ summary: TensorSummary, _ difference: TensorDifference?) {
      (self.summary, self.difference) = (summary, difference)
    }
  }

  package let step: Int
  /// The step of the other checkpoint.
  package let against: Int?
  /// The steps of all checkpoints, rising.
  package let steps: [Int]
  package let rows: [TensorRow]

  package init(step: Int, against: Int?, steps: [Int], rows: [TensorRow]) {
    (self.step, self.against, self.steps, self.rows) = (step, against, steps, rows)
  }

  /// From the numbers of two checkpoints.
  package init(
    step: Int, steps: [Int], _ tensors: [Checkpoint.Tensor], _ numbers: [Float],
    against other: (step: Int, tensors: [Checkpoint.Tensor], numbers: [Float])?
  ) {
    let others = Dictionary((other?.tensors ?? []).map { ($0.path, $0) }) { first, _ in first }
    self.init(
      step: step, against: other?.step, steps: steps,
      rows: tensors.map { tensor in
        TensorRow(
          TensorSummary(tensor, in: numbers),
          other.map { TensorDifference(tensor, in: numbers, others[tensor.path], in: $0.numbers) })
      })
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
    histogram = Histogram(tensor, in: numbers, parts: 40)
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
