// The trainer owns the network, the data position and the clock. This file has the step; Trainer+Run has the loop
// around it.
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
  /// The questions that each evaluation asks.
  let task: TaskSet?
  let name: String
  let model: Transformer
  private(set) var optimizer: Optimizer
  let probes: Probes?
  let heads: [Head]
  private let dropoutStream: RandomStream
  var batches: Batches
  var state: TrainerState
  var isPaused = false
  /// True if the events say that there is no text to evaluate on.
  var hasToldOfNoHeldOut = false
  /// True if the session makes the trainer wait, since the disk is full.
  var isHeld = false
  /// True if a checkpoint is due and waits for a free buffer.
  var isSaveDue = false
  /// True if the run ends after that checkpoint.
  var isStoppingAfterSave = false
  /// The error that ended the reading of the text; the run then ends.
  package internal(set) var failure: CorpusError?
  /// The state that was last handed over to be saved.
  var savedState: TrainerState?
  /// Whether somebody asked for that.
  var isKept = false
  /// Steps left to take before a pause; 0 without such a request.
  var stepsBeforePause = 0
  /// Steps that were requested in all before that pause.
  var stepsAsked = 0
  /// True if a requested number of steps is being taken, after which the run pauses.
  var isPausedAfterStep: Bool { stepsBeforePause > 0 }
  /// The condition at which the run pauses by itself, and who asked for it.
  var pauseCondition: (condition: PauseCondition, actor: Occurrence.Actor)?
  /// True if the recipe's `stop` has ended the run.
  var hasReachedStop = false
  /// The changes that `undo` can take back, oldest first.
  var undoable: [UndoableChange] = []
  /// The index of the probe that is shown.
  var probe = 0
  /// The head's ranking at every probe, as last measured.
  var orderSamples: [OrderSample] = []
  /// λ of each head, including the user's changes.
  private(set) var weights: [Float]
  /// Changes requested during the current step, which apply from the next step on.
  var changes = StepChanges()
  /// True during a step.
  private(set) var isInStep = false
  /// Requests to be answered when the next copy is stored.
  var savingRequests: [Request] = []
  /// Requests to be answered when the requested steps are taken.
  var steppingRequests: [Request] = []
  /// The request to be answered when the session ends.
  var stoppingRequest: Request?
  /// Whether steps that are out of line are acted on: not in a replay, which does what was done.
  private(set) var isGuarded = false
  var guarded = GuardRecord()
  /// A spike that the last step was, where it is to be said.
  private(set) var newAlarm: GuardAlarm?
  /// The last update, as long as its gradients and moments are there; nil before the first.
  private(set) var takenUpdate: TakenUpdate?
  /// What was measured of the gradients, and at which step.
  var measuredGradients: (step: Int, groups: [GroupGradient])?
  /// Sums of a step, one per head; the array is reused.
  private var sums: [LossSum]
  private var denominators: [Int]

  /// Allocates everything, and takes weights and moments from the checkpoint or initialises them.
  /// - Parameters:
  ///   - checkpoint: the state to continue from; nil begins at step 0.
  ///   - name: of the run, for its screen.
  ///   - task: the questions of `evaluate.task`; nil asks none.
  ///   - progress: receives how many of how many weights have their first values.
  /// - Throws: `UserError` when the recipe does not make a network, the CPU or its memory do not suffice, or the
  ///   checkpoint is of another network; `CorpusError` when the held-out part cannot be read.
  package init(
    recipe: Recipe, corpus: Corpus, from checkpoint: Checkpoint?, threads: Int, name: String, task: TaskSet? = nil,
    progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    if let checkpoint { try recipe.optimizer.require(momentsOf: checkpoint) }
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
    try task?.check(by: corpus.tokenizer, context: recipe.model.context)
    let optimizer = try Optimizer(recipe.optimizer, for: model)
    let probes = try Probes(corpus.heldOut, recipe: recipe, configuration: model.configuration)
    if let checkpoint {
      state = checkpoint.state
      state.threads = threads
      if checkpoint.state.guarded?.isSuspect != true { guarded.soundStep = checkpoint.state.step }
    } else {
      model.parameters.initialize(
        seed: recipe.seed, deviation: recipe.model.deviation, residualScale: recipe.residualScale, threads: threads,
        progress: progress)
      state = TrainerState(seed: recipe.seed, threads: threads)
    }
    self.recipe = recipe
    heads = recipe.heads
    weights = heads.map { [state] in Float(recipe.weight(of: $0, in: state)) }
    sums = heads.map { _ in LossSum() }
    denominators = heads.map { _ in 0 }
    self.corpus = corpus
    self.task = task
    self.name = name
    self.optimizer = optimizer
    self.probes = probes
    batches = Batches(
      of: corpus.training, rows: recipe.samplesPerStep, context: recipe.model.context,
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

  /// The learning rate of the next step, including the user's changes.
  package var rate: Double { scheduledRate * state.rateFactor }

  /// The scheduled learning rate of the next step, without the user's changes.
  private var scheduledRate: Double { scheduledRate(at: state.step) }

  /// The scheduled learning rate of a step (counted from 0), without the user's changes.
  func scheduledRate(at step: Int) -> Double { recipe.scheduledRate(at: step) }

  func weight(of head: Head) -> Double { recipe.weight(of: head, in: state) }

  /// Sets the weights of losses from the next step on.
  mutating func setWeights(to weights: [String: Double]) {
    state.weights = (state.weights ?? [:]).merging(weights) { $1 }
    // What the heads learn from now on is something else.
    state.guarded = nil
    for (index, head) in heads.enumerated() { self.weights[index] = Float(weight(of: head)) }
  }

  /// Sets a number of the recipe from the next step on.
  mutating func set(_ setting: RunSetting, to value: Double) {
    setting.set(value, in: &recipe)
    optimizer.settings = recipe.optimizer
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
    /// A loss or the gradient was not finite: the weights are unchanged.
    case diverged([HeadLoss], gradientNorm: Double)
    /// The loss or the gradient was far above what it was, and the recipe's guard acts on that: the weights are as they were.
    case spiked(GuardAlarm)
    /// The computation failed: the weights are unchanged.
    case failed(UserError)
    /// The step was abandoned before its last micro-batch: nothing has changed.
    case left
    /// No batch was taken, since the text cannot be read or has changed; the network is unchanged.
    case unread(CorpusError)
  }

  /// Takes one optimizer step. If a loss or the gradient is not finite, the weights stay unchanged. Allocates nothing
  /// but the report's list of losses.
  package mutating func step() -> Outcome { step(beside: nil) }

  /// - Parameter desk: requests during the step, which are handled before every micro-batch except the first and may
  ///   abandon the step.
  mutating func step(beside desk: Desk?) -> Outcome {
    isInStep = true
    takenUpdate = nil
    measuredGradients = nil
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
    let first = Double(losses[0].loss)
    let alarm = state.guarded?.alarm(loss: first, norm: norm)
    if isGuarded, let alarm, recipe.guard.acts(on: .spike) { return .spiked(alarm) }
    newAlarm = state.guarded?.isAlarmed == false ? alarm : nil
    let rate = rate
    optimizer.update(
      model, norm: norm, rate: rate, step: state.step,
      tableRate: recipe.model.memory.rateFactor(at: state.step, of: recipe.steps))
    if let failure = optimizer.failure { return .failed(UserError(failure)) }
    phases.update = watch.lap()
    takenUpdate = TakenUpdate(norm: norm, rate: rate, step: state.step, settings: optimizer.settings)
    state.step += 1
    state.tokens += recipe.tokensPerStep
    state.active += phases.total
    state.guarded = state.guarded ?? GuardState()
    state.guarded?.take(loss: first, norm: norm)
    return .stepped(
      StepReport(
        step: state.step, tokens: state.tokens, time: wallTime(), active: state.active, total: losses.total,
        losses: losses, rate: rate, gradientNorm: Float(norm),
        tokensPerSecond: Double(recipe.tokensPerStep) / phases.total, phases: phases))
  }

  /// Begins to act on steps that are out of line.
  /// - Parameters:
  ///   - backs: how often the guard went back already.
  ///   - isSameText: whether the losses so far are those of the text of now.
  package mutating func startGuarding(after backs: Int, isSameText: Bool) {
    isGuarded = true
    guarded.backs = backs
    if !isSameText { state.guarded = nil }
    noteSizes()
  }

  /// The loss of the first head on a batch's first rows.
  mutating func firstLoss(of batch: Batch) -> Float {
    takenUpdate = nil
    for head in heads.indices {
      sums[head] = LossSum()
      denominators[head] = 0
    }
    let rows = microBatch(0, of: batch)
    model.countPositions(rows, into: &denominators)
    model.forward(rows, noise: nil)
    model.heads(rows, weights: weights, denominators: denominators, accumulates: false, noise: nil, into: &sums)
    return sums.losses(of: heads, weights: weights)[0].loss
  }

  /// The random stream of dropout in a micro-batch. It depends only on seed and step, so that a resumed run drops the
  /// same elements.
  private func noise(microStep: Int) -> RandomStream? {
    guard recipe.model.dropout > 0 else { return nil }
    return dropoutStream.branch(UInt64(state.step)).branch(UInt64(microStep))
  }

  /// The rows of one micro-batch of a step.
  private func microBatch(_ index: Int, of batch: Batch) -> TokenRows {
    TokenRows(batch, first: index * recipe.batch.rows, count: recipe.batch.rows)
  }
}

extension Recipe {
  /// λ of a head, including the user's changes.
  fileprivate func weight(of head: Head, in state: TrainerState) -> Double {
    state.weights?[head.name] ?? weight(of: head)
  }
}

extension [HeadLoss] {
  /// Σ λ · loss, nats.
  var total: Float { reduce(0) { $0 + $1.weight * $1.loss } }
}
