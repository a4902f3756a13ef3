// Measures a network's losses on consecutive windows of a text: the held-out part during training, and any text
// afterwards.
import Corpus
import Run
import Transformer

extension Transformer {
  /// Mean losses and accuracies over all whole windows of a part (window i starts at token i·T; the heads look past a
  /// window's end if the text continues there), and rank quality of the TOP head at some positions spread evenly over
  /// the part.
  /// - Parameters:
  ///   - tokens: about how many tokens to measure, in evenly spread windows, at least one; 0 measures all.
  ///   - diagnostics: receive every batch; nil measures none.
  ///   - shouldContinue: asked before every batch, with the windows that are measured and all of them; if it returns false,
  ///     measuring stops and the result is nil.
  /// - Throws: `CorpusError` where the part cannot be read, or has changed.
  func measure(
    on part: TokenRange, by recipe: Recipe, weights: [Float], tokens: Int = 0,
    for diagnostics: DiagnosticPass? = nil,
    while shouldContinue: (_ done: Int, _ total: Int) -> Bool = { _, _ in true }
  ) throws(CorpusError) -> Measured? {
    var pass = HeldOutPass(on: part, by: recipe, rows: rows, tokens: tokens)
    while pass.window < pass.windows {
      guard shouldContinue(pass.window, pass.windows) else { return nil }
      try pass.next(self, for: diagnostics)
    }
    return pass.measured(by: recipe, weights: weights)
  }
}

/// A pass over held-out windows: batch by batch, and what they lost so far.
struct HeldOutPass: ~Copyable {
  private var batches: OrderedBatches
  private let spread: HeldOutSample
  private(set) var sums: [LossSum]
  private(set) var paths: PathSum

  /// - Parameters:
  ///   - rows: of the network.
  ///   - tokens: about how many tokens to measure; 0 for all.
  init(on part: TokenRange, by recipe: Recipe, rows: Int, tokens: Int) {
    let context = recipe.model.context
    sums = [LossSum](repeating: LossSum(), count: recipe.heads.count)
    batches = OrderedBatches(
      of: part, rows: rows, context: context, lookahead: recipe.lookahead,
      most: tokens == 0 ? Int.max : max(1, tokens / context))
    paths = PathSum(part.graphs, recipe: recipe)
    spread = HeldOutSample(over: batches.windows * context)
  }

  /// Windows before the next batch, and all of them.
  var window: Int { batches.window }
  var windows: Int { batches.windows }

  /// Takes only some of the windows.
  mutating func limit(to range: Range<Int>) { batches.limit(to: range) }

  /// Measures the next batch; does nothing after the last.
  /// - Throws: `CorpusError` when the part cannot be read, or has changed.
  /// - Parameter diagnostics: that look at the rows too; nil where none are due.
  mutating func next(_ model: Transformer, for diagnostics: DiagnosticPass? = nil) throws(CorpusError) {
    let context = model.configuration.context
    let first = batches.window * context
    guard let batch = try batches.next() else { return }
    let rows = TokenRows(batch)
    model.forward(rows)
    let measured = model.losses(
      rows, ranking: (0..<model.rows * context).map { spread.has(first + $0) },
      measuresOutputs: diagnostics?.needs.contains(.outputs) ?? false)
    diagnostics?.add(.heldOut, rows, of: model)
    if paths.isMeasured { paths.add(model.firstHits, rows: batch.filledRows, context: context) }
    for (head, sum) in measured.enumerated() { sums[head].add(sum) }
  }

  /// All sums as numbers.
  var words: [Double] { sums.flatMap(\.words) + paths.words }

  /// Takes sums of several passes, in their order, in the place of its own.
  mutating func take(_ all: [[Double]]) {
    for head in sums.indices {
      sums[head] = LossSum()
      for words in all { sums[head].add(LossSum(words[(head * LossSum.wordCount)...])) }
    }
    paths.take(all.map { Array($0.dropFirst(sums.count * LossSum.wordCount)) })
  }

  /// The means over all windows so far.
  func measured(by recipe: Recipe, weights: [Float]) -> Measured {
    let order = recipe.heads.firstIndex(where: \.ranks).flatMap { OrderQuality(sums[$0].ranks) }
    return Measured(
      losses: sums.losses(of: recipe.heads, weights: weights, withAccuracy: true), order: order, paths: paths.shares)
  }
}

