// How long a recipe will take here, before it is begun: one block, a part of the heads and a part of the update are measured
// at the recipe's own shapes, and multiplied.
import Kernels
import Run
import Training
import Transformer

/// An estimate of a run's speed.
package struct Estimate: Sendable {
  /// Seconds of a step: all blocks forward and backward, all heads, the update.
  package var blocks: Double
  package var heads: Double
  package var update: Double
  /// The step's matrix products alone, seconds: those of linear layers as measured, attention's at their speed.
  package var products: Double
  /// Seconds that measuring took.
  package var measuring: Double

  package var step: Double { blocks + heads + update }

  /// Positions that are measured at a time: enough for products to run as they do in larger batches.
  private static let positions = 2048
  /// Numbers in an unembedding that is measured.
  private static let unembedding = 8 << 20
  /// Seconds that repeating may take.
  private static let patience = 0.6

  /// Measures.
  /// - Returns: nil where even one block of this network does not fit into the memory that is available.
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
    // In as many shards as the network itself, so that threads share out the work in the same way.
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
    var result = Estimate(blocks: 0, heads: 0, update: 0, products: 0, measuring: 0)
    let batches = Double(network.rows) / Double(rows) * Double(plan.recipe.batch.accumulation)
    result.measuring = try seconds {
      let one = try Self.measured(workload(block), threads: network.threads)
      let other = try Self.measured(workload(heads), threads: network.threads)
      let streams = Double(c.streams.count)
      let all = Double(c.blocks) + streams - 1
      result.blocks = batches * all * (one.phases.forward + one.phases.backward)
      let perStream = max(0, other.phases.heads + other.phases.data - one.phases.heads - one.phases.data)
      let grown = Double(c.vocabulary) / Double(heads.vocabulary)
      // Further streams have one head each.
      let unembeddings = 1 + (streams - 1) / Double(heads.objectives.count)
      result.heads = batches * (perStream * grown * unembeddings + one.phases.heads)
      if plan.muon == nil {
        result.update =
          other.phases.update * Double(network.parameters.parameters) / Double(other.parameters)
      } else {
        // What a block's matrices take grows with their shape, and the rest with the number of parameters.
        let rest = max(0, other.phases.update - one.phases.update) / Double(max(1, other.parameters - one.parameters))
        let outside = Double(network.parameters.parameters) - all * Double(one.parameters)
        result.update = all * one.phases.update + max(0, outside) * rest
      }
      result.products =
        batches * (one.products * all + max(0, other.products - one.products) * grown * unembeddings)
      result.products *= network.operationsPerToken / network.linearOperationsPerToken
    }
    self = result
  }

  private init(blocks: Double, heads: Double, update: Double, products: Double, measuring: Double) {
    self.blocks = blocks
    self.heads = heads
    self.update = update
    self.products = products
    self.measuring = measuring
  }

  /// The fastest of a few steps: what the machine does when nothing else runs.
  private static func measured(
    _ workload: Workload, threads: Int
  ) throws -> (phases: Stepper.PhaseTimes, products: Double, parameters: Int) {
    let stepper = try Stepper(workload, threads: threads)
    let alone = try ProductsAlone(workload, products: stepper.products)
    var best: Stepper.PhaseTimes?
    var products = Double.infinity
    var spent = 0.0
    var round = 0
    // The first round touches the memory and does not count, unless one round is all there is time for.
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
