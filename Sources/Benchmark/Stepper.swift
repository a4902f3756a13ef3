// A network that takes whole training steps on a made-up batch and measures each phase.
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

  let workload: Workload
  private let model: Transformer
  private let optimizer: Optimizer
  private let tokens: [Int32]
  private let stride: Int
  private var steps = 0

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
    tokens = Workload.tokens(workload.rows * stride, below: configuration.vocabulary)
  }

  /// Trains on one micro-batch and makes one update.
  /// - Throws: `UserError` if a product failed, which makes the measurement useless.
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
