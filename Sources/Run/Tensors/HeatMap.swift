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

  /// The smallest and the largest mean; nil where no number is finite.
  package var range: (low: Float, high: Float)? {
    let finite = means.filter(\.isFinite)
    return finite.min().flatMap { low in finite.max().map { (low, $0) } }
  }
}
