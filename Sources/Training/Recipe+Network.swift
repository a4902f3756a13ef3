// From a recipe to a network: translates the types of Run into those of Transformer.
import Corpus
import Kernels
import Run
import Transformer

extension Recipe {
  /// The network that this recipe describes, for a vocabulary of that size.
  package func configuration(vocabulary: Int) -> Configuration {
    Configuration(
      size(vocabulary: vocabulary), ropeTheta: model.ropeTheta, epsilon: Float(model.normEpsilon),
      dropout: Float(model.dropout), recomputesBlocks: model.recompute == .block,
      objectives: heads.map { .init($0, in: self) },
      multiToken: hasMultiToken ? (objective.mtp.kind == .parallel ? .parallel : .sequential) : nil)
  }

  /// True if the network has MTP heads.
  private var hasMultiToken: Bool { heads.contains(where: \.hasBlock) }

  /// The number of tokens that a row needs after its context: TOP's window, or one for NTP.
  package var lookahead: Int {
    max(objective.mtp.heads, heads.map { $0.lookahead(in: self) }.max() ?? 1)
  }

  /// Factor on the initial standard deviation of the branches' output projections.
  package var residualScale: Double {
    model.scaledResiduals ? 1 / Double(2 * model.blocks).squareRoot() : 1
  }

  /// TOP's window W, in tokens.
  fileprivate var window: Int { objective.window > 0 ? objective.window : model.context }

  /// λ of each head, in the order of `heads`.
  var weights: [Float] {
    heads.map { Float(weight(of: $0)) }
  }

  /// The precision that `precision` selects on this CPU.
  /// - Throws: `UserError` when bf16 is asked for and the CPU does not have it.
  package func operandPrecision() throws -> Kernels.Precision {
    switch precision {
    case .fp32: return .fp32
    case .auto: return Machine.hasBF16 ? .bf16 : .fp32
    case .bf16:
      guard Machine.hasBF16 else {
        throw UserError(
          .unavailable,
          "precision: bf16 needs a CPU with AVX512_BF16 or AMX, and this one has neither: use auto or fp32")
      }
      return .bf16
    }
  }
}

extension Recipe {
  /// Allocates the network of this recipe, with the weights of a checkpoint or uninitialised.
  /// - Parameters:
  ///   - firstRow: the number in a micro-batch of the first row that the network takes.
  ///   - owned: ranges whose moments are kept here, where other processes keep the others; nil for all.
  ///   - ranks: processes that train the network together, each with `rows` rows.
  /// - Throws: `UserError` when the recipe's numbers do not describe a network, or memory is short.
  func network(
    vocabulary: Int, rows: Int, firstRow: Int = 0, threads: Int, isTrained: Bool, from checkpoint: Checkpoint?,
    momentShares: Int = 1, owning owned: [Range<Int>]? = nil, ranks: Int = 1
  ) throws -> Transformer {
    try Team.require(threads)
    do {
      var configuration = configuration(vocabulary: vocabulary)
      configuration.firstRow = firstRow
      let network = try Transformer(
        NetworkPlan(
          configuration, rows: rows, precision: try operandPrecision(), threads: threads,
          isTrained: isTrained, optimizer: optimizer.kind, microBatches: isTrained ? batch.accumulation : 1,
          momentShares: momentShares, ranks: ranks))
      if let checkpoint { try network.restore(checkpoint, momentsIn: owned) }
      return network
    } catch let error as TransformerError {
      throw UserError(error)
    }
  }
}

extension Team {
  /// Checks that the machine allows so many threads: libgomp would end the program if it could not make one.
  /// - Throws: `UserError` that names the limit.
  package static func require(_ threads: Int) throws(UserError) {
    try WorkerThread.require(
      threads - 1, for: "computing with \(threads) threads", orElse: "take fewer with --threads")
  }
}

extension Head {
  /// The number of tokens that the head looks ahead of a position.
  fileprivate func lookahead(in recipe: Recipe) -> Int { Objective(self, in: recipe).lookahead }
}

extension Objective {
  /// The objective of a head, with the recipe's settings.
  init(_ head: Head, in recipe: Recipe) {
    switch head.kind.target {
    case .token(let distance):
      let isShaped = head == .ntp && recipe.shapesNextToken
      let teacher = recipe.objective.teacher
      self = .nextToken(
        NextToken(
          distance: distance, unembedding: head.kind.tensorName, ahead: isShaped ? recipe.objective.next.ahead : 1,
          isShaped: isShaped, teacherTokens: isShaped && teacher.isThere ? teacher.top : 0))
    case .furtherToken: self = .nextToken(NextToken(distance: head.number))
    case .order:
      self = .tokenOrder(
        TokenOrder(
          window: recipe.window, temperature: Float(recipe.objective.temperature),
          semantics: TokenOrder.Semantics(recipe.objective.semantics)))
    case .discountedFuture:
      self = .discountedFuture(DiscountedFuture(discount: Float(recipe.objective.discount)))
    case .bag: self = .bag(BagOfTokens(window: recipe.objective.bagWindow))
    case .jointToken:
      self = .jointToken(
        JointToken(
          distance: head.number, gamma: Float(recipe.objective.jtp.gamma),
          learnsEmbeddings: recipe.objective.jtp.embeddings))
    }
  }
}

extension TokenOrder.Semantics {
  init(_ semantics: Recipe.ObjectiveSettings.OrderSemantics) {
    switch semantics {
    case .standard: self = .standard
    case .algorithm1: self = .algorithm1
    case .float16Scores: self = .float16Scores
    }
  }
}

extension Precision {
  /// `fp32`, `bf16`.
  package var name: String { self == .fp32 ? "fp32" : "bf16" }
}

extension UserError {
  /// A network's error as an error for the user.
  package init(_ error: TransformerError) {
    switch error {
    case .shape(let sentence): self.init(.usage, sentence)
    case .memory: self.init(.unavailable, error.description)
    case .kernels(let sentence): self.init(.unavailable, sentence)
    }
  }
}

extension TokenRows {
  /// The rows of a batch from `first` on, as the input of the network.
  /// - Parameters:
  ///   - drawn: what is read in the place of tokens, of the whole batch.
  ///   - teacher: of the whole batch.
  init(_ batch: Batch, first: Int = 0, count: Int? = nil, drawn: DrawnInputs? = nil, teacher: TeacherView? = nil) {
    self.init(
      tokens: batch.tokens + first * batch.stride, rows: count ?? batch.rows, context: batch.context,
      stride: batch.stride, documents: batch.documents.map { $0 + first * batch.stride },
      mask: (drawn?.mask ?? batch.mask).map { $0 + first * batch.stride },
      inputs: drawn.map { $0.tokens + first * batch.stride },
      teacher: teacher?.from(first * batch.context))
  }
}
