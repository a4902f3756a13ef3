// Estimates a run's time before it begins: measures one block, a part of the heads and a part of the update at the recipe's own
// shapes, and multiplies.
import Kernels
import Run
import Training
import Transformer

/// An estimate of the time of a run's step, by phase.
package struct Estimate: Sendable {
  /// Seconds of a step's phases: all blocks forward and backward (`blocks`), all heads, the update.
  package var blocks = 0.0
  package var heads = 0.0
  package var update = 0.0
  /// Seconds of a step at the machine's limit (`MachineLimit`).
  package var products = 0.0
  /// Seconds that the measurement took.
  package var measuring = 0.0

  package var step: Double { blocks + heads + update }

  /// Positions measured at a time: enough for products to be as fast as in larger batches.
  private static let positions = 2048
  /// The number of elements of a measured unembedding.
  private static let unembedding = 8 << 20
  /// The time for repetitions in seconds.
  private static let patience = 0.6

  private init() {}

  /// Measures the estimate.
  /// - Returns: nil if not even one block of the network fits into the available memory.
  /// - Throws: `TransformerError`.
  package init?(_ plan: RunPlan, memory: MachineMemory?) throws {
    let network = plan.network
    let c = network.configuration
    var block = c
    block.blocks = 1
    block.objectives = [.nextToken(NextToken())]
    block.multiToken = nil
    block.isTied = false
    block.vocabulary = 64
    var heads = block
    heads.objectives = c.streams[0].map { c.objectives[$0] }
    heads.vocabulary = min(c.vocabulary, max(64, Self.unembedding / c.width))
    // As many shards as in the network itself, so that the threads divide the work in the same way.
    let shards = network.shards.count
    let rows = max(shards, min(network.rows, Self.positions / c.context) / shards * shards)
    func workload(_ configuration: Configuration) -> Workload {
      Workload(
        name: "estimate", configuration: configuration, rows: rows, precision: network.precision, shards: shards,
        optimizer: plan.recipe.optimizer.kind)
    }
    for configuration in [block, heads] {
      let bytes = try NetworkPlan(
        configuration, rows: rows, precision: network.precision, threads: network.threads, shards: shards
      ).bytes
      if let memory, bytes > memory.available { return nil }
    }
    var result = Estimate()
    let batches = Double(network.rows) / Double(rows) * Double(plan.recipe.batch.accumulation)
    result.measuring = try seconds {
      let one = try Self.measured(workload(block), threads: network.threads)
      let other = try Self.measured(workload(heads), threads: network.threads)
      let streams = Double(c.streams.count)
      let all = Double(c.blocks) + streams - 1
      // Inputs are drawn after one pass forward more.
      let forwards = plan.drawing == nil ? 1.0 : 2
      result.blocks = batches * all * (forwards * one.phases.forward + one.phases.backward)
      let perStream = max(0, other.phases.heads + other.phases.data - one.phases.heads - one.phases.data)
      let grown = Double(c.vocabulary) / Double(heads.vocabulary)
      // Each further stream has one head, and so has each of JTP's; Fetch counts as unembeddings of as many operations.
      let joint = c.joint.map { Double($0.heads.count) + c.fetchOperations / (6 * Double(c.vocabulary * c.width)) } ?? 0
      let unembeddings = 1 + (streams - 1 + joint) / Double(heads.objectives.count)
      result.heads = batches * (perStream * grown * unembeddings + one.phases.heads)
      if plan.muon == nil {
        result.update =
          other.phases.update * Double(network.parameters.parameters) / Double(other.parameters)
      } else {
        // The update's time has a part for a block's matrices, and a part proportional to the number of other parameters.
        let rest = max(0, other.phases.update - one.phases.update) / Double(max(1, other.parameters - one.parameters))
        let outside = Double(network.parameters.parameters) - all * Double(one.parameters)
        result.update = all * one.phases.update + max(0, outside) * rest
      }
      result.products =
        batches * (one.products * all + max(0, other.products - one.products) * grown * unembeddings)
      let tokens = Double(plan.recipe.tokensPerStep)
      let limit = MachineLimit(
        operationsPerSecond: tokens * ProductsAlone.operationsPerToken(c) / result.products,
        operationsPerToken: plan.operationsPerToken)
      result.products = limit.seconds(of: tokens)
    }
    self = result
  }

  /// The fastest of a few steps, as on an idle machine.
  private static func measured(
    _ workload: Workload, threads: Int
  ) throws -> (phases: Stepper.PhaseTimes, products: Double, parameters: Int) {
    let stepper = try Stepper(workload, threads: threads)
    let alone = try ProductsAlone(workload, products: stepper.products)
    var best: Stepper.PhaseTimes?
    var products = Double.infinity
    var spent = 0.0
    var round = 0
    // The first round touches the memory and does not count, unless there is time for one round only.
    while round < 2 || (spent < patience && round < 20) {
      let phases = try stepper.step()
      let limit = seconds { alone.run() }
      try alone.requireSuccess()
      spent += phases.total(accumulation: 1) + limit
      round += 1
      if round == 1 && spent < 4 * patience { continue }
      products = min(products, limit)
      if best.map({ phases.total(accumulation: 1) < $0.total(accumulation: 1) }) ?? true { best = phases }
      if spent > 4 * patience { break }
    }
    return (best ?? Stepper.PhaseTimes(), products, stepper.parameters)
  }
}
