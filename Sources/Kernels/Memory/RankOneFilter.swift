// The two vectors by which a memory layer finds candidates: u and v of the best approximation of Σ C_i of rank one, C ≈ λ·u·vᵀ.
// (u, v) and (−u, −v) approximate it alike but find other candidates, so that the sign is a part of the network's state.

package enum RankOneFilter {
  /// Chooses u and v anew for one head.
  /// - Parameters:
  ///   - cores: [h, r, r].
  ///   - filter: [2, r]: u, then v; those of before, and written.
  ///   - isFirst: whether there were none before: then Σ u is not negative. Else the sign is that of the pair nearer to them.
  package static func update(
    cores: UnsafePointer<Float>, count h: Int, rank r: Int, filter: UnsafeMutablePointer<Float>, isFirst: Bool
  ) {
    var sum = [Double](repeating: 0, count: r * r)
    for core in 0..<h { for i in 0..<r * r { sum[i] += Double(cores[core * r * r + i]) } }
    guard sum.allSatisfy(\.isFinite) else { return }
    let v = firstEigenvector(ofSquare: sum, r)
    var u = (0..<r).map { a in (0..<r).reduce(0.0) { $0 + sum[a * r + $1] * v[$1] } }
    let length = u.reduce(0) { $0 + $1 * $1 }.squareRoot()
    u = u.map { length > 0 ? $0 / length : 1 / Double(r).squareRoot() }
    let pair = u + v
    let isFlipped: Bool
    if isFirst {
      isFlipped = u.reduce(0, +) < 0
    } else {
      func distance(_ sign: Double) -> Double {
        pair.indices.reduce(0) { $0 + abs(sign * pair[$1] - Double(filter[$1])) }
      }
      isFlipped = distance(-1) < distance(1)
    }
    for i in pair.indices { filter[i] = Float(isFlipped ? -pair[i] : pair[i]) }
  }

  /// The eigenvector of the largest eigenvalue of CᵀC, by Jacobi's rotations; the largest of its elements is positive.
  private static func firstEigenvector(ofSquare c: [Double], _ r: Int) -> [Double] {
    var a = [Double](repeating: 0, count: r * r)
    for i in 0..<r { for j in 0..<r { for k in 0..<r { a[i * r + j] += c[k * r + i] * c[k * r + j] } } }
    var vectors = [Double](repeating: 0, count: r * r)
    for i in 0..<r { vectors[i * r + i] = 1 }
    for _ in 0..<30 {
      for p in 0..<r {
        for q in p + 1..<max(p + 1, r) where abs(a[p * r + q]) > 1e-300 {
          let theta = (a[q * r + q] - a[p * r + p]) / (2 * a[p * r + q])
          let t = (theta < 0 ? -1.0 : 1.0) / (abs(theta) + (theta * theta + 1).squareRoot())
          let cosine = 1 / (t * t + 1).squareRoot()
          let sine = t * cosine
          for k in 0..<r {
            let (x, y) = (a[k * r + p], a[k * r + q])
            (a[k * r + p], a[k * r + q]) = (cosine * x - sine * y, sine * x + cosine * y)
          }
          for k in 0..<r {
            let (x, y) = (a[p * r + k], a[q * r + k])
            (a[p * r + k], a[q * r + k]) = (cosine * x - sine * y, sine * x + cosine * y)
          }
          for k in 0..<r {
            let (x, y) = (vectors[k * r + p], vectors[k * r + q])
            (vectors[k * r + p], vectors[k * r + q]) = (cosine * x - sine * y, sine * x + cosine * y)
          }
        }
      }
    }
    let best = (0..<r).max { a[$0 * r + $0] < a[$1 * r + $1] } ?? 0
    let vector = (0..<r).map { vectors[$0 * r + best] }
    let largest = vector.max { abs($0) < abs($1) } ?? 1
    return largest < 0 ? vector.map { -$0 } : vector
  }
}
