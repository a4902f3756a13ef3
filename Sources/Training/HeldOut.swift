// Losses over consecutive windows of a text: the held-out part during training, and any text afterwards.
import Corpus
import Run
import Transformer

extension Transformer {
  /// Mean losses over all whole windows of a part: window i starts at token i·T, TOP looks ahead past its end where the
  /// text goes on.
  /// - Parameters:
  ///   - lookahead: tokens needed after a window.
  ///   - goesOn: asked before every batch; false leaves off, and the result is nil.
  package func losses(
    on part: Part, heads: [Head], weights: [Float], lookahead: Int, while goesOn: () -> Bool = { true }
  ) -> [HeadLoss]? {
    var sums = [LossSum](repeating: LossSum(), count: heads.count)
    var batches = OrderedBatches(of: part, rows: rows, context: configuration.context, lookahead: lookahead)
    while let batch = batches.next() {
      guard goesOn() else { return nil }
      let rows = TokenRows(batch)
      forward(rows)
      for (head, sum) in losses(rows).enumerated() { sums[head].add(sum) }
    }
    return sums.losses(of: heads, weights: weights)
  }
}

extension LossSum {
  mutating func add(_ other: LossSum) {
    loss += other.loss
    entropy += other.entropy
    positions += other.positions
  }
}

extension [LossSum] {
  /// Means, a head each; 0 where no position counts.
  func losses(of heads: [Head], weights: [Float]) -> [HeadLoss] {
    zip(self, zip(heads, weights)).map { sum, head in
      let count = Double(Swift.max(1, sum.positions))
      return HeadLoss(
        head: head.0, loss: Float(sum.loss / count),
        kl: head.0.hasFloor ? Float((sum.loss - sum.entropy) / count) : nil, weight: head.1, positions: sum.positions)
    }
  }
}
