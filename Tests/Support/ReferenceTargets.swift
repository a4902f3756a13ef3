// Targets of the shaped next-token loss, the discounted future and the bag of the future, read off their definitions.
import Foundation

extension Reference {
  /// Weights of the tokens ahead of t, 1 for the next: `weights[d − 1]` for the d-th, in the same document; a token that comes
  /// twice has both.
  package static func tokensAhead(
    _ row: [Int32], at t: Int, weights: [Double], documents: [Int32]? = nil
  ) -> [(token: Int, weight: Double)] {
    var sums: [Int: Double] = [:]
    for (index, weight) in weights.enumerated() {
      let place = t + index + 1
      guard place < row.count, row[place] >= 0, (documents.map { $0[place] == $0[t] } ?? true) else { break }
      if weight > 0 { sums[Int(row[place]), default: 0] += weight }
    }
    return sums.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  /// All tokens that follow t up to the one after the row's positions, in the same document, with weights c^j that sum to 1.
  package static func discounted(
    _ row: [Int32], at t: Int, discount c: Double, context: Int, documents: [Int32]? = nil
  ) -> [(token: Int, weight: Double)] {
    var targets: [(token: Int, weight: Double)] = []
    for place in t + 1..<max(t + 1, min(context + 1, row.count)) {
      guard row[place] >= 0, (documents.map { $0[place] == $0[t] } ?? true) else { break }
      targets.append((Int(row[place]), pow(c, Double(place - t - 1))))
    }
    let sum = targets.reduce(0) { $0 + $1.weight }
    return targets.map { ($0.token, $0.weight / sum) }
  }

  /// The distinct tokens from the second to the W-th ahead of t, in the same document.
  package static func bag(_ row: [Int32], at t: Int, window: Int, documents: [Int32]? = nil) -> Set<Int> {
    var bag: Set<Int> = []
    for distance in 1...window {
      let place = t + distance
      guard place < row.count, row[place] >= 0, (documents.map { $0[place] == $0[t] } ?? true) else { break }
      if distance > 1 { bag.insert(Int(row[place])) }
    }
    return bag
  }

  /// Σ_v log(1 + e^y) − Σ_{v ∈ bag} y, over the places of the window.
  package static func presence(_ z: [Double], _ bag: Set<Int>, window: Int) -> Double {
    let share = min(0.5, Double(window - 1) / Double(z.count))
    let y = z.map { $0 + log(share / (1 - share)) }
    return (y.reduce(0) { $0 + max($1, 0) + log1p(exp(-abs($1))) } - bag.reduce(0) { $0 + y[$1] }) / Double(window - 1)
  }

  /// The weight of every token: listed ones times (1 − p)^β; λ_head·p for the k likeliest others and λ_tail·p for the rest.
  package static func shapedWeights(
    _ z: [Double], _ targets: [(token: Int, weight: Double)], beta: Double, head: Double, tail: Double, likeliest k: Int
  ) -> [Double] {
    let p = softmax(z)
    var weights = p.map { $0 * tail }
    let listed = Set(targets.map(\.token))
    let others = p.indices.filter { !listed.contains($0) }.sorted { (p[$0], $1) > (p[$1], $0) }
    for token in others.prefix(k) { weights[token] = p[token] * head }
    for token in listed { weights[token] = 0 }
    for target in targets {
      let rest = p.indices.reduce(0.0) { $1 == target.token ? $0 : $0 + p[$1] }
      weights[target.token] += target.weight * (beta == 0 ? 1 : pow(max(1e-6, rest), beta))
    }
    return weights
  }

  /// −Σ w log softmax(z).
  package static func weighted(_ z: [Double], _ weights: [Double]) -> Double {
    let top = z.max() ?? 0
    let lse = top + log(z.reduce(0) { $0 + exp($1 - top) })
    return zip(z, weights).reduce(0) { $0 + $1.1 * (lse - $1.0) }
  }

  /// −Σ t log p of the targets t = (1 − w) e + w q, where q names some tokens and leaves the rest of its probability to all others
  /// together.
  package static func salted(
    _ z: [Double], _ next: Int, _ taught: [(token: Int, weight: Double)], weight w: Double
  ) -> Double {
    let p = softmax(z)
    let named = Set(taught.map(\.token))
    let rest = 1 - taught.reduce(0) { $0 + $1.weight }
    let outside = p.indices.reduce(0.0) { named.contains($1) ? $0 : $0 + p[$1] }
    let told = taught.reduce(0.0) { $0 - $1.weight * log(p[$1.token]) }
    return -(1 - w) * log(p[next]) + w * (told - (rest > 0 && outside > 0 ? rest * log(outside) : 0))
  }
}
