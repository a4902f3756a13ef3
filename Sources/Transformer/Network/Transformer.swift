// The network: tokens → hidden states → a loss a head → gradients of all parameters. The step of Training calls forward,
// heads and backward, in that order, for every micro-batch. What happens to rows is in Shard; here it is shared out, and
// gradients are added up.
import Kernels
import Run

package final class Transformer {
  package let configuration: Configuration
  package let precision: Precision
  /// Rows of a micro-batch.
  package let rows: Int
  package let threads: Int
  package let parameters: Parameters
  /// Each takes some of the rows through.
  let shards: [Shard]
  /// Tokens behind a row's positions that sequential heads and Fetch read.
  package let lookahead: Int
  /// Whether embeddings that Fetch reads learn from it.
  private let learnsComingTokens: Bool
  /// Rows of a micro-batch, with those of other processes.
  private let rowsOfAll: Int

  /// Allocates everything and makes every product; weights are zero until `initialize` or a checkpoint sets them.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  package init(_ plan: NetworkPlan) throws {
    let parameters = try Parameters(
      plan.parameters, precision: plan.precision, isTrained: plan.isTrained, shared: plan.sharedMemory,
      momentShares: plan.momentShares)
    parameters.touch(threads: plan.threads)
    let view = parameters.view
    // Shards of one thread each leave the team at one.
    defer { Team.resize(to: plan.threads) }
    shards = try plan.shards.indices.map { try Shard($0, of: plan, parameters: view) }
    (configuration, precision, rows, threads) = (plan.configuration, plan.precision, plan.rows, plan.threads)
    self.parameters = parameters
    rowsOfAll = plan.rows * plan.ranks
    lookahead = max(
      configuration.multiToken == .sequential ? plan.parameters.furtherSections.count : 0,
      configuration.joint?.heads.count ?? 0)
    learnsComingTokens = configuration.joint?.settings.learnsEmbeddings ?? false
  }

  /// Bytes that were allocated for it, as `NetworkPlan` says them beforehand.
  package var bytes: Int { shards.reduce(parameters.bytes) { $0 + $1.bytes } }

  /// Why what was computed is of no use, from the first product on that failed; nil where none did. Whoever computes asks
  /// before anything is made of the numbers.
  package var failure: TransformerError? {
    for shard in shards { if let failure = shard.failure { return .kernels("\(failure)") } }
    return nil
  }

  // MARK: Shards

  /// Takes every shard through with its rows of a batch, each on its own thread where there are several.
  func each(_ batch: TokenRows, _ body: (Shard, TokenRows) -> Void) {
    Team.run(shards.count) { index in
      let shard = shards[index]
      body(shard, batch.rows(shard.rows.lowerBound, count: shard.rows.count))
    }
  }

  /// Takes one shard after the other through, each by the whole team: for tables that all of them add to.
  private func inTurn(_ batch: TokenRows, _ body: (Shard, TokenRows) -> Void) {
    for shard in shards { body(shard, batch.rows(shard.rows.lowerBound, count: shard.rows.count)) }
  }

  /// Adds what shards have of a section's gradients to those of the parameters.
  /// - Parameter finished: told that nothing more is added, as `heads` says.
  private func gather(_ section: GradientSection, _ finished: ((Range<Int>) -> Void)?) {
    for shard in shards {
      guard let gradients = shard.gradients(of: section) else { continue }
      StepPart.sums.measured(bytes: 12 * section.range.count) {
        VectorMath.add(
          gradients, to: parameters.gradients + section.range.lowerBound, count: section.range.count, threads: threads)
      }
    }
    guard let finished else { return }
    // Tables are added to until the end of the backward pass.
    let layout = parameters.layout
    let hasTables =
      section.range.contains(layout.embedding) || layout.positions.map { section.range.contains($0) } ?? false
    if !hasTables { finished(section.range) }
  }

  // MARK: There and back

  /// Through all blocks and the final norm; the hidden states stay in the activations.
  /// - Parameter noise: what dropout draws from, another stream for every pass; nil, as for all but training, drops
  ///   nothing. `heads` and `backward` of a pass need the same one.
  package func forward(_ batch: TokenRows, noise: RandomStream? = nil) {
    check(batch)
    let noise = configuration.dropout > 0 ? noise : nil
    each(batch) { $0.forward($1, noise: noise) }
  }

  /// How many positions count for each head, which all micro-batches of a step must know before the first gradient.
  /// - Parameter counts: one a head, added to.
  package func countPositions(_ batch: TokenRows, into counts: inout [Int]) {
    check(batch)
    each(batch) { $0.countPositions($1) }
    for shard in shards {
      for head in counts.indices { counts[head] += shard.counts[head] }
    }
  }

  /// The losses and hits of all heads on the hidden states that `forward` left.
  /// - Parameters:
  ///   - isRanked: for each of the M positions whether the TOP head's ranking is looked at there; nil looks at none.
  ///   - measuresOutputs: whether `outputStatistics` are computed.
  package func losses(
    _ batch: TokenRows, ranking isRanked: [Bool]? = nil, measuresOutputs: Bool = false
  ) -> [LossSum] {
    let positions = rows * configuration.context
    precondition(isRanked.map { $0.count == positions } ?? true, "each of the \(positions) positions has a flag")
    var sums = [LossSum](repeating: LossSum(), count: configuration.objectives.count)
    runHeads(
      batch,
      HeadPass(
        factors: nil, ranking: isRanked, accumulates: false, noise: nil, stage: nil, measuresOutputs: measuresOutputs),
      nil, into: &sums)
    return sums
  }

  /// [M]: 1 where the likeliest token of the first head was its target, when `losses` was called last.
  package var firstHits: [UInt8] {
    shards.flatMap { UnsafeBufferPointer(start: $0.firstHits, count: $0.rows.count * configuration.context) }
  }

  /// The losses of all heads, and their gradients at the unembeddings and the hidden states.
  /// - Parameters:
  ///   - weights: λ, one a head.
  ///   - denominators: positions that count in the whole step, one a head; 0 where none does.
  ///   - accumulates: whether gradients are added to what is there: every micro-batch but the first.
  ///   - stage: of the run, for losses that change with it; nil trains on what evaluations measure.
  ///   - finished: called with each range of the gradients, in elements, that no later part of the pass changes.
  ///   - sums: one a head, added to.
  package func heads(
    _ batch: TokenRows, weights: [Float], denominators: [Int], accumulates: Bool, noise: RandomStream? = nil,
    stage: TargetStage? = nil, finished: ((Range<Int>) -> Void)? = nil, into sums: inout [LossSum]
  ) {
    precondition(weights.count == configuration.objectives.count && denominators.count == weights.count)
    if !accumulates {
      clearTables()
      parameters.recordPicks(after: nil)
    }
    let factors = LossFactors(weights: weights, denominators: denominators)
    let noise = configuration.dropout > 0 ? noise : nil
    runHeads(
      batch, HeadPass(factors: factors, ranking: nil, accumulates: accumulates, noise: noise, stage: stage), finished,
      into: &sums)
  }

  /// What all heads lose, and where something is learned the gradient at the stream that the trunk's backward begins with.
  private func runHeads(
    _ batch: TokenRows, _ pass: HeadPass, _ finished: ((Range<Int>) -> Void)?, into sums: inout [LossSum]
  ) {
    let learns = pass.factors != nil
    let layout = parameters.layout
    each(batch) { $0.predict($1, pass) }
    if learns, learnsComingTokens {
      inTurn(batch) { $0.backwardComingTokens($1, into: parameters.view, threads: threads) }
    }
    switch configuration.multiToken {
    case nil: break
    case .parallel:
      if learns {
        backward(
          block: configuration.blocks - 1, batch, accumulates: pass.accumulates, noise: pass.noise, recomputes: false,
          finished)
        each(batch) { shard, _ in shard.carryGradient() }
      }
      for (index, section) in layout.furtherSections.enumerated() {
        each(batch) { $0.runParallel(index, $1, pass) }
        if learns { gather(section, finished) }
      }
    case .sequential:
      each(batch) { $0.forwardSequential($1, pass) }
      for index in (0..<layout.furtherSections.count).reversed() {
        each(batch) { $0.runSequential(index, $1, pass) }
        guard learns else { continue }
        gather(layout.furtherSections[index], finished)
        inTurn(batch) { $0.backwardTable(index, $1, noise: pass.noise, into: parameters.view, threads: threads) }
      }
      if learns { each(batch) { shard, _ in shard.backwardFinalNorm(addsTo: true) } }
    }
    if learns { gather(layout.headSection, finished) }
    for head in sums.indices {
      // A batch's own sum first, so that rounding does not depend on what was added before.
      var sum = LossSum()
      for shard in shards { sum.add(shard.sums[head]) }
      sums[head].add(sum)
    }
  }

  /// From the gradient at the hidden states to the gradients of all other parameters.
  /// - Parameters:
  ///   - accumulates: whether they are added to what is there, as in `heads`.
  ///   - noise: that of `forward`.
  ///   - finished: that of `heads`; tables are not reported.
  package func backward(
    _ batch: TokenRows, accumulates: Bool, noise: RandomStream? = nil, finished: ((Range<Int>) -> Void)? = nil
  ) {
    precondition(parameters.isTrained, "a network made for reading cannot go backward")
    let c = configuration
    let noise = c.dropout > 0 ? noise : nil
    // The last block of a network with parallel MTP heads is one of them, and was done with them.
    let below = c.multiToken == .parallel ? c.blocks - 1 : c.blocks
    // What the last block left is still there, unless heads with blocks of their own came after it.
    let fresh = c.multiToken == nil ? below - 1 : -1
    for index in (0..<below).reversed() {
      backward(
        block: index, batch, accumulates: accumulates, noise: noise, recomputes: c.recomputesBlocks && index != fresh,
        finished
      )
    }
    inTurn(batch) { $0.backwardTables($1, noise: noise, into: parameters.view, threads: threads) }
    parameters.recordPicks(after: rowsOfAll * c.context)
  }

  private func backward(
    block index: Int, _ batch: TokenRows, accumulates: Bool, noise: RandomStream?, recomputes: Bool,
    _ finished: ((Range<Int>) -> Void)?
  ) {
    each(batch) { $0.backward(block: index, $1, accumulates: accumulates, noise: noise, recomputes: recomputes) }
    gather(parameters.layout.blockSections[index], finished)
  }

  /// ‖∂(λ · loss)/∂h‖ of each head at the final hidden states h [M, d] that it reads, for the mean loss over a batch. Gradients of
  /// parameters are of no use afterwards.
  /// - Parameters:
  ///   - weights: λ, one a head.
  ///   - denominators: positions of the whole batch that count, one a head, where these are some of its rows; nil counts them.
  ///   - stage: as in `heads`.
  /// - Returns: one norm a head.
  package func gradientsAtHidden(
    _ batch: TokenRows, weights: [Float], denominators: [Int]? = nil, stage: TargetStage? = nil
  ) -> [Double] {
    precondition(parameters.isTrained, "a network made for reading has no gradients")
    var counted = weights.map { _ in 0 }
    if denominators == nil { countPositions(batch, into: &counted) }
    let denominators = denominators ?? counted
    forward(batch)
    each(batch) { $0.squareHiddenGradients($1, weights: weights, denominators: denominators, stage: stage) }
    return weights.indices.map { head in
      shards.reduce(0) { $0 + $1.hiddenSquares[head] }.squareRoot()
    }
  }

  /// Makes all gradients of the step 0 but those of the MTP heads' own tensors, so that nothing else learns.
  package func keepFurtherGradients() {
    parameters.keepFurtherTables()
    for tensor in parameters.layout.tensors where tensor.hasStoredGradient && !tensor.isOfFurtherHead {
      (parameters.gradients + tensor.offset).update(repeating: 0, count: tensor.count)
    }
  }

  /// The Euclidean norm of all gradients.
  package func gradientNorm() -> Double {
    var norm = 0.0
    StepPart.gradientNorm.measured(bytes: 4 * parameters.layout.stored) {
      norm = parameters.gradientNorm(threads: threads)
    }
    return norm
  }

  /// Tables are no part of a section, and their gradients are only ever added to.
  private func clearTables() {
    let layout = parameters.layout
    if let positions = layout.positions {
      (parameters.gradients + positions).update(repeating: 0, count: configuration.context * configuration.width)
    }
    // A tied embedding is written as an unembedding before anything is added.
    if !configuration.isTied {
      let count = configuration.vocabulary * configuration.width
      let table = parameters.gradients + layout.embedding
      StepPart.tables.measured(bytes: 4 * count) {
        Team.split(count, threads: threads) { _, range in
          (table + range.lowerBound).update(repeating: 0, count: range.count)
        }
      }
    }
  }

  func check(_ batch: TokenRows) {
    precondition(
      batch.rows == rows && batch.context == configuration.context && batch.stride >= batch.context + lookahead,
      "this network takes \(rows) rows of \(configuration.context) tokens, and what its heads look ahead")
  }

}
