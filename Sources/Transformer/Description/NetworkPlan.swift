// A network before it exists: its parameters, its memory and its arithmetic, from the shape alone. The network is allocated
// by the same plan, so that what is said beforehand is what is taken.
import Kernels
import Run

/// The uses of memory.
package enum MemoryPart: String, CaseIterable, Sendable {
  /// fp32 weights, their gradients and the optimizer's moments.
  case weights, gradients, moments
  /// Gradients that shards have of their own, until they are added up.
  case shares
  /// The weights in bf16, as operands of products.
  case operands
  /// What forward leaves for backward, by far the most where batches are large.
  case activations
  /// What a pass needs only while it runs; logits take the place of some of it between passes.
  case working
  /// Scores of attention, a tile a thread.
  case attention
  /// Logits of a chunk of positions and their gradients, as far as they need more than that place.
  case logits
  case targets
  /// Picks of memory layers in a step, from which the gradients of their tables are made.
  case picks
}

/// The memory and arithmetic that a network needs.
package struct NetworkPlan: Sendable {
  package let configuration: Configuration
  /// Rows of a micro-batch.
  package let rows: Int
  package let precision: Precision
  package let threads: Int
  package let isTrained: Bool
  package let parameters: ParameterLayout
  /// The rows that go through the network together: all of them, by the whole team, or as many parts as there are threads.
  package let shards: [Range<Int>]
  /// Threads that take one shard through.
  var threadsOfShard: Int { threads / shards.count }
  /// Positions whose logits exist at a time in a shard; nil chooses.
  let chunk: Int?
  /// One a shard.
  let activations: [ActivationLayout]
  /// What all shards share for memory layers; nil where there are none.
  let sharedMemory: SharedMemory?
  /// How many processes divide the optimizer's moments.
  package let momentShares: Int
  /// Processes that train this network together, each with as many rows of a micro-batch.
  package let ranks: Int

  /// - Parameters:
  ///   - rows: rows of `configuration.context` tokens in a micro-batch.
  ///   - chunk: positions whose logits exist at a time; nil chooses.
  ///   - shards: in how many parts rows go through: 1, or `threads` where there are as many rows; nil chooses.
  ///   - isTrained: false leaves gradients out, and blocks share their activations.
  ///   - optimizer: what updates the parameters, for which moments are kept.
  ///   - microBatches: of a step, whose picks of memory layers are kept until the update.
  ///   - momentShares: how many processes divide the optimizer's moments; each keeps one share of them.
  ///   - ranks: processes that train this network together, each with `rows` rows of a micro-batch.
  /// - Throws: `TransformerError.shape` when the shape does not work out.
  package init(
    _ configuration: Configuration, rows: Int, precision: Precision, threads: Int, chunk: Int? = nil,
    shards: Int? = nil, isTrained: Bool = true, optimizer: OptimizerKind = .adamw, microBatches: Int = 1,
    momentShares: Int = 1, ranks: Int = 1
  ) throws {
    try configuration.check()
    guard rows >= 1, threads >= 1 else {
      throw TransformerError.shape("a batch needs at least one row and one thread, not \(rows) and \(threads)")
    }
    precondition(
      shards.map { $0 == 1 || $0 == threads && $0 <= rows } ?? true,
      "there is one shard of all threads, or one of at least a row for each thread")
    let parameters = ParameterLayout(configuration.shape, optimizer: optimizer)
    // Picks of memory layers are those of all processes: see `pickRecordBlocks`.
    let positions = isTrained ? microBatches * ranks * rows * configuration.context : 0
    if let picks = configuration.memory?.picks, positions > Int(Int32.max) / picks {
      throw TransformerError.shape(
        "a step of \(positions) tokens picks \(picks) rows a token of each memory layer, more than can be counted: make "
          + "batch.rows, batch.accumulation or model.memory.top smaller")
    }
    sharedMemory = parameters.memory.map {
      SharedMemory($0, precision: precision, positions: positions, threads: threads)
    }
    let isWorthwhile = Self.isWorthwhile(rows: rows, threads: threads, parameters, isTrained: isTrained)
    let count = shards ?? (isWorthwhile ? threads : 1)
    let all = (0..<count).map { Team.share(of: rows, worker: $0, threads: count) }
    self.configuration = configuration
    self.rows = rows
    self.precision = precision
    self.threads = threads
    self.isTrained = isTrained
    self.momentShares = momentShares
    self.ranks = ranks
    self.parameters = parameters
    self.shards = all
    self.chunk = chunk
    activations = all.enumerated().map { index, rows in
      ActivationLayout(
        BranchRoom(
          configuration: configuration, rows: rows.count, precision: precision, isTrained: isTrained,
          threads: threads / count),
        chunk: chunk, gradients: isTrained && index > 0 ? parameters.largestSections : nil, sharers: count)
    }
  }

  /// Whether each thread had better have its own rows: where no thread waits long for the one with most, and the gradients
  /// that they have of their own take no more than what the parameters, with gradients and moments, take anyway.
  private static func isWorthwhile(rows: Int, threads: Int, _ parameters: ParameterLayout, isTrained: Bool) -> Bool {
    let most = (rows + threads - 1) / threads
    let (heads, block) = parameters.largestSections
    let copies = isTrained ? (threads - 1) * (heads + block) : 0
    return threads <= rows && Double(most * threads) <= 1.04 * Double(rows) && copies <= 4 * parameters.stored
  }

  /// Bytes by what they are for, in the order of `MemoryPart`; parts that are empty are left out.
  package var memory: [(part: MemoryPart, bytes: Int)] {
    let own = Parameters.memory(
      parameters, precision: precision, isTrained: isTrained, shared: sharedMemory, momentShares: momentShares)
    let all = activations.reduce(into: own) { $0.merge($1.arena.parts, uniquingKeysWith: +) }
    return MemoryPart.allCases.compactMap { part in all[part].map { (part, $0) } }.filter { $0.bytes > 0 }
  }

  /// Bytes in all.
  package var bytes: Int { memory.reduce(0) { $0 + $1.bytes } }
}

