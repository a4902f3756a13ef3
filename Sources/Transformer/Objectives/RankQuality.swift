// How good a ranking of the vocabulary is: the true order of upcoming tokens against the TOP head's.
import Foundation

/// How well a ranking of the vocabulary puts the true order of upcoming tokens at one position. All values are NaN where
/// the logits have a NaN, since then the vocabulary has no order.
package struct RankQuality: Sendable, Equatable {
  /// Normalized discounted cumulative gain of the first 8 places (Järvelin & Kekäläinen 2002); the gain of the token that
  /// is i-th to come is 2^−i.
  package var ndcg8 = 0.0
  /// Kendall's τ over the pairs of upcoming tokens: 1 the same order, −1 the reverse; 0 where there is no pair.
  package var tau = 0.0
  /// The share of the 8 nearest tokens that are among the first 8 places.
  package var recall8 = 0.0
  /// 1 / rank of the next token.
  package var reciprocalRank = 0.0

  /// All values 0: the sum of no rankings.
  package init() {}

  /// - Parameter ranks: the rank (from 1) of each upcoming token, nearest first; 0 where the logits have a NaN.
  package init(ranks: some RandomAccessCollection<Int32>) {
    let ranks = Array(ranks)
    guard ranks.allSatisfy({ $0 > 0 }) else {
      (ndcg8, tau, recall8, reciprocalRank) = (.nan, .nan, .nan, .nan)
      return
    }
    let near = ranks.prefix(8)
    func discounted(_ gain: Double, _ rank: Int) -> Double { gain / log2(Double(rank) + 1) }
    let gains = ranks.indices.map { exp2(-Double($0)) }
    let best = near.indices.reduce(0.0) { $0 + discounted(gains[$1], $1 + 1) }
    let found = ranks.indices.reduce(0.0) { ranks[$1] <= 8 ? $0 + discounted(gains[$1], Int(ranks[$1])) : $0 }
    ndcg8 = best > 0 ? found / best : 0
    var agreeing = 0
    for (i, a) in ranks.enumerated() { for b in ranks[(i + 1)...] { agreeing += a < b ? 1 : -1 } }
    let pairs = ranks.count * (ranks.count - 1) / 2
    tau = pairs > 0 ? Double(agreeing) / Double(pairs) : 0
    recall8 = near.isEmpty ? 0 : Double(near.count { $0 <= 8 }) / Double(near.count)
    reciprocalRank = ranks.first.map { 1 / Double($0) } ?? 0
  }

  static func += (sum: inout RankQuality, quality: RankQuality) {
    sum.ndcg8 += quality.ndcg8
    sum.tau += quality.tau
    sum.recall8 += quality.recall8
    sum.reciprocalRank += quality.reciprocalRank
  }
}

/// The qualities of the rankings at many positions, as sums: divide by `positions` for means.
package struct RankSum: Sendable, Equatable {
  package var total = RankQuality()
  /// Positions that were looked at and have something to come.
  package var positions = 0

  package init() {}

  package mutating func add(_ quality: RankQuality) {
    total += quality
    positions += 1
  }

  package mutating func add(_ other: RankSum) {
    total += other.total
    positions += other.positions
  }
}
