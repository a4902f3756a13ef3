// The trainer: one owner of network, data position and clock. The step is the story; what happens around it is in
// Trainer+Run.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

/// Trains one network on one corpus.
package struct Trainer: ~Copyable {
  package let recipe: Recipe
  package let corpus: Corpus
  let name: String
  let model: Transformer
  let optimizer: Optimizer
  let probes: Probes?
  private let dropoutStream: RandomStream
  var batches: Batches
  var state: TrainerState
  var isPaused = false
  /// Whether the program makes it wait: the disk does not take what it has.
  var isHeld = false
  /// What was last handed over to be saved.
  var savedState: TrainerState?
  /// Whether the next step is the only one before a pause.
  var isPausedAfterStep = false
  /// The probe that is shown, and what was seen at all probes when they were last looked at.
  var probe = 0
  var orderSamples: [OrderSample] = []

  /// Allocates everything, and takes weights and moments from the checkpoint or makes new ones.
  /// - Parameters:
  ///   - checkpoint: what to go on from; nil begins at step 0.
  ///   - name: of the run, for its screen.
  /// - Throws: `UserError` when the recipe does not make a network, the CPU or its memory do not suffice, or the
  ///   checkpoint is of another network.
  package init(recipe: Recipe, corpus: Corpus, from checkpoint: Checkpoint?, threads: Int, name: String) throws {
    if let memory = Machine.memory {
      try RunPlan(recipe, vocabulary: corpus.tokenizer.vocabulary, threads: threads).check(memory)
    }
    let model = try recipe.network(
      vocabulary: corpus.tokenizer.vocabulary, rows: recipe.batch.rows, threads: threads, isTrained: true,
      from: checkpoint)
    if let checkpoint {
      state = checkpoint.state
      state.threads = threads
    } else {
      model.parameters.initialize(
        seed: recipe.seed, deviation: recipe.model.deviation, residualScale: recipe.residualScale, threads: threads)
      state = TrainerState(seed: recipe.seed, threads: threads)
    }
    self.recipe = recipe
    self.corpus = corpus
    self.name = name
    optimizer = Optimizer(recipe.optimizer)
    probes = Probes(corpus.heldOut, recipe: recipe, configuration: model.configuration)
    batches = Batches(
      of: corpus.training, rows: recipe.batch.rows * recipe.batch.accumulation, context: recipe.model.context,
      lookahead: recipe.lookahead, seed: recipe.seed, window: state.window)
    dropoutStream = RandomStream(seed: recipe.seed, purpose: "dropout")
    self.model = model
  }

  /// What this session begins with: the first event of every run.
  package var beginning: Beginning {
    Beginning(
      name: name, recipe: recipe, step: state.step, tokens: state.tokens, time: wallTime(),
      parameters: model.parameters.plan.parameters, threads: model.threads, precision: model.precision.name,
      corpus: corpus.summary, vocabulary: corpus.tokenizer.vocabulary, trainingTokens: corpus.training.count,
      heldOutTokens: corpus.heldOut.count, unigramEntropy: corpus.unigramEntropy)
  }

  /// The learning rate of the next step, the user's edits included.
  package var rate: Double { scheduledRate * state.rateFactor }

  /// The learning rate of the next step as the recipe has it.
  var scheduledRate: Double {
    recipe.schedule.rate * recipe.schedule.multiplier(at: state.step, of: recipe.steps)
  }

  /// λ of each head, in the order of `recipe.heads`, the user's edits included.
  var weights: [Float] {
    recipe.heads.map { Float(weight(of: $0)) }
  }

  func weight(of head: Head) -> Double { state.weights?[head.name] ?? recipe.weight(of: head) }

  /// What came of a step.
  enum Outcome {
    case stepped(StepReport)
    /// A loss or the gradient was not finite: the weights are as they were.
    case diverged(losses: [HeadLoss], gradientNorm: Double)
    /// It was left before its last micro-batch: nothing has changed.
    case left
  }

  /// Learns from one batch. Where a loss or the gradient is not finite, the weights stay as they were.
  /// - Parameter goesOn: asked before every micro-batch but the first; with false the step is not taken.
  mutating func step(while goesOn: () -> Bool = { true }) -> Outcome {
    var watch = Stopwatch()
    var phases = Phases()
    let batch = batches.next()  // tokens and what follows them
    let micro = microBatches(batch)
    let denominators = countPositions(micro)
    let weights = weights
    phases.data = watch.lap()
    var sums = [LossSum](repeating: LossSum(), count: recipe.heads.count)
    for (index, rows) in micro.enumerated() {
      if index > 0, !goesOn() {
        batches.goBack(to: state.window)
        return .left
      }
      let noise = noise(microStep: index)
      model.forward(rows, noise: noise)
      phases.forward += watch.lap()
      let losses = model.heads(
        rows, weights: weights, denominators: denominators, adds: index > 0, noise: noise)
      for head in sums.indices { sums[head].add(losses[head]) }
      phases.heads += watch.lap()
      model.backward(rows, adds: index > 0, noise: noise)
      phases.backward += watch.lap()
    }
    let losses = sums.losses(of: recipe.heads, weights: weights)
    let norm = model.gradientNorm()
    state.window = batches.window
    guard losses.areFinite, norm.isFinite else { return .diverged(losses: losses, gradientNorm: norm) }
    let rate = rate
    optimizer.update(model, norm: norm, rate: rate, step: state.step)
    phases.update = watch.lap()
    state.step += 1
    state.tokens += recipe.tokensPerStep
    state.active += phases.total
    return .stepped(
      StepReport(
        step: state.step, tokens: state.tokens, time: wallTime(), active: state.active, total: losses.total,
        losses: losses, rate: rate, gradientNorm: Float(norm),
        tokensPerSecond: Double(recipe.tokensPerStep) / phases.total, phases: phases))
  }

  /// What dropout draws from in a micro-batch: a function of seed and step alone, so that a resumed run drops the same.
  private func noise(microStep: Int) -> RandomStream? {
    guard recipe.model.dropout > 0 else { return nil }
    return dropoutStream.branch(UInt64(state.step)).branch(UInt64(microStep))
  }

  /// A step's rows, a micro-batch each.
  private func microBatches(_ batch: Batch) -> [TokenRows] {
    (0..<recipe.batch.accumulation).map {
      TokenRows(batch, first: $0 * recipe.batch.rows, count: recipe.batch.rows)
    }
  }

  /// Positions that count in a whole step, a head each.
  private func countPositions(_ micro: [TokenRows]) -> [Int] {
    micro.map { model.countPositions($0) }.reduce([Int](repeating: 0, count: recipe.heads.count)) { zip($0, $1).map(+) }
  }
}

extension [HeadLoss] {
  /// Σ λ · loss, nats.
  var total: Float { reduce(0) { $0 + $1.weight * $1.loss } }

  var areFinite: Bool { allSatisfy { $0.loss.isFinite } }
}
