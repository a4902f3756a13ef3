// The slow twins: every operation once more, in Double, a scalar at a time, written from the formulas and for reading.
import Foundation

package enum Reference {
  /// y = x / √(mean(x²) + ε) · w, for each row of d.
  package static func rmsNorm(_ x: [Double], _ w: [Double], epsilon: Double = 1e-6) -> [Double] {
    let d = w.count
    return rows(x, d).flatMap { row in
      let scale = 1 / (row.reduce(0) { $0 + $1 * $1 } / Double(d) + epsilon).squareRoot()
      return zip(row, w).map { $0 * scale * $1 }
    }
  }

  /// y = (x − mean) / √(variance + ε) · w + b, for each row of d.
  package static func layerNorm(_ x: [Double], _ w: [Double], _ b: [Double], epsilon: Double = 1e-5) -> [Double] {
    let d = w.count
    return rows(x, d).flatMap { row in
      let mean = row.reduce(0, +) / Double(d)
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(d)
      return (0..<d).map { (row[$0] - mean) / (variance + epsilon).squareRoot() * w[$0] + b[$0] }
    }
  }

  /// ½u·(1 + tanh(√(2/π)·(u + 0.044715·u³))).
  package static func gelu(_ u: [Double]) -> [Double] {
    u.map { 0.5 * $0 * (1 + tanh((2 / Double.pi).squareRoot() * ($0 + 0.044715 * $0 * $0 * $0))) }
  }

  /// silu(g) · u, for each row [g | u] of 2n.
  package static func swiGLU(_ gu: [Double], _ n: Int) -> [Double] {
    rows(gu, 2 * n).flatMap { row in (0..<n).map { row[$0] / (1 + exp(-row[$0])) * row[n + $0] } }
  }

  /// x · wᵀ with x [m, k] and w [n, k].
  package static func product(_ x: [Double], _ w: [Double], _ k: Int) -> [Double] {
    let columns = rows(w, k)
    return rows(x, k).flatMap { a in columns.map { b in zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } } }
  }

  /// One head's vector turned by its position.
  package static func rotary(_ x: [Double], position: Int, theta: Double) -> [Double] {
    let half = x.count / 2
    var y = x
    for i in 0..<half {
      let angle = Double(position) * pow(theta, -2 * Double(i) / Double(x.count))
      y[i] = x[i] * cos(angle) - x[i + half] * sin(angle)
      y[i + half] = x[i + half] * cos(angle) + x[i] * sin(angle)
    }
    return y
  }

  /// Causal attention of one row: q [T, heads · h], k and v [T, groups · h], turned already.
  /// - Parameter mask: what the weight of key s at query t of a head is multiplied with.
  package static func attention(
    _ q: [Double], _ k: [Double], _ v: [Double], heads: Int, groups: Int, headWidth h: Int,
    documents: [Int32]? = nil, mask: (_ head: Int, _ t: Int, _ s: Int) -> Double = { _, _, _ in 1 }
  ) -> [Double] {
    let T = q.count / (heads * h)
    var o = [Double](repeating: 0, count: q.count)
    for head in 0..<heads {
      let group = head / (heads / groups)
      for t in 0..<T {
        let scores = (0...t).map { s -> Double in
          if let documents, documents[s] != documents[t] { return -Double.infinity }
          let dot = (0..<h).reduce(0.0) { $0 + q[(t * heads + head) * h + $1] * k[(s * groups + group) * h + $1] }
          return dot / Double(h).squareRoot()
        }
        let weights = softmax(scores)
        for s in 0...t {
          for i in 0..<h {
            o[(t * heads + head) * h + i] += weights[s] * mask(head, t, s) * v[(s * groups + group) * h + i]
          }
        }
      }
    }
    return o
  }

  package static func softmax(_ z: [Double]) -> [Double] {
    let top = z.max() ?? 0
    let e = z.map { exp($0 - top) }
    let sum = e.reduce(0, +)
    return e.map { $0 / sum }
  }

  /// log Σ e^z − Σ p z.
  package static func crossEntropy(_ z: [Double], _ targets: [(token: Int, weight: Double)]) -> Double {
    let top = z.max() ?? 0
    let lse = top + log(z.reduce(0) { $0 + exp($1 - top) })
    return lse - targets.reduce(0) { $0 + $1.weight * z[$1.token] }
  }

  /// Σ w (log Σ e^z − z), for weights that need not sum to 1.
  package static func weighted(_ z: [Double], _ targets: [(token: Int, weight: Double)]) -> Double {
    let top = z.max() ?? 0
    let lse = top + log(z.reduce(0) { $0 + exp($1 - top) })
    return targets.reduce(0) { $0 + $1.weight * (lse - z[$1.token]) }
  }

  /// TOP's targets at position t, read off the definition: for every token of the vocabulary the first place ahead of t
  /// where it stands, within the window, in the same document; then a softmax over −d/τ.
  package static func tokenOrder(
    _ row: [Int32], at t: Int, window: Int, temperature: Double = 1, leavesOutCurrent: Bool = false,
    documents: [Int32]? = nil
  ) -> [(token: Int, weight: Double)] {
    var distances: [Int: Int] = [:]
    for d in 1...window where t + d < row.count {
      if let documents, (t..<t + d).contains(where: { documents[$0] != documents[$0 + 1] }) { break }
      let token = Int(row[t + d])
      if token < 0 || (leavesOutCurrent && token == Int(row[t])) { continue }
      if distances[token] == nil { distances[token] = d }
    }
    let near = distances.sorted { $0.value < $1.value }
    let weights = softmax(near.map { -Double($0.value) / temperature })
    return zip(near, weights).map { ($0.key, $1) }
  }

  /// The token n ahead of t, in the same document, as a target.
  package static func token(
    _ row: [Int32], at t: Int, ahead n: Int, documents: [Int32]? = nil
  ) -> [(token: Int, weight: Double)] {
    guard t + n < row.count, row[t + n] >= 0 else { return [] }
    if let documents, documents[t] != documents[t + n] { return [] }
    return [(Int(row[t + n]), 1)]
  }

  package static func rows(_ x: [Double], _ width: Int) -> [[Double]] {
    stride(from: 0, to: x.count, by: width).map { Array(x[$0..<$0 + width]) }
  }
}

extension [Float] {
  package var doubles: [Double] { map(Double.init) }
}
