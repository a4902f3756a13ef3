// A network that takes whole training steps on a made-up batch and measures each phase.
import Corpus
import Kernels
import Run
import Training
import Transformer

final class Stepper {
  /// The seconds of a step's phases; all except `update` are those of one micro-batch.
  struct PhaseTimes {
    var data = 0.0
    var forward = 0.0
    var heads = 0.0
    var backward = 0.0
    var update = 0.0

    /// The seconds of a step with `accumulation` micro-batches.
    func total(accumulation: Int) -> Double { Double(accumulation) * (data + forward + heads + backward) + update }
  }

  /// Seconds of what comes before a micro-batch whose inputs the network draws.
  struct DrawingTimes {
    var drawing: Double
    /// The network is frozen anew.
    var freezing: Double

    func fastest(_ other: DrawingTimes) -> DrawingTimes {
      DrawingTimes(drawing: min(drawing, other.drawing), freezing: min(freezing, other.freezing))
    }
  }

  let workload: Workload
  private let model: Transformer
  private let optimizer: Optimizer
  private let tokens: [Int32]
  private let stride: Int
  /// A made-up teacher's predictions, [rows, T, k] each; nil where no objective has a teacher.
  private let teacher: (tokens: FixedArray<Int32>, weights: FixedArray<Float>, count: Int)?
  private var steps = 0
  /// What the heads lost in the last step.
  private(set) var sums: [LossSum] = []

  /// The products of the whole team, for measurements beside the steps.
  let products: Products
  var parameters: Int { model.parameters.layout.parameters }
  /// Floating-point operations of the products in an update.
  var updateOperations: Double { optimizer.operations }

  init(_ workload: Workload, threads: Int) throws {
    // If a thread cannot be made, libgomp would end the program.
    try Team.require(threads)
    let configuration = workload.configuration
    self.workload = workload
    model = try Transformer(
      NetworkPlan(
        configuration, rows: workload.rows, precision: workload.precision, threads: threads, shards: workload.shards,
        optimizer: workload.optimizer))
    var settings = Recipe().optimizer
    settings.kind = workload.optimizer
    optimizer = try Optimizer(settings, for: model)
    products = try Products(threads: threads)
    model.parameters.initialize(seed: 1, deviation: 0.02, threads: threads)
    stride = configuration.context + (configuration.objectives.map(\.lookahead).max() ?? 1)
    let tokens = Workload.tokens(workload.rows * stride, below: configuration.vocabulary)
    self.tokens = tokens
    let count = configuration.objectives.map(\.teacherTokens).max() ?? 0
    let predictions = workload.positions * count
    guard predictions > 0 else {
      teacher = nil
      return
    }
    let likeliest = FixedArray<Int32>(repeating: 0, count: predictions)
    // The tokens of a position are distinct.
    for place in 0..<predictions {
      likeliest.start[place] = (tokens[place / count] + Int32(place % count)) % Int32(configuration.vocabulary)
    }
    teacher = (likeliest, FixedArray(repeating: 0.9 / Float(count), count: predictions), count)
  }

  /// Trains on one micro-batch and makes one update.
  /// - Parameter stage: of a run, for losses that change with it.
  /// - Throws: `UserError` if a product failed, which makes the measurement useless.
  func step(stage: TargetStage? = nil) throws(UserError) -> PhaseTimes {
    var phases = PhaseTimes()
    let heads = workload.configuration.objectives.count
    let weights = [Float](repeating: 1, count: heads)
    var sums = [LossSum](repeating: LossSum(), count: heads)
    tokens.withUnsafeBufferPointer { tokens in
      let batch = TokenRows(
        tokens: tokens.baseAddress!, rows: workload.rows, context: workload.configuration.context, stride: stride,
        teacher: teacher.map {
          TokenRows.TeacherView(
            tokens: UnsafePointer($0.tokens.start), weights: UnsafePointer($0.weights.start), count: $0.count)
        })
      var counts = [Int](repeating: 0, count: heads)
      phases.data = seconds { model.countPositions(batch, into: &counts) }
      phases.forward = seconds { model.forward(batch) }
      phases.heads = seconds {
        model.heads(batch, weights: weights, denominators: counts, accumulates: false, stage: stage, into: &sums)
      }
      phases.backward = seconds { model.backward(batch, accumulates: false) }
      phases.update = seconds {
        optimizer.update(model, norm: model.gradientNorm(), rate: 1e-4, step: steps)
      }
    }
    steps += 1
    self.sums = sums
    if let failure = model.failure ?? optimizer.failure { throw UserError(failure) }
    return phases
  }

  // MARK: Drawn inputs

  /// What draws the inputs of the workload's rows.
  /// - Parameter recipe: says how; its network may have more blocks and another vocabulary.
  /// - Throws: `UserError` when memory is short.
  func drawing(_ recipe: Recipe) throws -> Drawing {
    let c = workload.configuration
    var own = recipe
    own.objective = Recipe().objective
    own.objective.top = 0
    (own.model.blocks, own.model.tied) = (c.blocks, c.isTied)
    (own.batch.rows, own.batch.accumulation) = (workload.rows, 1)
    // Freezing is measured by itself.
    own.data.drawn.every = .max
    return try Drawing(own, vocabulary: c.vocabulary, threads: model.threads, lookahead: stride - c.context)
  }

  /// Draws the inputs of one micro-batch.
  /// - Parameter share: of the tokens.
  /// - Throws: `UserError` if a product failed.
  func time(_ drawing: Drawing, share: Double) throws -> DrawingTimes {
    let freezing = seconds { drawing.begin(with: model, from: nil) }
    let c = workload.configuration
    let drawn = try tokens.withUnsafeBufferPointer { tokens in
      let batch = Batch(
        rows: workload.rows, filledRows: workload.rows, context: c.context, lookahead: stride - c.context,
        tokens: tokens.baseAddress!, documents: nil, mask: nil)
      return try seconds { try drawing.draw(batch, at: 1, share: share, model) }
    }
    return DrawingTimes(drawing: drawn, freezing: freezing)
  }
}
