// A network that takes whole training steps on a made-up batch, each phase with its time.
import Kernels
import Run
import Training
import Transformer

final class Stepper {
  /// Seconds of a step's phases.
  struct PhaseTimes {
    var data = 0.0
    var forward = 0.0
    var heads = 0.0
    var backward = 0.0
    var update = 0.0

    /// Of a step with so many micro-batches.
    func total(accumulation: Int) -> Double { Double(accumulation) * (data + forward + heads + backward) + update }
  }

  let workload: Workload
  private let model: Transformer
  private let optimizer: Optimizer
  private let tokens: [Int32]
  private let stride: Int
  private var steps = 0

  /// The whole team's, for what is measured beside the steps.
  let products: Products
  var parameters: Int { model.parameters.layout.parameters }
  /// Floating-point operations of an update's products.
  var updateOperations: Double { optimizer.operations }

  init(_ workload: Workload, threads: Int) throws {
    // libgomp would end the program with a line of its own.
    try Team.require(threads)
    let configuration = workload.configuration
    self.workload = workload
    model = try Transformer(
      configuration, rows: workload.rows, precision: workload.precision, threads: threads, shards: workload.shards,
      optimizer: workload.optimizer)
    var settings = Recipe().optimizer
    settings.kind = workload.optimizer
    optimizer = try Optimizer(settings, for: model)
    products = try Products(threads: threads)
    model.parameters.initialize(seed: 1, deviation: 0.02, threads: threads)
    stride = configuration.context + (configuration.objectives.map(\.lookahead).max() ?? 1)
    tokens = Workload.tokens(workload.rows * stride, below: configuration.vocabulary)
  }

  /// One micro-batch and one update.
  /// - Throws: `UserError` when a product failed: what was measured then is of no use.
  func step() throws(UserError) -> PhaseTimes {
    var phases = PhaseTimes()
    let heads = workload.configuration.objectives.count
    let weights = [Float](repeating: 1, count: heads)
    var sums = [LossSum](repeating: LossSum(), count: heads)
    tokens.withUnsafeBufferPointer { tokens in
      let batch = TokenRows(
        tokens: tokens.baseAddress!, rows: workload.rows, context: workload.configuration.context, stride: stride)
      var counts = [Int](repeating: 0, count: heads)
      phases.data = seconds { model.countPositions(batch, into: &counts) }
      phases.forward = seconds { model.forward(batch) }
      phases.heads = seconds {
        model.heads(batch, weights: weights, denominators: counts, accumulates: false, into: &sums)
      }
      phases.backward = seconds { model.backward(batch, accumulates: false) }
      phases.update = seconds {
        optimizer.update(model, norm: model.gradientNorm(), rate: 1e-4, step: steps)
      }
    }
    steps += 1
    if let failure = model.failure ?? optimizer.failure { throw UserError(failure) }
    return phases
  }
}
