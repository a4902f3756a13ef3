// Estimates a run's time before it begins: measures one block, a part of the heads and a part of the update at the recipe's own
// shapes, and multiplies. What only some steps have, such as a teacher, is measured by itself.
import Kernels
import Run
import Training
import Transformer

/// An estimate of the time of a run's step, by phase.
package struct Estimate: Sendable {
  /// Seconds of a step's phases: all blocks forward and backward (`blocks`), all heads with plain losses, the update.
  package var blocks = 0.0
  package var heads = 0.0
  package var update = 0.0
  /// Seconds in which a step's inputs are drawn; 0 where the text alone is read.
  package var drawing = 0.0
  /// What a step takes more in the first steps, whose next-token loss is not plain cross-entropy.
  package var shaping = FirstSteps()
  /// What it takes more while MTP heads learn alone: less than nothing, since fewer parameters are updated.
  package var alone = FirstSteps()
  /// Seconds of a step at the machine's limit (`MachineLimit`).
  package var products = 0.0
  /// Seconds that the measurement took.
  package var measuring = 0.0
  /// Steps of the run.
  package private(set) var steps = 1

  /// What the first steps of a run take more than the others.
  package struct FirstSteps: Sendable, Equatable {
    /// Seconds a step.
    package var seconds = 0.0
    /// How many steps.
    package var steps = 0

    /// Seconds in some of the run's steps.
    func duration(of range: Range<Int>) -> Double { seconds * Double(range.clamped(to: 0..<max(0, steps)).count) }
  }

  /// Seconds of a step, the mean over the run.
  package var step: Double { duration(of: 0..<steps) / Double(max(1, steps)) }

  /// Seconds of some of the run's steps.
  package func duration(of range: Range<Int>) -> Double {
    Double(range.count) * (blocks + heads + drawing + update) + shaping.duration(of: range) + alone.duration(of: range)
  }

  /// Positions measured at a time: enough for products to be as fast as in larger batches.
  private static let positions = 2048
  /// The number of elements of a measured unembedding.
  private static let unembedding = 8 << 20
  /// The time for repetitions in seconds.
  private static let patience = 0.6

  /// - Parameter steps: of the run, at least 1.
  init(steps: Int) { self.steps = steps }

  /// Measures the estimate.
  /// - Returns: nil if not even one block of the network fits into the available memory.
  /// - Throws: `TransformerError`, or `UserError` when the machine cannot compute.
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
    // JTP's heads go beside those of the trunk.
    var joint: Configuration?
    if let all = c.joint?.heads {
      joint = heads
      joint?.objectives += all.map { c.objectives[$0] }
    }
    // As many shards as in the network itself, so that the threads divide the work in the same way.
    let shards = network.shards.count
    let rows = max(shards, min(network.rows, Self.positions / c.context) / shards * shards)
    func workload(_ configuration: Configuration) -> Workload {
      Workload(
        name: "estimate", configuration: configuration, rows: rows, precision: network.precision, shards: shards,
        optimizer: plan.recipe.optimizer.kind)
    }
    for configuration in [block, heads, joint].compactMap({ $0 }) {
      let bytes = try NetworkPlan(
        configuration, rows: rows, precision: network.precision, threads: network.threads, shards: shards
      ).bytes
      if let memory, bytes > memory.available { return nil }
    }
    var result = Estimate(steps: plan.recipe.steps)
    let batches = Double(network.rows) / Double(rows) * Double(plan.recipe.batch.accumulation)
    result.measuring = try seconds {
      let one = try Self.measured(workload(block), threads: network.threads)
      let other = try Self.measured(
        workload(heads), threads: network.threads, stage: plan.recipe.shapedStage(vocabulary: heads.vocabulary),
        drawingFor: plan.drawing == nil ? nil : plan.recipe)
      let streams = Double(c.streams.count)
      let all = Double(c.blocks) + streams - 1
      // How sequential MTP heads take in the stream before them, at the speed of the blocks' products.
      let joined = 1 + network.joinedShare
      result.blocks = batches * all * (one.phases.forward + one.phases.backward) * joined
      let perStream = max(0, other.phases.heads + other.phases.data - one.phases.heads - one.phases.data)
      let grown = Double(c.vocabulary) / Double(heads.vocabulary)
      // Each further stream has one head.
      let unembeddings = 1 + (streams - 1) / Double(heads.objectives.count)
      result.heads = batches * (perStream * grown * unembeddings + one.phases.heads)
      result.products =
        batches * (one.products * all * joined + max(0, other.products - one.products) * grown * unembeddings)
      if let joint {
        let more = try Self.measured(workload(joint), threads: network.threads)
        // Fetch does not grow with the vocabulary.
        let count = Double(joint.objectives.count - heads.objectives.count)
        let unembedding = 6 * count * Double(joint.vocabulary * c.width)
        let scale = (unembedding * grown + joint.fetchOperations) / (unembedding + joint.fetchOperations)
        let (before, after) = (other.phases, more.phases)
        result.heads += batches * max(0, after.heads + after.data - before.heads - before.data) * scale
        result.products += batches * max(0, more.products - other.products) * scale
      }
      if plan.muon == nil {
        result.update =
          other.phases.update * Double(network.parameters.parameters) / Double(other.parameters)
      } else {
        // The update's time has a part for a block's matrices, and a part proportional to the number of other parameters.
        let rest = max(0, other.phases.update - one.phases.update) / Double(max(1, other.parameters - one.parameters))
        let outside = Double(network.parameters.parameters) - all * Double(one.parameters)
        result.update = all * one.phases.update + max(0, outside) * rest
      }
      result.shaping = FirstSteps(
        seconds: batches * max(0, other.shapedHeads - other.plainHeads) * grown
          + (plan.recipe.shapedSteps > 0 ? plan.secondsOfReadingTeacher ?? 0 : 0),
        steps: plan.recipe.shapedSteps)
      result.alone = plan.alone(update: result.update)
      if let drawn = other.drawing {
        // A pass forward, and tokens drawn from logits; and now and then the network is frozen.
        let sampling = max(0, drawn.drawing - other.phases.forward) * grown
        let parameters = Double(network.parameters.parameters) / Double(other.parameters)
        result.drawing =
          batches * (Double(c.blocks) * one.phases.forward + sampling)
          + drawn.freezing * parameters / Double(plan.recipe.data.drawn.every)
      }
      let tokens = Double(plan.recipe.tokensPerStep)
      let limit = MachineLimit(
        operationsPerSecond: tokens * ProductsAlone.operationsPerToken(c) / result.products,
        operationsPerToken: plan.operationsPerToken)
      result.products = limit.seconds(of: tokens)
    }
    self = result
  }

  /// The fastest of a few steps, as on an idle machine.
  private struct FastestStep {
    var phases = Stepper.PhaseTimes()
    /// Seconds of the heads with plain losses, and at the stage.
    var plainHeads = Double.infinity
    var shapedHeads = Double.infinity
    var products = Double.infinity
    var drawing: Stepper.DrawingTimes?
    var parameters = 0
  }

  /// - Parameters:
  ///   - stage: of steps with another next-token loss, which are measured too; nil where all are plain.
  ///   - recipe: draws inputs, which is measured too; nil where the text alone is read.
  private static func measured(
    _ workload: Workload, threads: Int, stage: TargetStage? = nil, drawingFor recipe: Recipe? = nil
  ) throws -> FastestStep {
    let stepper = try Stepper(workload, threads: threads)
    let alone = try ProductsAlone(workload, products: stepper.products)
    let drawing = try recipe.map { try stepper.drawing($0) }
    let share = recipe?.data.drawn.share ?? 0
    var best = FastestStep()
    best.parameters = stepper.parameters
    var isFirst = true
    var spent = 0.0
    var round = 0
    // The first round touches the memory and does not count, unless there is time for one round only.
    while round < 2 || (spent < patience && round < 20) {
      let phases = try stepper.step()
      let shaped = try stage == nil ? phases : stepper.step(stage: stage)
      let drawn = try drawing.map { try stepper.time($0, share: share) }
      let limit = seconds { alone.run() }
      try alone.requireSuccess()
      spent += phases.total(accumulation: 1) + limit + (drawn.map { $0.drawing + $0.freezing } ?? 0)
      if stage != nil { spent += shaped.total(accumulation: 1) }
      round += 1
      if round == 1 && spent < 4 * patience { continue }
      best.products = min(best.products, limit)
      if isFirst || phases.total(accumulation: 1) < best.phases.total(accumulation: 1) { best.phases = phases }
      best.plainHeads = min(best.plainHeads, phases.heads)
      best.shapedHeads = min(best.shapedHeads, shaped.heads)
      if let drawn { best.drawing = best.drawing.map { $0.fastest(drawn) } ?? drawn }
      isFirst = false
      if spent > 4 * patience { break }
    }
    return best
  }
}

