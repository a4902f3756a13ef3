// A memory layer once more in Double, on the whole grid of pairs: the twin of Kernels/Memory and Transformer/Memory.
import Run

/// The rows that a twin's memory layers pick: noted call by call, or held, for slopes at which the choice must not change.
package final class HeldPicks {
  /// Of each head of each position, in the order of calls, its rows, ascending.
  package private(set) var rows: [[Int]] = []
  /// The smallest difference between numbers of which the larger was among the best, and the smaller was not.
  package private(set) var smallestGap = Double.infinity
  private var isHeld = false
  private var next = 0

  package init() {}

  /// What was picked so far is picked again from now on, beginning with the first call.
  package func hold() { isHeld = true }

  fileprivate func picks(_ choose: (_ note: (Double) -> Void) -> [Int]) -> [Int] {
    if isHeld {
      defer { next = (next + 1) % rows.count }
      return rows[next]
    }
    let chosen = choose { smallestGap = min(smallestGap, $0) }
    rows.append(chosen)
    return chosen
  }
}

/// A memory layer of these sizes.
package struct ReferenceMemory {
  private let size: MemorySize
  /// Notes or holds what is picked.
  package var picks: HeldPicks?
  /// Whether all pairs of keys are summed, as products of matrices, without a choice among them.
  package var isBilinear = false

  package init(_ size: MemorySize) { self.size = size }

  /// A tensor by its name in the layer.
  package typealias Tensor = (String) -> [Double]

  /// The places of the largest numbers; of equal ones the first.
  private func best(_ x: [Double], _ count: Int, _ note: (Double) -> Void) -> [Int] {
    let order = x.indices.sorted { (x[$1], $0) < (x[$0], $1) }
    if count < order.count { note(x[order[count - 1]] - x[order[count]]) }
    return order.prefix(count).sorted()
  }

  /// A head's scores of all keys at a position, [n][r] of each side.
  private typealias KeyScores = (rows: [[Double]], columns: [[Double]])

  /// Calls a body with each head at each position.
  private func eachHead(
    _ x: [Double], _ d: Int, _ tensor: Tensor, _ body: (_ t: Int, _ head: Int, _ scores: KeyScores) -> Void
  ) {
    let queries = Reference.rows(
      Reference.rmsNorm(Reference.product(x, tensor("query"), d), tensor("query_norm"), epsilon: 1e-5), size.keyWidth)
    let keys = Reference.rows(
      Reference.rmsNorm(tensor("keys"), tensor("key_norm"), epsilon: 1e-5), size.keyWidth)
    for t in 0..<x.count / d {
      for head in 0..<size.heads {
        func scores(_ side: Int) -> [[Double]] {
          (0..<size.keys).map { key in
            (0..<size.rank).map { s in
              dot(
                queries[(t * 2 + side) * size.rank + s],
                keys[((head * 2 + side) * size.rank + s) * size.keys + key])
            }
          }
        }
        body(t, head, (scores(0), scores(1)))
      }
    }
  }

  private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }

  /// Calls a body with each pick of each position: its row, and the score that each core gives it.
  private func eachPick(
    _ x: [Double], _ d: Int, _ tensor: Tensor, _ body: (_ t: Int, _ row: Int, _ scores: [Double]) -> Void
  ) {
    let (n, r, parts) = (size.keys, size.rank, size.weights)
    let cores = size.cores > 0 ? tensor("cores") : []
    let filter = tensor("filter")
    eachHead(x, d, tensor) { t, head, scores in
      let (R, L) = scores
      func score(_ core: Int, _ row: Int) -> Double {
        let (a, b) = (row / n, row % n)
        if cores.isEmpty { return R[a][0] + L[b][0] }
        var sum = 0.0
        for i in 0..<r {
          for j in 0..<r { sum += R[a][i] * cores[((head * parts + core) * r + i) * r + j] * L[b][j] }
        }
        return sum
      }
      func choose(_ note: (Double) -> Void) -> [Int] {
        let u = Array(filter[head * 2 * r..<(head * 2 + 1) * r])
        let v = Array(filter[(head * 2 + 1) * r..<(head * 2 + 2) * r])
        let A = Set(best(R.map { dot($0, u) }, size.candidates, note))
        let B = Set(best(L.map { dot($0, v) }, size.candidates, note))
        let grid = (0..<n * n).map { row -> Double in
          guard A.contains(row / n), B.contains(row % n) else { return -.infinity }
          return (0..<parts).reduce(0.0) { $0 + score($1, row) }
        }
        return best(grid, size.top, note)
      }
      for row in picks?.picks(choose) ?? choose({ _ in }) {
        body(t, row, (0..<parts).map { score($0, row) })
      }
    }
  }

  /// What a row of the table adds for each unit of score: its value times what its pre-value makes of the position.
  private func value(_ row: [Double], _ z: [Double]) -> [Double] {
    let factor = size.preWidth > 0 ? dot(Array(row[..<size.preWidth]), z) : 1
    return row[size.preWidth...].map { $0 * factor }
  }

  /// The scores of all picks of all positions, of each core.
  package func pickedScores(_ x: [Double], width d: Int, _ tensor: Tensor) -> [Double] {
    var all: [Double] = []
    eachPick(x, d, tensor) { _, _, scores in all += scores }
    return all
  }

  /// What the layer adds to the stream.
  /// - Parameter x: [T, d], normed.
  /// - Returns: [T, d].
  package func output(_ x: [Double], width d: Int, _ tensor: Tensor) -> [Double] {
    let (valueWidth, positions) = (size.valueWidth, x.count / d)
    let part = valueWidth / size.weights
    let table = Reference.rows(tensor("table"), size.rowWidth)
    let z =
      size.preWidth > 0
      ? Reference.rows(Reference.product(x, tensor("pre_proj"), d), size.preWidth)
      : [[Double]](repeating: [], count: positions)
    var pooled = [Double](repeating: 0, count: positions * valueWidth)
    func add(_ t: Int, _ row: Int, _ scores: [Double]) {
      for (i, element) in value(table[row], z[t]).enumerated() {
        pooled[t * valueWidth + i] += scores[i / part] * element
      }
    }
    if isBilinear {
      eachHead(x, d, tensor) { t, head, scores in
        let grids = bilinear(scores, head, tensor)
        for row in table.indices { add(t, row, grids.map { $0[row] }) }
      }
    } else {
      eachPick(x, d, tensor, add)
    }
    return Reference.product(pooled, tensor("out_proj"), valueWidth)
  }

  /// R · C_i · Lᵀ, [n, n], of each core i; without cores R and L added up.
  private func bilinear(_ scores: KeyScores, _ head: Int, _ tensor: Tensor) -> [[Double]] {
    let (R, L) = scores
    guard size.cores > 0 else { return [R.flatMap { a in L.map { b in a[0] + b[0] } }] }
    let r = size.rank
    return Reference.rows(tensor("cores"), r * r)[head * size.cores..<(head + 1) * size.cores].map { core in
      let turned = (0..<r * r).map { core[$0 % r * r + $0 / r] }
      return Reference.product(Reference.product(R.flatMap { $0 }, turned, r), L.flatMap { $0 }, r)
    }
  }
}
