// Rows of a micro-batch that go through the network on their own: there, through the heads, and back. Where a batch has rows
// for all threads, each thread has a shard, and waits for others only where gradients are added up; else there is one shard
// that the whole team works on.
import Kernels

final class Shard {
  /// Its rows of the micro-batch.
  let rows: Range<Int>
  let configuration: Configuration
  let precision: Precision
  let threads: Int
  let plan: ParameterPlan
  let activations: Activations
  let blocks: [Block]
  let finalNorm: Norm
  /// The heads on the trunk's own hidden states, and the one on each MTP head's.
  let predictionHeads: PredictionHeads
  let furtherHeads: PredictionHeads
  let multiTokenHeads: [MultiTokenHead]
  /// Which objectives are predicted from the trunk's hidden states, and which from those of each MTP head.
  let streams: [[Int]]
  /// All products of this shard, which know whether one of them failed.
  private let products: Products
  /// The network's weights, and its gradients where this shard has none of its own.
  let parameters: ParameterView
  /// Whether its gradients are its own, to be added to the network's.
  private let hasOwnGradients: Bool
  /// What its rows lost in the pass that is being made, and how many of their positions count: a head each.
  var sums: [LossSum]
  private(set) var counts: [Int]

  /// - Parameters:
  ///   - index: which of the plan's shards.
  ///   - parameters: valid as long as the shard is used.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  init(_ index: Int, of network: NetworkPlan, parameters: ParameterView) throws {
    let (c, rows, precision) = (network.configuration, network.shards[index], network.precision)
    let (plan, isTrained, chunk) = (network.parameters, network.isTrained, network.chunk)
    let threads = network.threadsOfShard
    do {
      let products = try Products(threads: threads)
      self.products = products
      let attention = Attention(c, precision: precision, threads: threads)
      blocks = try plan.blocks.enumerated().map { number, offsets throws(ProductError) in
        try Block(
          c, at: offsets, number: number, attention: attention, rows: rows, precision: precision,
          isTrained: isTrained, products: products)
      }
      multiTokenHeads = try plan.multiToken.enumerated().map { index, offsets throws(ProductError) in
        try MultiTokenHead(
          c, at: offsets, number: c.blocks + index, attention: attention, rows: rows, precision: precision,
          isTrained: isTrained, products: products)
      }
      func heads(_ count: Int) throws(ProductError) -> PredictionHeads {
        try PredictionHeads(
          c, heads: count, offset: plan.unembedding, positions: rows.count * c.context, chunk: chunk,
          precision: precision, sharers: network.shards.count, isTrained: isTrained, products: products)
      }
      predictionHeads = try heads(c.streams[0].count)
      furtherHeads = try heads(1)
    } catch {
      throw TransformerError.kernels("\(error)")
    }
    activations = try Activations(network.activations[index], for: c)
    finalNorm = Norm(c, at: plan.finalNorm, threads: threads)
    streams = c.streams
    configuration = c
    hasOwnGradients = network.activations[index].hasGradients
    sums = c.objectives.map { _ in LossSum() }
    counts = c.objectives.map { _ in 0 }
    self.rows = rows
    self.precision = precision
    self.threads = threads
    self.plan = plan
    self.parameters = hasOwnGradients ? parameters.leaving(nil) : parameters
  }

  /// Why what it computed is of no use; nil where it is.
  var failure: ProductError? { products.failure }

  var positions: Int { rows.count * configuration.context }

  func stream(_ base: UnsafeMutablePointer<Float>) -> Matrix {
    Matrix(base, rows: positions, columns: configuration.width)
  }

  func operand(_ base: UnsafeMutableRawPointer, columns: Int? = nil) -> Matrix {
    Matrix(base, rows: positions, columns: columns ?? configuration.width, precision: precision)
  }

  // MARK: Gradients

  /// Where the gradients of a section are left on their own; nil where they are the network's.
  func gradients(of section: ParameterPlan.Section) -> UnsafeMutablePointer<Float>? {
    guard hasOwnGradients else { return nil }
    return section.range == plan.headSection.range ? activations.headGradients : activations.blockGradients
  }

  /// The parameters as an operation sees them that leaves gradients in a section.
  func parameters(leaving section: ParameterPlan.Section) -> ParameterView {
    gradients(of: section).map { parameters.leaving((place: $0, range: section.range)) } ?? parameters
  }

  /// Begins a section of gradients.
  /// - Parameter adds: whether the network's are added to what is there: every micro-batch but the first.
  /// - Returns: whether the section's products add to what is there. Where they write, the rest of it is zero now.
  func begin(_ section: ParameterPlan.Section, adds: Bool) -> Bool {
    if adds && !hasOwnGradients { return true }
    let parameters = parameters(leaving: section)
    for range in section.added { parameters.gradient(range.lowerBound).update(repeating: 0, count: range.count) }
    return false
  }

  // MARK: There and back

  /// Through all blocks and the final norm; the hidden states stay in the activations.
  /// - Parameters:
  ///   - batch: this shard's rows, as everywhere below.
  ///   - noise: what dropout draws from in this pass; nil drops nothing.
  func forward(_ batch: TokenRows, noise: RandomStream?) {
    let c = configuration
    fillStarts(batch)
    let starts = starts(of: batch)
    var x = activations.blocks[0].x
    Embedding.forward(
      parameters.weights + plan.embedding, tokens: batch.tokens, context: c.context, stride: batch.stride,
      x: stream(x), threads: threads)
    if let positions = plan.positions {
      Embedding.addPositions(
        parameters.weights + positions, context: c.context, starts: starts, x: stream(x), threads: threads)
    }
    embeddingDropout(depth: 0, noise)?.apply(stream(x), threads: threads)
    for (index, block) in blocks.enumerated() {
      let kept = activations.blocks[index]
      block.forward(
        parameters, x: x, adding: index > 0, kept: kept, shared: activations.shared, starts: starts, noise: noise)
      x = kept.x1
    }
    finalNorm.forward(
      parameters, stream(x), adding: operand(activations.shared.delta), sum: stream(activations.final),
      y: operand(activations.hidden), statistics: activations.finalScale)
  }

  /// Turns the gradient at the stream after one block of the trunk into the one before it.
  /// - Parameter again: whether another block has taken the place of what this one's forward left.
  func backward(block index: Int, _ batch: TokenRows, adds: Bool, noise: RandomStream?, again: Bool) {
    let section = plan.blockSections[index]
    let adds = begin(section, adds: adds)
    blocks[index].backward(
      parameters(leaving: section), kept: activations.blocks[index], shared: activations.shared, adds: adds,
      starts: starts(of: batch), noise: noise, again: again)
  }

  /// From the gradient at the stream before the first block to those of the tables, which shards add to in turn.
  /// - Parameters:
  ///   - all: the network's parameters, with its own gradients.
  ///   - threads: those that share out this work.
  func backwardTables(_ batch: TokenRows, noise: RandomStream?, into all: ParameterView, threads: Int) {
    let c = configuration
    let dx = stream(activations.shared.dx)
    embeddingDropout(depth: 0, noise)?.apply(dx, threads: threads)
    if let positions = plan.positions {
      Embedding.backwardPositions(
        dx, context: c.context, starts: starts(of: batch), dTable: all.gradient(positions), threads: threads)
    }
    backwardTable(dx, tokens: batch.tokens, batch, into: all, threads: threads)
  }

  /// Adds the gradient at embedded tokens to that of the table.
  /// - Parameter tokens: the first of what was embedded.
  func backwardTable(
    _ dx: Matrix, tokens: UnsafePointer<Int32>, _ batch: TokenRows, into all: ParameterView, threads: Int
  ) {
    Embedding.backward(
      dx, tokens: tokens, context: batch.context, stride: batch.stride, dTable: all.gradient(plan.embedding),
      threads: threads)
  }

  /// Where the document of each position begins in its row: what attention sees and positions count from. Nil where every
  /// row is one document.
  /// - Parameter batch: the one that `forward` was given last.
  func starts(of batch: TokenRows) -> UnsafePointer<Int32>? {
    batch.documents == nil ? nil : UnsafePointer(activations.starts)
  }

  private func fillStarts(_ batch: TokenRows) {
    guard let documents = batch.documents else { return }
    let context = configuration.context
    for row in 0..<batch.rows {
      var start = 0
      for t in 0..<context {
        let place = documents + row * batch.stride + t
        if t > 0 && place[0] != place[-1] { start = t }
        activations.starts[row * context + t] = Int32(start)
      }
    }
  }

  /// Where embeddings are dropped from: those of the tokens themselves, and those that each sequential head takes in.
  func embeddingDropout(depth: Int, _ noise: RandomStream?) -> Dropout? {
    noise.map {
      Dropout(
        rate: configuration.dropout, random: $0.branch(UInt64.max - UInt64(depth)),
        firstRow: rows.lowerBound * configuration.context)
    }
  }

  // MARK: Targets

  /// How many positions count for each head, in `counts`.
  func countPositions(_ batch: TokenRows) {
    fillTargets(batch)
    for head in counts.indices {
      let targets = activations.targets[head]
      var count = 0
      for position in 0..<positions where targets.counts[position] > 0 { count += 1 }
      counts[head] = count
    }
  }

  func fillTargets(_ batch: TokenRows) {
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

  /// The final hidden state of one position of its rows, as floats.
  /// - Returns: [d].
  func hidden(position: Int) -> [Float] {
    let first = position * configuration.width
    return (0..<configuration.width).map { i in
      switch precision {
      case .fp32: activations.hidden.assumingMemoryBound(to: Float.self)[first + i]
      case .bf16:
        Float(bitPattern: UInt32(activations.hidden.assumingMemoryBound(to: UInt16.self)[first + i]) << 16)
      }
    }
  }
}
