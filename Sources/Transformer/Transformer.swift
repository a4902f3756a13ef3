// The network: tokens → hidden states → a loss a head → gradients of all parameters. The step of Training calls forward,
// heads and backward, in that order, for every micro-batch.
import Kernels

package struct Transformer: ~Copyable {
  package let configuration: Configuration
  package let precision: Precision
  /// Rows of a micro-batch.
  package let rows: Int
  package let parameters: Parameters
  package let products: Products
  let activations: Activations
  let blocks: [Block]
  let finalNorm: Norm
  /// The heads on the trunk's own hidden states, and the one on each MTP head's.
  let predictionHeads: PredictionHeads
  let furtherHeads: PredictionHeads
  let multiTokenHeads: [MultiTokenHead]
  /// Which objectives are predicted from the trunk's hidden states, and which from those of each MTP head.
  let streams: [[Int]]

  /// Allocates everything and makes every product; weights are zero until `initialize` or a checkpoint sets them.
  /// - Parameters:
  ///   - rows: rows of `configuration.context` tokens in a micro-batch.
  ///   - chunk: positions whose logits exist at a time; nil chooses.
  ///   - isTrained: without it there are no gradients, and blocks share their activations.
  /// - Throws: `TransformerError` when the shape does not work out, memory is short or oneDNN refuses.
  package init(
    _ configuration: Configuration, rows: Int, precision: Precision, threads: Int, chunk: Int? = nil,
    isTrained: Bool = true
  ) throws {
    let plan = try NetworkPlan(
      configuration, rows: rows, precision: precision, threads: threads, chunk: chunk, isTrained: isTrained)
    let operations = try Operations(
      configuration, plan.parameters, rows: rows, precision: precision, threads: threads, chunk: chunk,
      isTrained: isTrained)
    let parameters = try Parameters(plan.parameters, precision: precision, isTrained: isTrained)
    let activations = try Activations(plan.activations, for: configuration)
    self.configuration = configuration
    self.precision = precision
    self.rows = rows
    products = operations.products
    blocks = operations.blocks
    finalNorm = Norm(configuration, at: plan.parameters.finalNorm, threads: threads)
    predictionHeads = operations.heads
    furtherHeads = operations.furtherHeads
    multiTokenHeads = operations.multiTokenHeads
    streams = configuration.streams
    self.parameters = parameters
    self.activations = activations
  }

  /// Every product and what is made of them.
  private struct Operations {
    let products: Products
    let blocks: [Block]
    let heads: PredictionHeads
    let furtherHeads: PredictionHeads
    let multiTokenHeads: [MultiTokenHead]

    init(
      _ configuration: Configuration, _ plan: ParameterPlan, rows: Int, precision: Precision, threads: Int,
      chunk: Int?, isTrained: Bool
    ) throws {
      do {
        let products = try Products(threads: threads)
        let attention = Attention(configuration, precision: precision, threads: threads)
        blocks = try plan.blocks.enumerated().map { number, offsets throws(ProductError) in
          try Block(
            configuration, at: offsets, number: number, attention: attention, rows: rows, precision: precision,
            isTrained: isTrained, products: products)
        }
        multiTokenHeads = try plan.multiToken.enumerated().map { index, offsets throws(ProductError) in
          try MultiTokenHead(
            configuration, at: offsets, number: configuration.blocks + index, attention: attention, rows: rows,
            precision: precision, isTrained: isTrained,
            products: products)
        }
        func heads(_ count: Int) throws(ProductError) -> PredictionHeads {
          try PredictionHeads(
            configuration, heads: count, offset: plan.unembedding, positions: rows * configuration.context,
            chunk: chunk, precision: precision, isTrained: isTrained, products: products)
        }
        self.heads = try heads(configuration.streams[0].count)
        furtherHeads = try heads(1)
        self.products = products
      } catch {
        throw TransformerError.kernels("\(error)")
      }
    }
  }

  package var threads: Int { products.threads }
  /// Bytes that were allocated for it, as `NetworkPlan` says them beforehand.
  package var bytes: Int { parameters.bytes + activations.bytes }
  private var positions: Int { rows * configuration.context }

  /// Through all blocks and the final norm; the hidden states stay in the activations.
  /// - Parameter noise: what dropout draws from, another stream for every pass; nil, as for all but training, drops
  ///   nothing. `heads` and `backward` of a pass need the same one.
  package func forward(_ batch: TokenRows, noise: RandomStream? = nil) {
    let noise = configuration.dropout > 0 ? noise : nil
    check(batch)
    let c = configuration
    let M = positions
    let starts = starts(of: batch)
    Embedding.forward(
      parameters.weights + parameters.plan.embedding, tokens: batch.tokens, context: c.context, stride: batch.stride,
      x: Matrix(activations.embedded, rows: M, columns: c.width), threads: threads)
    if let positions = parameters.plan.positions {
      Embedding.addPositions(
        parameters.weights + positions, context: c.context, starts: starts,
        x: Matrix(activations.embedded, rows: M, columns: c.width), threads: threads)
    }
    embeddingDropout(depth: 0, noise)?.apply(
      Matrix(activations.embedded, rows: M, columns: c.width), threads: threads)
    var x = activations.embedded
    for (index, block) in blocks.enumerated() {
      let kept = activations.blocks[index]
      block.forward(
        parameters, x: x, adding: index > 0, kept: kept, shared: activations.shared, starts: starts, noise: noise)
      x = kept.x1
    }
    finalNorm.forward(
      parameters, Matrix(x, rows: M, columns: c.width),
      adding: Matrix(activations.shared.delta, rows: M, columns: c.width, precision: precision),
      sum: Matrix(activations.final, rows: M, columns: c.width),
      y: Matrix(activations.hidden, rows: M, columns: c.width, precision: precision),
      statistics: activations.finalScale)
  }

  /// Where the document of each position begins in its row: what attention sees and positions count from. Nil where every
  /// row is one document.
  func starts(of batch: TokenRows) -> UnsafePointer<Int32>? {
    guard let documents = batch.documents else { return nil }
    let context = configuration.context
    for row in 0..<rows {
      var start = 0
      for t in 0..<context {
        let place = documents + row * batch.stride + t
        if t > 0 && place[0] != place[-1] { start = t }
        activations.starts[row * context + t] = Int32(start)
      }
    }
    return UnsafePointer(activations.starts)
  }

  /// Where embeddings are dropped from: those of the tokens themselves, and those that each sequential head takes in.
  func embeddingDropout(depth: Int, _ noise: RandomStream?) -> Dropout? {
    noise.map { Dropout(rate: configuration.dropout, random: $0.branch(UInt64.max - UInt64(depth))) }
  }

  /// How many positions count for each head, which all micro-batches of a step must know before the first gradient.
  /// - Parameter counts: one a head, added to.
  package func countPositions(_ batch: TokenRows, into counts: inout [Int]) {
    check(batch)
    fillTargets(batch)
    for head in counts.indices {
      let targets = activations.targets[head]
      for position in 0..<positions where targets.counts[position] > 0 { counts[head] += 1 }
    }
  }

  /// The losses and hits of all heads on the hidden states that `forward` left.
  /// - Parameter isRanked: for each of the M positions whether the TOP head's ranking is looked at there; nil looks at none.
  package func losses(_ batch: TokenRows, ranking isRanked: [Bool]? = nil) -> [LossSum] {
    precondition(isRanked.map { $0.count == positions } ?? true, "each of the \(positions) positions has a flag")
    fillTargets(batch)
    var sums = [LossSum](repeating: LossSum(), count: configuration.objectives.count)
    runHeads(batch, factors: nil, ranking: isRanked, adds: false, into: &sums)
    return sums
  }

  /// The losses of all heads, and their gradients at the unembeddings and the hidden states.
  /// - Parameters:
  ///   - weights: λ, one a head.
  ///   - denominators: positions that count in the whole step, one a head; 0 where none does.
  ///   - adds: whether gradients are added to what is there: every micro-batch but the first.
  ///   - sums: one a head, added to.
  package func heads(
    _ batch: TokenRows, weights: [Float], denominators: [Int], adds: Bool, noise: RandomStream? = nil,
    into sums: inout [LossSum]
  ) {
    precondition(weights.count == configuration.objectives.count && denominators.count == weights.count)
    fillTargets(batch)
    if !adds { clearAddedGradients() }
    runHeads(
      batch, factors: LossFactors(weights: weights, denominators: denominators), adds: adds,
      noise: configuration.dropout > 0 ? noise : nil, into: &sums)
  }

  /// From the gradient at the hidden states to the gradients of all other parameters.
  package func backward(_ batch: TokenRows, adds: Bool, noise: RandomStream? = nil) {
    precondition(parameters.isTrained, "a network made for reading cannot go backward")
    let c = configuration
    let M = positions
    let shared = activations.shared
    // The last block of a network with parallel MTP heads is one of them, and was done with them.
    let starts = starts(of: batch)
    let below = configuration.multiToken == .parallel ? blocks.count - 1 : blocks.count
    let noise = c.dropout > 0 ? noise : nil
    // What the last block left is still there, unless heads with blocks of their own came after it.
    let fresh = c.multiToken == nil ? below - 1 : -1
    for index in (0..<below).reversed() {
      blocks[index].backward(
        parameters, kept: activations.blocks[index], shared: shared, adds: adds, starts: starts, noise: noise,
        again: c.recomputesBlocks && index != fresh)
    }
    embeddingDropout(depth: 0, noise)?.apply(Matrix(shared.dx, rows: M, columns: c.width), threads: threads)
    if let positions = parameters.plan.positions {
      Embedding.backwardPositions(
        Matrix(shared.dx, rows: M, columns: c.width), context: c.context, starts: starts,
        dTable: parameters.gradients + positions, threads: threads)
    }
    Embedding.backward(
      Matrix(shared.dx, rows: M, columns: c.width), tokens: batch.tokens, context: c.context, stride: batch.stride,
      dTable: parameters.gradients + parameters.plan.embedding, threads: threads)
  }

  /// The Euclidean norm of all gradients.
  package func gradientNorm() -> Double {
    Kernels.Block.norm(
      parameters.gradients, count: parameters.plan.count, partial: activations.normPieces, threads: threads)
  }

  /// Products write their gradients on the first micro-batch; norms, biases, positions and the embedding only ever add.
  private func clearAddedGradients() {
    let plan = parameters.plan
    for tensor in plan.tensors where !tensor.isMatrix {
      (parameters.gradients + tensor.offset).update(repeating: 0, count: tensor.count)
    }
    if let positions = plan.positions {
      (parameters.gradients + positions).update(repeating: 0, count: configuration.context * configuration.width)
    }
    // A tied embedding is written as an unembedding before anything is added.
    if !configuration.isTied {
      let count = configuration.vocabulary * configuration.width
      let table = parameters.gradients + plan.embedding
      Team.split(count, threads: threads) { _, range in
        (table + range.lowerBound).update(repeating: 0, count: range.count)
      }
    }
  }

  private func fillTargets(_ batch: TokenRows) {
    let context = configuration.context
    for (head, objective) in configuration.objectives.enumerated() {
      let targets = activations.targets[head]
      let entropy = activations.entropy[head]
      Team.split(batch.rows, threads: threads) { _, rows in
        for row in rows {
          objective.fill(targets.from(row * context), entropy: entropy + row * context, row: batch[row])
        }
      }
    }
  }

  private func check(_ batch: TokenRows) {
    precondition(
      batch.rows == rows && batch.context == configuration.context
        && batch.stride >= batch.context + (configuration.multiToken == .sequential ? multiTokenHeads.count : 0),
      "this network takes \(rows) rows of \(configuration.context) tokens, and what its heads look ahead")
  }

  /// The final hidden state of one position, as floats: for looking at a head's ranking.
  /// - Returns: [d].
  package func hidden(row: Int, position: Int) -> [Float] {
    let first = (row * configuration.context + position) * configuration.width
    return (0..<configuration.width).map { i in
      switch precision {
      case .fp32: activations.hidden.assumingMemoryBound(to: Float.self)[first + i]
      case .bf16:
        Float(bitPattern: UInt32(activations.hidden.assumingMemoryBound(to: UInt16.self)[first + i]) << 16)
      }
    }
  }

  /// The logits of one head on the trunk, which MTP heads beyond the first are not, for one hidden state.
  /// - Returns: [V].
  package func logits(head: Int, hidden: [Float]) -> [Float] {
    guard hidden.count == configuration.width, let place = streams[0].firstIndex(of: head) else {
      preconditionFailure("a hidden state of the trunk and one of its heads are needed")
    }
    let offset = parameters.plan.unembedding + place * configuration.vocabulary * configuration.width
    var logits = [Float](repeating: 0, count: configuration.vocabulary)
    MatrixVector.multiply(
      Matrix(
        parameters.operand(offset), rows: configuration.vocabulary, columns: configuration.width, precision: precision),
      hidden, into: &logits, threads: threads)
    return logits
  }

  /// The targets that one head's objective gives a row of tokens at one position, nearest first.
  /// - Parameters:
  ///   - row: tokens, of which the first `position + 1` are read already.
  ///   - documents: the document of each; nil where the row is one.
  package static func targets(
    of objective: Objective, in row: [Int32], at position: Int, documents: [Int32]? = nil
  ) -> [(token: Int32, weight: Float)] {
    let capacity = objective.capacity
    var tokens = [Int32](repeating: 0, count: row.count * capacity)
    var weights = [Float](repeating: 0, count: row.count * capacity)
    var counts = [Int32](repeating: 0, count: row.count)
    var entropy = [Float](repeating: 0, count: row.count)
    row.withUnsafeBufferPointer { row in
      (documents ?? []).withUnsafeBufferPointer { places in
        tokens.withUnsafeMutableBufferPointer { tokens in
          weights.withUnsafeMutableBufferPointer { weights in
            counts.withUnsafeMutableBufferPointer { counts in
              entropy.withUnsafeMutableBufferPointer { entropy in
                objective.fill(
                  SparseTargets(
                    tokens: tokens.baseAddress!, weights: weights.baseAddress!, counts: counts.baseAddress!,
                    capacity: capacity),
                  entropy: entropy.baseAddress!,
                  row: TokenRow(
                    tokens: row.baseAddress!, count: row.count, context: row.count,
                    documents: documents == nil ? nil : places.baseAddress))
              }
            }
          }
        }
      }
    }
    return (0..<Int(counts[position])).map { k in (tokens[position * capacity + k], weights[position * capacity + k]) }
  }
}
