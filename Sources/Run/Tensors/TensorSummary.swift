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
  /// Finite numbers below the first part and above the last.
  package private(set) var outside = 0

  /// A part with more than this share of the numbers hides how they differ.
  private static let crowd = 0.9
  private static let mostNarrowings = 8

  /// A histogram of a tensor's finite numbers; empty where there are none.
  /// - Parameter leavesOutliers: if true, the range leaves out a few numbers that are so far from all others that these would lie in one
  ///   part.
  package init(_ tensor: Checkpoint.Tensor, in block: [Float], parts: Int = 24, leavesOutliers: Bool = false) {
    let summary = TensorSummary(tensor, in: block)
    guard summary.count > summary.nonFinite else { return }
    var low = Double(summary.minimum)
    var high = Double(summary.maximum)
    // Equal numbers lie in the middle of a range of their own.
    if low == high { (low, high) = (low - max(abs(low), 1) / 2, high + max(abs(high), 1) / 2) }
    let values = block[tensor.offset..<tensor.offset + tensor.count]
    count(values, from: low, to: high, parts)
    guard leavesOutliers else { return }
    var narrower = self
    for _ in 0..<Self.mostNarrowings {
      guard let crowded = narrower.crowdedPart else { break }
      let (first, last) = (narrower.edges[max(crowded - 1, 0)], narrower.edges[min(crowded + 2, parts)])
      guard last > first, last - first < narrower.edges[parts] - narrower.edges[0] else { return }
      narrower.count(values, from: first, to: last, parts)
    }
    // Where the numbers stay together, as many zeros do, the whole range says more.
    if narrower.crowdedPart == nil { self = narrower }
  }

  private mutating func count(_ values: ArraySlice<Float>, from low: Double, to high: Double, _ parts: Int) {
    edges = (0...parts).map { low + (high - low) * Double($0) / Double(parts) }
    counts = Array(repeating: 0, count: parts)
    outside = 0
    for value in values where value.isFinite {
      let value = Double(value)
      if value < low || value > high {
        outside += 1
      } else {
        counts[min(parts - 1, Int((value - low) / (high - low) * Double(parts)))] += 1
      }
    }
  }

  /// The part that nearly all numbers lie in.
  private var crowdedPart: Int? {
    let limit = Self.crowd * Double(counts.reduce(outside, +))
    return counts.firstIndex { Double($0) > limit }
  }
}
