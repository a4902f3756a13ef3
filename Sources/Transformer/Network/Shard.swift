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
  let layout: ParameterLayout
  private let storage: Storage
  /// Where its activations lie, and their memory.
  let places: ActivationLayout
  let arena: Arena
  /// Of each head: its targets, and what comes of them, [M] each.
  let targets: [SparseTargets]
  let entropy: [UnsafeMutablePointer<Float>]
  let losses: [UnsafeMutablePointer<Float>]
  /// Of each head whose trained loss can differ from `losses`, the trained loss and the predictions' entropy; else nil.
  let shaped: [ShapedCrossEntropy.Results?]
  let blocks: [Block]
  let finalNorm: Norm
  /// The heads on the trunk's own hidden states, and the one on each MTP head's.
  let predictionHeads: PredictionHeads
  let onePredictionHead: PredictionHeads
  let furtherHeads: [FurtherHead]
  /// Nil without JTP.
  let fetch: Fetch?
  /// Which objectives are predicted from the trunk's hidden states, and which from those of each MTP head.
  let streams: [[Int]]
  /// All products of this shard, which know whether one of them failed.
  private let products: Products
  /// The network's weights, and its gradients where this shard has none of its own.
  let parameters: ParameterView
  /// [M] bytes: where the likeliest token of the first head was its target, when the losses were last measured.
  var firstHits: UnsafeMutablePointer<UInt8> {
    UnsafeMutableRawPointer(arena[places.firstHits]).assumingMemoryBound(to: UInt8.self)
  }
  /// What the first head's predictions were like, when that was last asked for; nil before.
  var outputs: HeadOutputs?
  /// What its rows lost in the pass that is being made, and how many of their positions count: a head each.
  var sums: [LossSum]
  private(set) var counts: [Int]
  /// The squared norm of each head's gradient at the final hidden states, as last asked for.
  var hiddenSquares: [Double] = []
  /// What memory layers are measured in, at evaluations; nil in training.
  var measurement: MemoryMeasurement?

  /// - Parameters:
  ///   - index: which of the plan's shards.
  ///   - parameters: valid as long as the shard is used.
  /// - Throws: `TransformerError` when memory is short or oneDNN refuses.
  init(_ index: Int, of network: NetworkPlan, parameters: ParameterView) throws {
    let (c, rows, precision) = (network.configuration, network.shards[index], network.precision)
    let (layout, places) = (network.parameters, network.activations[index])
    let threads = network.threadsOfShard
    do {
      let products = try Products(threads: threads)
      self.products = products
      func site(_ layer: String, number: Int) -> BranchSite {
        BranchSite(
          configuration: c, parameters: layout, layer: layer, number: number, rows: rows, precision: precision,
          isTrained: network.isTrained, products: products, memory: network.sharedMemory)
      }
      blocks = try places.blocks.enumerated().map { number, block throws(ProductError) in
        try Block(site(layout.layer(ofBlock: number), number: number), at: block, stream: places.stream)
      }
      furtherHeads = try places.furtherHeads.enumerated().map { number, head throws(ProductError) in
        try FurtherHead(
          site(layout.layer(ofFurtherHead: number), number: c.blocks + number), at: head, stream: places.stream)
      }
      func heads(_ count: Int) throws(ProductError) -> PredictionHeads {
        try PredictionHeads(
          c, heads: count, offset: layout.unembedding, positions: rows.count * c.context, chunk: network.chunk,
          precision: precision, sharers: network.shards.count, isTrained: network.isTrained, products: products)
      }
      fetch = try places.fetch.map { place throws(ProductError) in
        try Fetch(site("", number: 0), at: place, layout.fetch)
      }
      predictionHeads = try heads(c.streams[0].count)
      onePredictionHead = try heads(1)
    } catch {
      throw TransformerError.kernels("\(error)")
    }
    let storage = try Storage(bytes: places.arena.bytes)
    let arena = Arena(storage.base, places.arena)
    for slot in places.blocks[0].slots { slot.branch.fill(arena, c) }
    func integers(_ place: FloatPlace) -> UnsafeMutablePointer<Int32> {
      UnsafeMutableRawPointer(arena[place]).assumingMemoryBound(to: Int32.self)
    }
    targets = zip(places.targets, c.objectives).map { list, objective in
      SparseTargets(
        tokens: integers(list.tokens), weights: arena[list.weights], counts: integers(list.counts),
        capacity: objective.capacity, tails: list.tails.map { arena[$0] })
    }
    entropy = places.targets.map { arena[$0.entropy] }
    losses = places.targets.map { arena[$0.losses] }
    shaped = zip(places.targets, c.objectives).map { list, objective in
      guard objective.isShaped else { return nil }
      return ShapedCrossEntropy.Results(
        losses: arena[list.trained], plain: arena[list.losses], entropies: arena[list.spread])
    }
    finalNorm = Norm(c, at: layout.finalNorm, threads: threads)
    streams = c.streams
    configuration = c
    sums = c.objectives.map { _ in LossSum() }
    counts = c.objectives.map { _ in 0 }
    self.rows = rows
    self.precision = precision
    self.threads = threads
    self.layout = layout
    self.storage = storage
    self.places = places
    self.arena = arena
    self.parameters = places.hasGradients ? parameters.leaving(nil) : parameters
  }

  /// Bytes that were allocated for it.
  var bytes: Int { storage.bytes }

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
  func gradients(of section: GradientSection) -> UnsafeMutablePointer<Float>? {
    guard places.hasGradients else { return nil }
    return arena[section.range == layout.headSection.range ? places.headGradients : places.blockGradients]
  }

  /// The parameters as an operation sees them that leaves gradients in a section.
  func parameters(leaving section: GradientSection) -> ParameterView {
    gradients(of: section).map { parameters.leaving((place: $0, range: section.range)) } ?? parameters
  }

  /// Begins a section of gradients.
  /// - Parameter accumulates: whether the network's are added to what is there: every micro-batch but the first.
  /// - Returns: whether the section's products add to what is there. Where they write, the rest of it is zero now.
  func begin(_ section: GradientSection, accumulates: Bool) -> Bool {
    if accumulates && !places.hasGradients { return true }
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
    var x = arena[blocks[0].input]
    StepPart.tables.measured(bytes: 8 * self.positions * c.width) {
      Embedding.forward(
        parameters.weights + layout.embedding, tokens: batch.read, context: c.context, stride: batch.stride,
        x: stream(x), threads: threads)
      if let positions = layout.positions {
        Embedding.addPositions(
          parameters.weights + positions, context: c.context, starts: starts, x: stream(x), threads: threads)
      }
    }
    embeddingDropout(depth: 0, noise)?.apply(stream(x), threads: threads)
    let pass = pass(parameters, batch, noise)
    for (index, block) in blocks.enumerated() {
      block.forward(pass, x: x, adding: index > 0)
      x = arena[block.output]
    }
    finalNorm.forward(
      parameters, stream(x), adding: operand(arena[places.stream.delta]), sum: stream(arena[places.final]),
      y: operand(arena[places.hidden]), statistics: arena[places.finalScale])
  }

  /// What all operations of a pass share.
  func pass(_ parameters: ParameterView, _ batch: TokenRows, _ noise: RandomStream?) -> Pass {
    Pass(
      parameters: parameters, arena: arena, starts: starts(of: batch), noise: noise,
      partial: arena[places.stream.partial], measurement: measurement)
  }

  /// Turns the gradient at the stream after one block of the trunk into the one before it.
  /// - Parameter recomputes: whether another block has taken the place of what this one's forward left.
  func backward(block index: Int, _ batch: TokenRows, accumulates: Bool, noise: RandomStream?, recomputes: Bool) {
    let section = layout.blockSections[index]
    let accumulates = begin(section, accumulates: accumulates)
    blocks[index].backward(
      pass(parameters(leaving: section), batch, noise), accumulates: accumulates, recomputes: recomputes)
  }

  /// From the gradient at the stream before the first block to those of the tables, which shards add to in turn.
  /// - Parameters:
  ///   - all: the network's parameters, with its own gradients.
  ///   - threads: those that share out this work.
  func backwardTables(_ batch: TokenRows, noise: RandomStream?, into all: ParameterView, threads: Int) {
    let c = configuration
    let dx = stream(arena[places.stream.dx])
    embeddingDropout(depth: 0, noise)?.apply(dx, threads: threads)
    if let positions = layout.positions {
      StepPart.tables.measured(bytes: 4 * self.positions * c.width) {
        Embedding.backwardPositions(
          dx, context: c.context, starts: starts(of: batch), dTable: all.gradient(positions), threads: threads)
      }
    }
    backwardTable(dx, tokens: batch.read, batch, into: all, threads: threads)
  }

  /// Adds the gradient at embedded tokens to that of the table.
  /// - Parameter tokens: the first of what was embedded.
  func backwardTable(
    _ dx: Matrix, tokens: UnsafePointer<Int32>, _ batch: TokenRows, into all: ParameterView, threads: Int
  ) {
    StepPart.tables.measured(bytes: 12 * dx.rows * dx.columns) {
      Embedding.backward(
        dx, tokens: tokens, context: batch.context, stride: batch.stride, dTable: all.gradient(layout.embedding),
        threads: threads)
    }
  }

  /// Where the document of each position begins in its row: what attention sees and positions count from. Nil where every
  /// row is one document.
  /// - Parameter batch: the one that `forward` was given last.
  func starts(of batch: TokenRows) -> UnsafePointer<Int32>? {
    batch.documents == nil ? nil : UnsafePointer(allStarts)
  }

  private var allStarts: UnsafeMutablePointer<Int32> {
    UnsafeMutableRawPointer(arena[places.starts]).assumingMemoryBound(to: Int32.self)
  }

  private func fillStarts(_ batch: TokenRows) {
    guard let documents = batch.documents else { return }
    let context = configuration.context
    let starts = allStarts
    for row in 0..<batch.rows {
      var start = 0
      for t in 0..<context {
        let place = documents + row * batch.stride + t
        if t > 0 && place[0] != place[-1] { start = t }
        starts[row * context + t] = Int32(start)
      }
    }
  }

  /// Where embeddings are dropped from: those of the tokens themselves, and those that each sequential head takes in.
  func embeddingDropout(depth: Int, _ noise: RandomStream?) -> Dropout? {
    noise.map {
      Dropout(
        rate: configuration.dropout, random: $0.branch(UInt64.max - UInt64(depth)),
        firstRow: (configuration.firstRow + rows.lowerBound) * configuration.context)
    }
  }

  // MARK: Targets

  /// How many positions count for each head, in `counts`.
  func countPositions(_ batch: TokenRows) {
    StepPart.targets.measured { count(batch) }
  }

  private func count(_ batch: TokenRows) {
    for (head, objective) in configuration.objectives.enumerated() {
      var count = 0
      for row in 0..<batch.rows { count += objective.positions(in: batch[row]) }
      counts[head] = count
    }
  }

  func fillTargets(_ batch: TokenRows, stage: TargetStage?) {
    StepPart.targets.measured { fill(batch, stage) }
  }

  private func fill(_ batch: TokenRows, _ stage: TargetStage?) {
    let context = configuration.context
    for (head, objective) in configuration.objectives.enumerated() {
      let targets = targets[head]
      let entropy = entropy[head]
      Team.split(batch.rows, threads: threads) { _, rows in
        for row in rows {
          objective.fill(targets.from(row * context), entropy: entropy + row * context, row: batch[row], stage: stage)
        }
      }
    }
  }

  /// The final hidden state of one position of its rows, as floats.
  /// - Returns: [d].
  func hidden(position: Int) -> [Float] { hidden(at: arena[places.hidden], position: position) }

  func hidden(at place: UnsafeMutableRawPointer, position: Int) -> [Float] {
    let first = position * configuration.width
    return (0..<configuration.width).map { i in
      switch precision {
      case .fp32: place.assumingMemoryBound(to: Float.self)[first + i]
      case .bf16: Float(bitPattern: UInt32(place.assumingMemoryBound(to: UInt16.self)[first + i]) << 16)
      }
    }
  }
}