/// What a network is worth on held-out windows.
package struct Measured: Sendable {
  package var losses: [HeadLoss]
  /// Nil without a head that ranks.
  package var order: OrderQuality?
  /// See `Evaluation.paths`.
  package var paths: [Float]
}

/// How many paths of star graphs are right. Greedy decoding writes the first k tokens right exactly if, after every true
/// beginning shorter than k, the likeliest token is the true one: one pass over the true path is enough.
struct PathSum {
  /// The positions whose next token is of the path; empty for text.
  private let scored: Range<Int>
  private var right: [Int]
  private var count = 0

  init(_ graphs: StarGraphs?, recipe: Recipe) {
    scored = graphs.flatMap { recipe.pathLength > 0 ? $0.scored : nil } ?? 0..<0
    right = Array(repeating: 0, count: scored.count)
  }

  var isMeasured: Bool { !scored.isEmpty }

  /// - Parameter hits: [M], whether the NTP head has the next token.
  mutating func add(_ hits: [UInt8], rows: Int, context: Int) {
    for row in 0..<rows {
      let path = scored.prefix { hits[row * context + $0] != 0 }.count
      for length in 0..<path { right[length] += 1 }
    }
    count += rows
  }

  /// All of it as numbers.
  var words: [Double] { [Double(count)] + right.map(Double.init) }

  /// Takes sums of several passes in the place of its own.
  mutating func take(_ all: [[Double]]) {
    count = all.reduce(0) { $0 + Int($1[0]) }
    for length in right.indices { right[length] = all.reduce(0) { $0 + Int($1[1 + length]) } }
  }

  var shares: [Float] { right.map { Float(Double($0) / Double(max(1, count))) } }
}

/// The positions of a text at which the TOP head's ranking is measured: about as many as a steady mean needs, the same
/// every time. A rank costs as much as a loss, and each position has up to 32 ranks.
struct HeldOutSample {
  /// The standard error of a mean over so many shares is about 0.004.
  static let most = 8192

  private let threshold: UInt64

  /// - Parameter count: positions of the whole text.
  init(over count: Int) {
    threshold = count > Self.most ? UInt64(Double(Self.most) / Double(count) * 0x1p64) : .max
  }

  /// True if a position belongs to the sample. Multiples of the golden ratio fill the unit interval most evenly (Weyl's
  /// sequence): no part of the text, and no place in its windows, is preferred.
  func has(_ position: Int) -> Bool { UInt64(position) &* 0x9E37_79B9_7F4A_7C15 <= threshold }
}

extension OrderQuality {
  /// Means over the measured positions; nil if there are none.
  init?(_ sum: RankSum) {
    guard sum.positions > 0 else { return nil }
    func mean(_ value: Double) -> Float { Float(value / Double(sum.positions)) }
    self.init(
      ndcg8: mean(sum.total.ndcg8), tau: mean(sum.total.tau), recall8: mean(sum.total.recall8),
      reciprocalRank: mean(sum.total.reciprocalRank))
  }
}

extension LossSum {
  /// Mean loss over the positions with a target, in nats; 0 if there are none.
  var mean: Float { Float(loss / Double(Swift.max(1, positions))) }
}

extension [LossSum] {
  /// The mean loss of each head; 0 if a head has no position with a target.
  func losses(of heads: [Head], weights: [Float], withAccuracy: Bool = false) -> [HeadLoss] {
    zip(self, zip(heads, weights)).map { sum, head in
      let count = Double(Swift.max(1, sum.positions))
      return HeadLoss(
        head: head.0, loss: sum.mean,
        kl: head.0.hasFloor ? Float((sum.loss - sum.entropy) / count) : nil,
        accuracy: withAccuracy && head.0.hasAccuracy && sum.positions > 0 ? Float(Double(sum.hits) / count) : nil,
        weight: head.1, positions: sum.positions, trained: sum.trained.map { Float($0 / count) },
        entropy: sum.spread.map { Float($0 / count) })
    }
  }
}