/// The parts of the network that do arithmetic.
package enum OperationPart: String, CaseIterable, Sendable {
  /// Queries, keys, values and the way out of attention.
  case projections
  /// Queries · keys and weights · values over half the context, as a causal mask needs it.
  case scores
  case feedForward
  /// How sequential MTP heads take in the stream before them, and Fetch coming tokens.
  case joints
  /// Memory layers: queries, scores and picked values.
  case memory
  /// The unembeddings.
  case heads
}

extension NetworkPlan {
  /// Floating-point operations of a token, forward and backward, by what they are for: those that the mathematics needs,
  /// without what is computed twice to save memory.
  package var operations: [(part: OperationPart, count: Double)] {
    let c = configuration
    var counts: [OperationPart: Double] = [:]
    /// A product forward and two backward, a multiplication and an addition each.
    func add(_ weights: Int, _ part: OperationPart) { counts[part, default: 0] += 6 * Double(weights) }
    for tensor in parameters.tensors where tensor.isMatrix {
      if let part = OperationPart(tensor.description.role) { add(tensor.count, part) }
    }
    for stream in c.streams { add(stream.count * c.vocabulary * c.width, .heads) }
    if let joint = c.joint {
      add(joint.heads.count * c.vocabulary * c.width, .heads)
      counts[.joints, default: 0] += c.fetchOperations
    }
    let blocks = c.blocks + c.streams.count - 1
    add(blocks * Attention.scoreWeights(c), .scores)
    if let memory = parameters.memory {
      let shape = memory.shape
      add(memory.layers.count * shape.picks * shape.rowWidth, .memory)
      // The pairs of candidates, which have no way back.
      counts[.memory, default: 0] += Double(
        memory.layers.count * shape.heads * 2 * shape.candidates * shape.candidates * shape.rank)
    }
    return OperationPart.allCases.compactMap { part in counts[part].map { (part, $0) } }
  }

  /// All of them.
  package var operationsPerToken: Double { operations.reduce(0) { $0 + $1.count } }

  /// Those of linear layers and unembeddings: all but attention's scores and what they weigh, and memory layers.
  package var linearOperationsPerToken: Double {
    operations.reduce(0) { $1.part == .scores || $1.part == .memory ? $0 : $0 + $1.count }
  }

  /// Trained parameters by what they are for.
  package var parametersByPart: [(part: ParameterLayout.Part, count: Int)] {
    ParameterLayout.Part.allCases.map { part in
      (part, parameters.tensors.filter { $0.part == part && $0.description.isTrained }.reduce(0) { $0 + $1.count })
    }.filter { $0.1 > 0 }
  }
}

extension ParameterLayout {
  /// The parts of the network that have parameters.
  package enum Part: String, CaseIterable, Sendable { case embedding, blocks, multiTokenHeads, heads, tables }
}

extension PlacedTensor {
  /// Blocks have the final norm too; a tied embedding is an embedding, and so are learned positions.
  package var part: ParameterLayout.Part {
    switch (description.section, description.role) {
    case (.furtherHead, _): .multiTokenHeads
    case (_, .embedding), (_, .positions): .embedding
    case (_, .unembedding): .heads
    case (_, .fetchIn), (_, .fetchOut): .multiTokenHeads
    case (.memory, _): .tables
    default: .blocks
    }
  }
}

extension OperationPart {
  /// The part of a matrix that every token is multiplied with; nil for tables and for the unembeddings, which some tokens are
  /// multiplied with more than once.
  fileprivate init?(_ role: TensorRole) {
    switch role {
    case .attentionIn, .attentionOut: self = .projections
    case .feedForwardIn, .feedForwardOut: self = .feedForward
    case .joint: self = .joints
    case .memoryQuery, .memoryKeys, .memoryIn, .memoryOut: self = .memory
    // Fetch's are used as often as `fetchOperations` says.
    case .fetchIn, .fetchOut: return nil
    case .embedding, .positions, .norm, .bias, .unembedding, .memoryCores, .memoryFilter, .memoryTable: return nil
    }
  }
}
