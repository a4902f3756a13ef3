// The largest singular values of a matrix by subspace iteration: products with the matrix and its transpose alone, so that a
// matrix of any size takes little memory.
import Foundation

/// The leading singular values of a tensor, largest first.
package struct SingularValues: Sendable, Equatable {
  package let values: [Double]
  /// Rows or columns of the matrix, whichever are fewer: how many singular values there are in all.
  package let rank: Int
  /// The share of the squared norm that `values` make up, 0…1.
  package let share: Double
  /// Whether the iteration came to an end by itself; else the smallest of the values may still be too small.
  package let isConverged: Bool

  /// - Parameters:
  ///   - count: how many are wanted.
  ///   - iterations: products with the matrix and its transpose at most.
  /// - Returns: nil for a vector, and where a number is not finite.
  package init?(_ tensor: Checkpoint.Tensor, in block: [Float], count: Int = 8, iterations: Int = 40) {
    guard tensor.shape.count == 2, let columns = tensor.shape.last, columns > 1, tensor.shape[0] > 1 else { return nil }
    let rows = tensor.shape[0]
    let matrix = Array(block[tensor.offset..<tensor.offset + tensor.count])
    let square = matrix.reduce(0.0) { $0 + Double($1) * Double($1) }
    guard square.isFinite else { return nil }
    rank = min(rows, columns)
    // A few more vectors than are wanted make the wanted ones converge faster.
    let width = min(count + 4, rank)
    var basis = Self.start(columns, width)
    var values = [Double](repeating: 0, count: width)
    var isConverged = false
    for _ in 0..<iterations {
      Self.orthonormalize(&basis)
      let images = basis.map { Self.times($0, matrix, rows, columns) }
      // The singular values of the images are those of the matrix on the subspace: by the eigenvalues of their products.
      let (eigenvalues, rotation) = Self.eigen(images)
      let new = eigenvalues.map { max($0, 0).squareRoot() }
      let rotated = rotation.map { column in Self.combined(images, column) }
      isConverged = zip(new, values).prefix(min(count, width)).allSatisfy { abs($0 - $1) <= 1e-4 * max(new[0], 1e-300) }
      values = new
      if isConverged { break }
      basis = rotated.map { Self.transposedTimes($0, matrix, rows, columns) }
    }
    self.values = Array(values.prefix(min(count, width)))
    self.isConverged = isConverged
    share = square > 0 ? min(self.values.reduce(0) { $0 + $1 * $1 } / square, 1) : 0
  }

  // MARK: Vectors

  /// The same vectors every time, from a generator of its own (splitmix64).
  private static func start(_ length: Int, _ count: Int) -> [[Double]] {
    var state: UInt64 = 0x9E37_79B9_7F4A_7C15
    return (0..<count).map { _ in
      (0..<length).map { _ in
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return Double((z ^ (z >> 31)) >> 11) / Double(1 << 53) - 0.5
      }
    }
  }

  private static func product(_ a: [Double], _ b: [Double]) -> Double {
    a.withUnsafeBufferPointer { a in
      b.withUnsafeBufferPointer { b in
        var sum = 0.0
        for index in a.indices { sum += a[index] * b[index] }
        return sum
      }
    }
  }

  /// Gram and Schmidt, twice: once leaves vectors that are nearly parallel skewed.
  private static func orthonormalize(_ vectors: inout [[Double]]) {
    for index in vectors.indices {
      for _ in 0..<2 {
        for other in 0..<index {
          let share = product(vectors[index], vectors[other])
          for place in vectors[index].indices { vectors[index][place] -= share * vectors[other][place] }
        }
      }
      let norm = product(vectors[index], vectors[index]).squareRoot()
      guard norm > 1e-150 else {
        vectors[index] = vectors[index].map { _ in 0 }
        continue
      }
      for place in vectors[index].indices { vectors[index][place] /= norm }
    }
  }

  private static func times(_ vector: [Double], _ matrix: [Float], _ rows: Int, _ columns: Int) -> [Double] {
    matrix.withUnsafeBufferPointer { matrix in
      vector.withUnsafeBufferPointer { vector in
        (0..<rows).map { row in
          var sum = 0.0
          let start = row * columns
          for column in 0..<columns { sum += Double(matrix[start + column]) * vector[column] }
          return sum
        }
      }
    }
  }

  private static func transposedTimes(_ vector: [Double], _ matrix: [Float], _ rows: Int, _ columns: Int) -> [Double] {
    var result = [Double](repeating: 0, count: columns)
    matrix.withUnsafeBufferPointer { matrix in
      result.withUnsafeMutableBufferPointer { result in
        for row in 0..<rows {
          let factor = vector[row]
          let start = row * columns
          for column in 0..<columns { result[column] += factor * Double(matrix[start + column]) }
        }
      }
    }
    return result
  }

  private static func combined(_ vectors: [[Double]], _ shares: [Double]) -> [Double] {
    var result = [Double](repeating: 0, count: vectors[0].count)
    for (vector, share) in zip(vectors, shares) {
      for index in result.indices { result[index] += share * vector[index] }
    }
    return result
  }

  /// Eigenvalues, largest first, and eigenvectors of the products of vectors with each other, by Jacobi's rotations.
  private static func eigen(_ vectors: [[Double]]) -> (values: [Double], vectors: [[Double]]) {
    let count = vectors.count
    var a = vectors.map { one in vectors.map { product(one, $0) } }
    var v = (0..<count).map { row in (0..<count).map { row == $0 ? 1.0 : 0 } }
    for _ in 0..<30 {
      var off = 0.0
      for p in 0..<count { for q in 0..<count where p != q { off += a[p][q] * a[p][q] } }
      let trace = (0..<count).reduce(0) { $0 + a[$1][$1] * a[$1][$1] }
      if off <= trace * 1e-24 { break }
      for p in 0..<count {
        for q in (p + 1)..<max(count, p + 1) where a[p][q] != 0 {
          let theta = (a[q][q] - a[p][p]) / (2 * a[p][q])
          let t = (theta < 0 ? -1.0 : 1) / (abs(theta) + (theta * theta + 1).squareRoot())
          let c = 1 / (t * t + 1).squareRoot()
          let s = t * c
          for k in 0..<count { (a[k][p], a[k][q]) = (c * a[k][p] - s * a[k][q], s * a[k][p] + c * a[k][q]) }
          for k in 0..<count { (a[p][k], a[q][k]) = (c * a[p][k] - s * a[q][k], s * a[p][k] + c * a[q][k]) }
          for k in 0..<count { (v[k][p], v[k][q]) = (c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]) }
        }
      }
    }
    let order = (0..<count).sorted { a[$0][$0] > a[$1][$1] }
    return (order.map { a[$0][$0] }, order.map { column in (0..<count).map { v[$0][column] } })
  }
}
