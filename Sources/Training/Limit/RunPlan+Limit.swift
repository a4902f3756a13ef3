// The machine's limit for a run, measured in an instant between two steps: the answer to `limit`.
import Kernels
import Run
import Transformer

extension RunPlan {
  /// FLOPs of a token in training: those of the network, and those that draw inputs.
  package var operationsPerToken: Double { network.operationsPerToken + drawingOperations }

  /// Seconds that the measurement takes at most, but for its last product.
  private static let patience = 0.2
  /// Positions and weights of a product at most: enough for products to be as fast as larger ones.
  private static let mostPositions = 2048
  private static let mostWeights = 2 << 20
  /// Rounds at most: a small network's products are not measured thousands of times.
  private static let mostRounds = 50
  /// More bytes than the operands of such products have.
  private static let mostBytes = 128 << 20

  /// Measures the limit with the plan's threads, in memory of its own: neither the weights nor the random state change. The
  /// products of larger layers come first; those for which there is no time count at the mean speed of the others.
  /// - Throws: `UserError` when memory is short, or oneDNN fails.
  package func measuredLimit() throws(UserError) -> MachineLimit {
    if let memory = MachineMemory.current, memory.available < Self.mostBytes {
      throw UserError(
        .unavailable,
        "measuring the limit needs up to \(Figure.bytes(Self.mostBytes)) of memory, and \(Figure.bytes(memory.available)) are "
          + "available")
    }
    do {
      return MachineLimit(operationsPerSecond: try productSpeed(), operationsPerToken: operationsPerToken)
    } catch {
      throw UserError(error, .unavailable, while: "measuring the limit")
    }
  }

  /// FLOP/s of the linear layers' products, each as often as a step computes it, by the fastest of its runs.
  private func productSpeed() throws -> Double {
    let start = ContinuousClock.now
    let alone = try ProductsAlone(
      network.configuration, positions: min(network.rows * network.configuration.context, Self.mostPositions),
      precision: network.precision, products: Products(threads: network.threads), mostWeights: Self.mostWeights)
    let order = alone.runs.indices.sorted { alone.runs[$0].allOperations > alone.runs[$1].allOperations }
    var fastest = alone.runs.map { $0.products.map { _ in Double.infinity } }
    var watch = Stopwatch()
    measuring: for _ in 0..<Self.mostRounds {
      for index in order {
        for (place, product) in alone.runs[index].products.enumerated() {
          _ = watch.lap()
          alone.run(product)
          fastest[index][place] = min(fastest[index][place], watch.lap())
          if ContinuousClock.now - start > .seconds(Self.patience) { break measuring }
        }
      }
    }
    try alone.requireSuccess()
    var (operations, seconds) = (0.0, 0.0)
    for (run, times) in zip(alone.runs, fastest) {
      // What was measured is as often in a step.
      let count = run.allOperations / run.operations
      for (product, time) in zip(run.products, times) where time.isFinite {
        operations += count * product.operations
        seconds += count * time
      }
    }
    return operations / seconds
  }
}

extension Trainer {
  /// Answers a `limit` request. Call this between two steps only.
  func measureLimit(for request: Request, _ outlets: Outlets) {
    guard ranked == nil else {
      return refuse(
        request, "the limit of several ranks is not measured: “foretop bench --only limit” measures one machine",
        outlets)
    }
    do {
      let plan = try RunPlan(recipe, vocabulary: corpus.tokenizer.vocabulary, threads: model.threads)
      let limit = try plan.measuredLimit()
      outlets.report(
        .occurred(
          Occurrence(
            .notice, step: state.step, time: wallTime(), key: request.command.word, new: limit.tokensPerSecond,
            actor: request.actor, request: request.id, text: limit.line)))
    } catch {
      refuse(request, UserError(error, while: "measuring the limit").message, outlets)
    }
  }
}
