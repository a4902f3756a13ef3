// A memory layer once more in Double, on the whole grid of pairs: the twin of Kernels/Memory and Transformer/Memory.
import Run

/// A memory layer of these sizes.
package struct ReferenceMemory {
  private let size: MemorySize

  package init(_ size: MemorySize) { self.size = size }

  /// The places of the largest numbers; of equal ones the first.
  private func best(_ x: [Double], _ count: Int) -> [Int] {
    x.indices.sorted { (x[$1], $0) < (x[$0], $1) }.prefix(count).sorted()
  }

  /// What the layer adds to the stream.
  /// - Parameters:
  ///   - x: [T, d], normed.
  ///   - tensor: by its name in the layer.
  /// - Returns: [T, d].
  package func output(_ x: [Double], width d: Int, _ tensor: (String) -> [Double]) -> [Double] {
    let (keyWidth, valueWidth, preWidth) = (size.keyWidth, size.valueWidth, size.preWidth)
    let (n, r, parts) = (size.keys, size.rank, size.weights)
    let queries = Reference.rows(
      Reference.rmsNorm(Reference.product(x, tensor("query"), d), tensor("query_norm"), epsilon: 1e-5), keyWidth)
    let keyVectors = Reference.rows(
      Reference.rmsNorm(tensor("keys"), tensor("key_norm"), epsilon: 1e-5), keyWidth)
    let table = Reference.rows(tensor("table"), preWidth + valueWidth)
    let z = preWidth > 0 ? Reference.rows(Reference.product(x, tensor("pre_proj"), d), preWidth) : []
    let cores = size.cores > 0 ? tensor("cores") : []
    let filter = tensor("filter")
    func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    var pooled: [Double] = []
    for t in 0..<x.count / d {
      var sum = [Double](repeating: 0, count: valueWidth)
      for head in 0..<size.heads {
        /// [n][r] of a side.
        func scores(_ side: Int) -> [[Double]] {
          (0..<n).map { a in
            (0..<r).map { s in
              dot(queries[(t * 2 + side) * r + s], keyVectors[((head * 2 + side) * r + s) * n + a])
            }
          }
        }
        let (R, L) = (scores(0), scores(1))
        let u = Array(filter[head * 2 * r..<(head * 2 + 1) * r])
        let v = Array(filter[(head * 2 + 1) * r..<(head * 2 + 2) * r])
        let A = Set(best(R.map { dot($0, u) }, size.candidates))
        let B = Set(best(L.map { dot($0, v) }, size.candidates))
        func score(_ core: Int, _ a: Int, _ b: Int) -> Double {
          if cores.isEmpty { return R[a][0] + L[b][0] }
          var sum = 0.0
          for i in 0..<r {
            for j in 0..<r { sum += R[a][i] * cores[((head * parts + core) * r + i) * r + j] * L[b][j] }
          }
          return sum
        }
        let grid = (0..<n * n).map { place -> Double in
          guard A.contains(place / n), B.contains(place % n) else { return -.infinity }
          return (0..<parts).reduce(0.0) { $0 + score($1, place / n, place % n) }
        }
        for row in best(grid, size.top) {
          let factor = preWidth > 0 ? dot(Array(table[row][..<preWidth]), z[t]) : 1
          for i in 0..<valueWidth {
            let core = i / (valueWidth / parts)
            sum[i] += score(core, row / n, row % n) * factor * table[row][preWidth + i]
          }
        }
      }
      pooled += sum
    }
    return Reference.product(pooled, tensor("out_proj"), valueWidth)
  }
}
