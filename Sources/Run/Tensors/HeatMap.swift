// A matrix as a small picture: the mean magnitude of its numbers, block by block.

/// Blocks of a matrix, each with the mean of the magnitudes of its finite numbers.
package struct HeatMap: Sendable, Equatable {
  /// Rows and columns of the matrix; a vector is one row.
  package let size: (rows: Int, columns: Int)
  /// Blocks down and across.
  package let blocks: (rows: Int, columns: Int)
  /// Row after row; not-a-number where no number of the block is finite.
  package private(set) var means: [Float]

  package static func == (one: HeatMap, other: HeatMap) -> Bool {
    one.size == other.size && one.blocks == other.blocks && one.means == other.means
  }

  /// - Parameter most: blocks down and across at most.
  package init(_ tensor: Checkpoint.Tensor, in block: [Float], most: (rows: Int, columns: Int) = (48, 96)) {
    let columns = max(tensor.shape.last ?? 1, 1)
    let rows = max(tensor.count / columns, 1)
    size = (rows, columns)
    blocks = (min(rows, most.rows), min(columns, most.columns))
    means = Array(repeating: .nan, count: blocks.rows * blocks.columns)
    var sums = [Double](repeating: 0, count: means.count)
    var counts = [Int](repeating: 0, count: means.count)
    guard tensor.count == rows * columns else { return }
    // The block of each column, once.
    let places = (0..<columns).map { $0 * blocks.columns / columns }
    block.withUnsafeBufferPointer { block in
      for row in 0..<rows {
        let first = row * blocks.rows / rows * blocks.columns
        let start = tensor.offset + row * columns
        for column in 0..<columns {
          let value = block[start + column]
          guard value.isFinite else { continue }
          sums[first + places[column]] += Double(abs(value))
          counts[first + places[column]] += 1
        }
      }
    }
    for index in means.indices where counts[index] > 0 { means[index] = Float(sums[index] / Double(counts[index])) }
  }

  /// Where most of some means lie, from the 2nd to the 98th of 100, and the magnitude above which one is an outlier.
  /// - Returns: nil where none is finite.
  package static func usualRange(of means: [Float]) -> (low: Float, high: Float, outlier: Float)? {
    let finite = means.filter(\.isFinite).sorted()
    guard let least = finite.first, let most = finite.last else { return nil }
    let low = finite[(finite.count - 1) * 2 / 100]
    let high = finite[((finite.count - 1) * 98 + 99) / 100]
    // Where nearly all are the same, every difference counts.
    guard high > low else { return (least, most, most) }
    return (low, high, high + 3 * (high - low))
  }
}