extension Recipe {
  /// The stage of the first step, with made-up prefixes of tokens; nil where no step's next-token loss is shaped.
  fileprivate func shapedStage(vocabulary: Int) -> TargetStage? {
    guard shapedSteps > 0 else { return nil }
    let hasPrefixes = objective.next.prefix > 0
    return stage(at: 0, prefixes: hasPrefixes ? (0..<Int32(vocabulary)).map { $0 / 2 - 1 } : [])
  }
}

extension RunPlan {
  /// What steps take more in which MTP heads learn alone.
  /// - Parameter update: seconds in which all parameters are updated.
  fileprivate func alone(update: Double) -> Estimate.FirstSteps {
    let steps = min(recipe.steps, recipe.objective.mtp.heads > 1 ? recipe.objective.mtp.alone : 0)
    guard steps > 0 else { return Estimate.FirstSteps() }
    let own = network.parameters.tensors.filter(\.isOfFurtherHead).reduce(0) { $0 + $1.count }
    let held = 1 - Double(own) / Double(max(1, network.parameters.parameters))
    // Of each other parameter, the norm's 4 bytes are read and 4 bytes of zeros are written, but AdamW's 28 bytes are not touched.
    return Estimate.FirstSteps(seconds: -update * held * 24 / 32, steps: steps)
  }
}

extension NetworkPlan {
  /// Operations of the projections by which sequential MTP heads take in the stream before them, as a part of those of the blocks'
  /// linear layers; 0 without such heads.
  fileprivate var joinedShare: Double {
    guard configuration.multiToken == .sequential else { return 0 }
    func count(_ parts: Set<OperationPart>) -> Double {
      operations.reduce(0) { parts.contains($1.part) ? $0 + $1.count : $0 }
    }
    return (count([.joints]) - configuration.fetchOperations) / count([.projections, .feedForward])
  }
}
