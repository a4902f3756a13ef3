// The trainer owns the network, the data position and the clock. This file has the step; Trainer+Run has the loop
// around it.
import Corpus
import Foundation
import Kernels
import Run
import Transformer

/// Trains one network on one corpus. It is a class because the compiler's check of a struct that cannot be copied takes minutes
/// where a recipe and its hundreds of fields are among the struct's fields.
package final class Trainer {
  /// The recipe, with the settings that the user changed.
  package private(set) var recipe: Recipe
  package let corpus: Corpus
  /// The questions that each evaluation asks.
  let task: TaskSet?
  let name: String
  let model: Transformer
  private(set) var optimizer: Optimizer
  let probes: Probes?
  /// The other ranks; nil where this process trains alone.
  let ranked: RankedTraining?
  let heads: [Head]
  let dropoutStream: RandomStream
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
  /// What another rank could not do between two steps; the run then ends.
  var rankFault: UserError?
  /// The state of the last checkpoint, which was handed over to be saved or still grows.
  var savedState: TrainerState?
  /// Whether somebody asked for that.
  var isKept = false
  /// The checkpoint that still lacks rows of tables; nil without one.
  var growing: GrowingCheckpoint?
  /// Rows of tables that are copied for it after each step; nil for as many as there is time for. For tests: the bits of a
  /// run do not depend on it.
  var rowsCopiedPerStep: Int?
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
  /// The factors of the user's changes of the rate before the newest ones.
  var rateCaution = RateCaution()
  /// The index of the probe that is shown.
  var probe = 0
  /// The head's ranking at every probe, as last measured.
  var orderSamples: [OrderSample] = []
  /// λ of each head, including the user's changes.
  private(set) var weights: [Float]
  /// Changes requested during the current step, which apply from the next step on.
  var changes = StepChanges()
  /// True during a step.
  var isInStep = false
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
  var newAlarm: GuardAlarm?
  /// The last update, as long as its gradients and moments are there; nil before the first.
  var takenUpdate: TakenUpdate?
  /// The step of the checkpoint that the session began with, if that left out the moments of some tensors.
  package private(set) var stepWithoutMoments: Int?
  /// What was measured of the gradients, and at which step.
  var measuredGradients: (step: Int, groups: [GroupGradient])?
  /// Of each token the longest one that it begins with; empty where the recipe has no use for that.
  let prefixes: [Int32]
  /// What draws inputs in the place of the text's tokens; nil where the text alone has been read so far.
  private(set) var drawing: Drawing?
  /// The teacher's predictions for a step's rows; nil without a teacher, and in a session that began after the teacher's last
  /// step, as long as no command gives it more.
  private(set) var teaching: Teaching?
  /// Sums of a step, one per head; the array is reused.
  var sums: [LossSum]
  var denominators: [Int]

  /// Allocates everything, and takes weights and moments from the checkpoint or initialises them.
  /// - Parameters:
  ///   - checkpoint: the state to continue from; nil begins at step 0.
  ///   - name: of the run, for its screen.
  ///   - task: the questions of `evaluate.task`; nil asks none.
  ///   - ranks: the ranks that train together, of which this trainer is one (see `Trainer.make`); nil for a process alone.
  ///   - progress: receives how many of how many weights have their first values.
  /// - Throws: `UserError` when the recipe does not make a network, the CPU or its memory do not suffice, or the
  ///   checkpoint is of another network; `CorpusError` when the held-out part cannot be read.
  package init(
    recipe: Recipe, corpus: Corpus, from checkpoint: Checkpoint?, threads: Int, name: String, task: TaskSet? = nil,
    ranks: Ranks? = nil, progress: (Int, Int) -> Void = { _, _ in }
  ) throws {
    if let checkpoint { try recipe.optimizer.require(momentsOf: checkpoint) }
    let plan = try RunPlan(
      recipe, vocabulary: corpus.tokenizer.vocabulary, threads: threads, ranks: ranks?.count ?? 1)
    try plan.checkMachine()
    let ranked = ranks.map { RankedTraining($0, recipe, plan.network.parameters) }
    let owned = ranked.flatMap { $0.isSharded ? $0.owned : nil }
    let prompt = recipe.sample.prompt
    guard corpus.tokenizer.takesAll(of: prompt) else {
      throw UserError(
        .usage,
        "sample.prompt is \(prompt.quotation), but every token in it must be below the vocabulary's "
          + "\(corpus.tokenizer.vocabulary)")
    }
    let model = try recipe.network(
      vocabulary: corpus.tokenizer.vocabulary, rows: plan.network.rows,
      firstRow: plan.network.rows * (ranks?.rank ?? 0), threads: threads, isTrained: true, from: checkpoint,
      momentShares: plan.network.momentShares, owning: owned, ranks: plan.ranks)
    let drawing =
      recipe.data.drawn.isOn
      ? try Drawing(recipe, vocabulary: corpus.tokenizer.vocabulary, threads: threads, lookahead: recipe.lookahead)
      : nil
    let teacher = recipe.objective.teacher
    let needsTeacher = checkpoint.map { teacher.isNeeded(after: $0.state.step) } ?? teacher.isThere
    let teaching = try needsTeacher ? Teaching(recipe, corpus) : nil
    try task?.check(by: corpus.tokenizer, context: recipe.model.context)
    let optimizer = try Optimizer(recipe.optimizer, for: model, owning: owned)
    let probes = try Probes(corpus.heldOut, recipe: recipe, configuration: model.configuration)
    if let checkpoint {
      state = checkpoint.state
      state.threads = threads
      state.ranks = ranks?.count
      if checkpoint.state.step > 0, checkpoint.tensorsWithMoments.count < checkpoint.tensors.count {
        stepWithoutMoments = checkpoint.state.step
      }
      if checkpoint.state.guarded?.isSuspect != true { guarded.soundStep = checkpoint.state.step }
    } else {
      model.parameters.initialize(
        seed: recipe.seed, deviation: recipe.model.deviation, residualScale: recipe.residualScale, threads: threads,
        progress: progress)
      state = TrainerState(seed: recipe.seed, threads: threads)
      state.ranks = ranks?.count
    }
    self.recipe = recipe
    // A run whose loss is shaped may get prefix tokens by a command.
    prefixes =
      recipe.shapesNextToken && [.sentencepiece, .bpe].contains(recipe.tokenizer.kind) ? corpus.tokenizer.prefixes : []
    heads = recipe.heads
    weights = heads.map { [state] in Float(recipe.weight(of: $0, in: state)) }
    sums = heads.map { _ in LossSum() }
    denominators = heads.map { _ in 0 }
    self.corpus = corpus
    self.task = task
    self.name = name
    self.optimizer = optimizer
    self.probes = probes
    self.ranked = ranked
    batches = Batches(
      of: recipe.trained(of: corpus), rows: recipe.samplesPerStep, context: recipe.model.context,
      lookahead: recipe.lookahead, seed: recipe.seed, window: state.window)
    dropoutStream = RandomStream(seed: recipe.seed, purpose: "dropout")
    drawing?.begin(with: model, from: checkpoint)
    self.drawing = drawing
    self.teaching = teaching
    self.model = model
  }

  /// The first event of this session.
  package var beginning: Beginning {
    var beginning = Beginning(
      name: name, recipe: recipe, step: state.step, tokens: state.tokens, time: wallTime(),
      parameters: model.parameters.layout.parameters, threads: model.threads, precision: model.precision.name,
      corpus: corpus.summary, vocabulary: corpus.tokenizer.vocabulary, trainingTokens: recipe.trained(of: corpus).count,
      heldOutTokens: corpus.heldOut.count, unigramEntropy: corpus.unigramEntropy)
    beginning.ranks = ranked?.ranks.count ?? 1
    return beginning
  }

  /// The learning rate of the next step, including the user's changes.
  package var rate: Double {
    if let ranked, !ranked.ranks.isLeader { return ranked.orderedRate }
    return scheduledRate * state.rateFactor
  }

  /// The scheduled learning rate of the next step, without the user's changes.
  private var scheduledRate: Double { scheduledRate(at: state.step) }

  /// The scheduled learning rate of a step (counted from 0), without the user's changes.
  func scheduledRate(at step: Int) -> Double { recipe.scheduledRate(at: step) }

  func weight(of head: Head) -> Double { recipe.weight(of: head, in: state) }

  /// Sets the weights of losses from the next step on.
  func setWeights(to weights: [String: Double]) {
    state.weights = (state.weights ?? [:]).merging(weights) { $1 }
    // What the heads learn from now on is something else.
    state.guarded = nil
    for (index, head) in heads.enumerated() { self.weights[index] = Float(weight(of: head)) }
  }

  /// Sets a number of the recipe from the next step on. A rate that is held, or annealed, begins where it was, although another
  /// number of steps is another schedule.
  func set(_ setting: RunSetting, to value: Double) {
    let rate = rate
    let wasDrawn = recipe.data.drawn.isOn
    setting.set(value, in: &recipe)
    if setting == .drawn {
      // What the network reads from now on is something else.
      state.guarded = nil
      if recipe.data.drawn.isOn, !wasDrawn { drawing?.begin(with: model, from: nil) }
      if !recipe.data.drawn.isOn { drawing?.forget() }
    }
    let scheduled = scheduledRate
    if setting == .steps, recipe.schedule.holds(at: state.step), scheduled > 0, self.rate != rate {
      state.rateFactor = rate / scheduled
    }
    optimizer.settings = recipe.optimizer
    state.settings = (state.settings ?? [:]).merging([setting.key: value]) { $1 }
  }

  /// Opens the teacher's file if a command that will be repeated needs it: without the file, the steps would differ from those that the
  /// run records.
  /// - Parameter edits: the commands of the steps after the checkpoint.
  /// - Throws: `CorpusError` when the file cannot be read.
  package func makeReady(toRepeat edits: [ReplayedCommand]) throws {
    var changed = recipe
    for edit in edits.inOrderOfSteps where edit.step >= state.step {
      guard case .setting(let change) = edit.command, change.setting.isOfTeacher else { continue }
      change.setting.set(change.applied(to: change.setting.value(in: changed)), in: &changed)
      try openTeacher(of: changed, after: edit.step)
    }
  }

  /// Opens the teacher's file if the step after so many needs it, and it is not open.
  private func openTeacher(of recipe: Recipe, after step: Int) throws {
    guard teaching == nil, recipe.objective.teacher.isNeeded(after: step) else { return }
    teaching = try Teaching(recipe, corpus)
  }

  /// Makes what a changed recipe needs beside what there is: the teacher's predictions, and the frozen copy that draws inputs.
  /// - Throws: `CorpusError` when the teacher's file cannot be read; `UserError` when memory is short.
  func makeReady(for changed: Recipe) throws {
    try openTeacher(of: changed, after: state.step)
    guard changed.data.drawn.isOn, drawing == nil else { return }
    let vocabulary = corpus.tokenizer.vocabulary
    let plan = try RunPlan(changed, vocabulary: vocabulary, threads: model.threads)
    if let memory = MachineMemory.current, plan.drawingBytes > memory.available {
      throw UserError(
        .unavailable,
        "the frozen copy of the network that draws inputs needs \(Figure.bytes(plan.drawingBytes)) of memory, and "
          + "\(Figure.bytes(memory.available)) are available")
    }
    drawing = try Drawing(changed, vocabulary: vocabulary, threads: model.threads, lookahead: changed.lookahead)
  }

  /// Takes over the numbers of rank 0.
  func take(_ order: RankOrder) {
    (state.step, state.window) = (order.step, order.window)
    batches.go(to: order.window)
    ranked?.orderedRate = order.rate
    order.apply(to: &recipe.optimizer)
    optimizer.settings = recipe.optimizer
    recipe.evaluate.tokens = order.tokens
    weights = order.weights.map(Float.init)
  }

  /// Gives the texts that are shown another prompt.
  func set(prompt: String) {
    recipe.sample.prompt = prompt
    state.prompt = prompt
  }

  /// Begins to act on steps that are out of line.
  /// - Parameters:
  ///   - backs: how often the guard went back already.
  ///   - isSameText: whether the losses so far are those of the text of now.
  ///   - older: finds the newest sound checkpoint from before the one that the training goes on from.
  package func startGuarding(
    after backs: Int, isSameText: Bool, older: (@Sendable () -> SoundCheckpoint?)? = nil
  ) {
    isGuarded = true
    guarded.backs = backs
    guarded.older = older
    (guarded.firstStep, guarded.firstFactor, guarded.soundFactor) = (state.step, state.rateFactor, state.rateFactor)
    if !isSameText { state.guarded = nil }
    noteSizes()
  }

  /// λ of each head at the next step: as steered, with the recipe's course.
  var weightsNow: [Float] {
    guard !recipe.objective.mtp.isSteady else { return weights }
    return heads.map { Float(recipe.weight(weight(of: $0), of: $0, at: state.step)) }
  }

  /// The stage of the next step.
  var stage: TargetStage { recipe.stage(at: state.step, prefixes: prefixes) }
}

extension Recipe {
  /// λ of a head, including the user's changes.
  fileprivate func weight(of head: Head, in state: TrainerState) -> Double {
    state.weights?[head.name] ?? weight(of: head)
  }
}

extension [HeadLoss] {
  /// Σ λ · loss, nats, of the losses that are trained.
  var total: Float { reduce(0) { $0 + $1.weight * ($1.trained ?? $1.loss) } }
}
