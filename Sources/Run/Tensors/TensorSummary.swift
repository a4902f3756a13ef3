// Statistics of tensors for `foretop tensors`.
import Foundation

/// Statistics of a tensor. Numbers that are not finite are only counted.
package struct TensorSummary: Sendable {
  package let path: String
  package let shape: [Int]
  package let count: Int
  /// NaN if no number is finite.
  package private(set) var mean = Double.nan
  package private(set) var deviation = Double.nan
  package private(set) var minimum = Float.nan
  package private(set) var maximum = Float.nan
  /// The Euclidean norm.
  package private(set) var norm = 0.0
  package private(set) var zeros = 0
  package private(set) var nonFinite = 0

  /// - Parameter block: the block of weights or moments.
  package init(_ tensor: Checkpoint.Tensor, in block: [Float]) {
    path = tensor.path
    shape = tensor.shape
    count = tensor.count
    block.withUnsafeBufferPointer { block in
      let values = UnsafeBufferPointer(rebasing: block[tensor.offset..<tensor.offset + tensor.count])
      var sum = 0.0
      var squares = 0.0
      var low = Float.infinity
      var high = -Float.infinity
      for value in values {
        guard value.isFinite else {
          nonFinite += 1
          continue
        }
        if value == 0 { zeros += 1 }
        sum += Double(value)
        squares += Double(value) * Double(value)
        low = min(low, value)
        high = max(high, value)
      }
      let finite = count - nonFinite
      guard finite > 0 else { return }
      norm = squares.squareRoot()
      minimum = low
      maximum = high
      mean = sum / Double(finite)
      // A second pass: the squares alone lose a small deviation around a large mean.
      var spread = 0.0
      for value in values where value.isFinite { spread += (Double(value) - mean) * (Double(value) - mean) }
      deviation = (spread / Double(finite)).squareRoot()
    }
  }
}

/// A histogram: counts of numbers in equal parts of a range.
package struct Histogram: Sendable {
  /// The start of each part, and the end of the last: one more than `counts`.
  package private(set) var edges: [Double] = []
  package private(set) var counts: [Int] = []

  /// A histogram of a tensor's finite numbers; empty where there are none.
  package init(_ tensor: Checkpoint.Tensor, in block: [Float], parts: Int = 24) {
    let summary = TensorSummary(tensor, in: block)
    guard summary.count > summary.nonFinite else { return }
    var low = Double(summary.minimum)
    var high = Double(summary.maximum)
    // Equal numbers lie in the middle of a range of their own.
    if low == high { (low, high) = (low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2) }
    let span = high - low
    edges = (0...parts).map { (part: Int) -> Double in low + span * Double(part) / Double(parts) }
    counts = Array(repeating: 0, count: parts)
    for value in block[tensor.offset..<tensor.offset + tensor.count] where value.isFinite {
      counts[min(parts - 1, Int((Double(value) - low) / (high - low) * Double(parts)))] += 1
    }
  }
}
