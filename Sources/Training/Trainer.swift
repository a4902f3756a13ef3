// The trainer: one owner of network, data position and clock. The step is the story; what happens around it is in
// Trainer+Run.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

/// Trains one network on one corpus.
package struct Trainer: ~Copyable {
  /// The recipe, with the settings that the user changed.
  package private(set) var recipe: Recipe
  package let corpus: Corpus
  let name: String
  let model: Transformer
  private var optimizer: Optimizer
  let probes: Probes?
  let heads: [Head]
  private let dropoutStream: RandomStream
  var batches: Batches
  var state: TrainerState
  var isPaused = false
  /// Whether the program makes it wait: the disk does not take what it has.
  var isHeld = false
  /// Whether a checkpoint waits for memory to be copied to, and whether the run ends when it has it.
  var isSaveDue = false
  var isStoppingAfterSave = false
  /// The error that ended the reading of the text; the run then ends.
  package internal(set) var failure: CorpusError?
  /// What was last handed over to be saved.
  var savedState: TrainerState?
  /// Whether somebody asked for that.
  var isKept = false
  /// Steps to be taken before a pause, and how many there were when it was asked for; 0 where nobody asked.
  var stepsBeforePause = 0
  var stepsAsked = 0
  /// Whether a pause follows the next step, or one soon after it.
  var isPausedAfterStep: Bool { stepsBeforePause > 0 }
  /// When the run pauses by itself, and who asked for that.
  var pauseCondition: (condition: PauseCondition, actor: Occurrence.Actor)?
  /// What `undo` takes back, oldest first.
  var undoable: [UndoableChange] = []
  /// The probe that is shown, and what was seen at all probes when they were last looked at.
  var probe = 0
  var orderSamples: [OrderSample] = []
  /// λ of each head, the user's edits included.
  private(set) var weights: [Float]
  /// What was asked for inside the step that is being taken, and holds from the next one on.
  var changes = StepChanges()
  /// Whether a step is being taken.
  private(set) var isInStep = false
  /// The requests that the next copy answers when it is stored, and those that the last of some steps and a stop answer.
  var savingRequests: [Request] = []
  var steppingRequests: [Request] = []
  var stoppingRequest: Request?
  /// What a step sums up, a head each: room that is used again.
  private var sums: [LossSum]
  private var denominators: [Int]

  /// Allocates everything, and takes weights and moments from the checkpoint or makes new ones.
  /// - Parameters:
  ///   - checkpoint: what to go on from; nil begins at step 0.
  ///   - name: of the run, for its screen.
  /// - Throws: `UserError` when the recipe does not make a network, the CPU or its memory do not suffice, or the
  ///   checkpoint is of another network; `CorpusError` when the held-out part cannot be read.
  package init(recipe: Recipe, corpus: Corpus, from checkpoint: Checkpoint?, threads: Int, name: String) throws {
    try RunPlan(recipe, vocabulary: corpus.tokenizer.vocabulary, threads: threads).checkMachine()
    let prompt = recipe.sample.prompt
    guard corpus.tokenizer.takesAll(of: prompt) else {
      throw UserError(
        .usage,
        "sample.prompt is \(prompt.quotation), but every token in it must be below the vocabulary's "
          + "\(corpus.tokenizer.vocabulary)")
    }
    let model = try recipe.network(
      vocabulary: corpus.tokenizer.vocabulary, rows: recipe.batch.rows, threads: threads, isTrained: true,
      from: checkpoint)
    let probes = try Probes(corpus.heldOut, recipe: recipe, configuration: model.configuration)
    if let checkpoint {
      state = checkpoint.state
      state.threads = threads
    } else {
      model.parameters.initialize(
        seed: recipe.seed, deviation: recipe.model.deviation, residualScale: recipe.residualScale, threads: threads)
      state = TrainerState(seed: recipe.seed, threads: threads)
    }
    self.recipe = recipe
    heads = recipe.heads
    weights = heads.map { [state] in Float(recipe.weight(of: $0, in: state)) }
    sums = heads.map { _ in LossSum() }
    denominators = heads.map { _ in 0 }
    self.corpus = corpus
    self.name = name
    optimizer = Optimizer(recipe.optimizer)
    self.probes = probes
    batches = Batches(
      of: corpus.training, rows: recipe.batch.rows * recipe.batch.accumulation, context: recipe.model.context,
      lookahead: recipe.lookahead, seed: recipe.seed, window: state.window)
    dropoutStream = RandomStream(seed: recipe.seed, purpose: "dropout")
    self.model = model
  }

  /// The first event of this session.
  package var beginning: Beginning {
    Beginning(
      name: name, recipe: recipe, step: state.step, tokens: state.tokens, time: wallTime(),
      parameters: model.parameters.layout.parameters, threads: model.threads, precision: model.precision.name,
      corpus: corpus.summary, vocabulary: corpus.tokenizer.vocabulary, trainingTokens: corpus.training.count,
      heldOutTokens: corpus.heldOut.count, unigramEntropy: corpus.unigramEntropy)
  }

  /// The learning rate of the next step, the user's edits included.
  package var rate: Double { scheduledRate * state.rateFactor }

  /// The learning rate of the next step as the recipe has it.
  private var scheduledRate: Double { scheduledRate(at: state.step) }

  /// The learning rate of a step, counted from 0, as the recipe has it.
  func scheduledRate(at step: Int) -> Double { recipe.scheduledRate(at: step) }

  func weight(of head: Head) -> Double { recipe.weight(of: head, in: state) }

  /// Gives heads' losses other weights from the next step on.
  mutating func setWeights(to weights: [String: Double]) {
    state.weights = (state.weights ?? [:]).merging(weights) { $1 }
    for (index, head) in heads.enumerated() { self.weights[index] = Float(weight(of: head)) }
  }

  /// Gives a number of the recipe another value from the next step on.
  mutating func set(_ setting: RunSetting, to value: Double) {
    setting.set(value, in: &recipe)
    optimizer = Optimizer(recipe.optimizer)
    state.settings = (state.settings ?? [:]).merging([setting.key: value]) { $1 }
  }

  /// Gives the texts that are shown another prompt.
  mutating func set(prompt: String) {
    recipe.sample.prompt = prompt
    state.prompt = prompt
  }

  /// The result of a step.
  package enum Outcome {
    case stepped(StepReport)
    /// A loss or the gradient was not finite: the weights are as they were.
    case diverged([HeadLoss], gradientNorm: Double)
    /// The machine could not compute it: the weights are as they were.
    case failed(UserError)
    /// It was left before its last micro-batch: nothing has changed.
    case left
    /// No batch was taken, since the text cannot be read or is not the same any more; the network did not change.
    case unread(CorpusError)
  }

  /// Learns from one batch. Where a loss or the gradient is not finite, the weights stay as they were. Allocates nothing but the
  /// report's list of losses.
  package mutating func step() -> Outcome { step(beside: nil) }

  /// - Parameter desk: what is asked meanwhile; it is looked at before every micro-batch but the first, and may end the step.
  mutating func step(beside desk: Desk?) -> Outcome {
    isInStep = true
    defer { isInStep = false }
    var watch = Stopwatch()
    var phases = Phases()
    let batch: Batch  // tokens and what follows them
    do {
      batch = try batches.next()
    } catch {
      batches.goBack(to: state.window)
      return .unread(error)
    }
    for head in heads.indices {
      sums[head] = LossSum()
      denominators[head] = 0
    }
    for index in 0..<recipe.batch.accumulation {
      model.countPositions(microBatch(index, of: batch), into: &denominators)
    }
    phases.data = watch.lap()
    for index in 0..<recipe.batch.accumulation {
      if index > 0, let desk, !attend(to: desk) {
        batches.goBack(to: state.window)
        return .left
      }
      let rows = microBatch(index, of: batch)
      let noise = noise(microStep: index)
      model.forward(rows, noise: noise)
      phases.forward += watch.lap()
      model.heads(rows, weights: weights, denominators: denominators, accumulates: index > 0, noise: noise, into: &sums)
      phases.heads += watch.lap()
      model.backward(rows, accumulates: index > 0, noise: noise)
      phases.backward += watch.lap()
    }
    let norm = model.gradientNorm()
    state.window = batches.window
    if let failure = model.failure { return .failed(UserError(failure)) }
    let losses = sums.losses(of: heads, weights: weights)
    guard losses.allSatisfy({ $0.loss.isFinite }), norm.isFinite else { return .diverged(losses, gradientNorm: norm) }
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

  /// The rows of one of a step's micro-batches.
  private func microBatch(_ index: Int, of batch: Batch) -> TokenRows {
    TokenRows(batch, first: index * recipe.batch.rows, count: recipe.batch.rows)
  }
}

extension Recipe {
  /// λ of a head, the user's edits included.
  fileprivate func weight(of head: Head, in state: TrainerState) -> Double {
    state.weights?[head.name] ?? weight(of: head)
  }
}

extension [HeadLoss] {
  /// Σ λ · loss, nats.
  var total: Float { reduce(0) { $0 + $1.weight * $1.loss } }
}
