// foretop resume: a run goes on from its last checkpoint.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile
import Session

struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continues a run from its last checkpoint.",
    discussion: """
      Steps that were taken after the checkpoint are computed again and compared with the stored ones. Recipe keys that \
      define the network, its tokens or its data cannot change. Keys that can: steps, schedule, optimizer, batch, the \
      weights of losses, and how often the run is saved, evaluated and sampled. A weight given with --set has the \
      same effect as one typed after the key w. After a change of the batch, training continues at the next unseen \
      row, and the schedule still counts steps.

      \(Signals.help)
      """)

  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String

  @OptionGroup var changes: RecipeOptions

  @Option(parsing: .unconditional, help: .hidden)
  var seed: String?

  @OptionGroup var place: PlaceOptions
  @OptionGroup var screen: ScreenOptions
  @OptionGroup var alerts: AlertOptions

  /// Keys that a run keeps for good: of its network, and once it has taken a step. `data.paths` may change, since files move.
  private static let kept = ["model.", "tokenizer.", "objective."]
  private static let keptInSteps = ["data.heldOut", "data.documents", "data.separator", "seed"]

  func run() throws {
    try Computation.prepare()
    Signals.expectRequests()
    let folder = try RunLookup.folder(name, in: place.folder)
    let request: RunRequest
    do {
      request = try self.request()
    } catch let error as UserError where error.status != .usage && StoredRun.isBeingWritten(folder) {
      // Whoever writes it may just have taken away what was looked for.
      throw UserError(
        .unavailable, "run “\(name)” is being trained by another process: stop that process first (\(error.message))")
    }
    var loop = ForegroundLoop(request, options: screen, alerts: alerts)
    throw Ended(status: try loop.run())
  }

  /// What is stored, and what is to be done with it.
  private func request() throws -> RunRequest {
    let archive = try RunLookup.archive(name, in: place.folder)
    guard archive.state != .training else {
      throw UserError(.unavailable, "run “\(name)” is being trained by another process: stop that process first")
    }
    var past = RunRequest.Past(start: Handoff(nil), edits: [])
    var notices = ["there is no checkpoint to continue from: the run starts again from step 0"]
    var state: TrainerState?
    if try !archive.checkpoints().isEmpty {
      var (checkpoint, warnings) = try archive.checkpoint()
      // A session that began at or after the checkpoint has its settings in its recipe.
      if archive.beginning.step < checkpoint.state.step { past.settings = checkpoint.state.settings ?? [:] }
      for key in changes.allKeys { checkpoint.state.settings?[key] = nil }
      state = checkpoint.state
      past.start = Handoff(checkpoint)
      notices = warnings
    }
    past.step = state?.step
    past.edits = try archive.edits(after: past.step ?? 0)
    past.last = try archive.summary().step
    var before = archive.recipe
    before.take(past.settings)
    var origins = KeyOrigins("run “\(name)”")
    var recipe = try changes.applied(to: before, &origins)
    if let seed { try recipe.set("seed", to: seed, source: "--seed \(seed)") }
    let edited = past.edits.compactMap { if case .weight(let change) = $0.command { change.head } else { nil } }
    past.weights = try recipe.takeWeights(
      named: changes.keys, of: "run “\(name)”", before: before, now: state?.weights, edited: Set(edited))
    past.droppedSettings = Set(
      past.edits.compactMap { if case .setting(let change) = $0.command { change.setting.key } else { nil } }
    ).intersection(changes.allKeys)
    // What is asked for now holds: the same heads' and settings' changes after the checkpoint are not made again.
    past.edits.removeAll { edit in
      switch edit.command {
      case .weight(let change): changes.keys.contains(change.head.kind.weightKey)
      case .setting(let change): changes.allKeys.contains(change.setting.key)
      default: false
      }
    }
    let isNew = past.step == 0 && archive.beginning.step == 0 && archive.beginning.trainingTokens == 0
    try refuseChanges(of: isNew ? Self.kept : Self.kept + Self.keptInSteps, from: before, to: recipe)
    try recipe.validate(origins)
    if past.step == nil { try refuseLoss(of: past.last, past.weights, from: before, to: recipe) }
    let step = past.step ?? 0
    guard step < recipe.steps else {
      throw UserError(
        .usage,
        "run “\(name)” is at step \(step) of \(recipe.steps): give more with --steps N, such as --steps \(step * 2)"
      )
    }
    past.beginning = archive.beginning
    if !screen.headless && !screen.json {
      past.events = try archive.history().filter { if case .ended = $0 { false } else { true } }
    }
    let threads = try place.threads(before: archive.beginning.threads)
    notices += [ThreadOptions.warning(of: threads)].compactMap { $0 }
    return RunRequest(
      recipe: recipe, address: RunAddress(name: name, runs: place.runs),
      source: try Corpus.Source(recipe, runs: place.runs), threads: threads, past: past, notices: notices)
  }

  /// Without a checkpoint a run begins again, and takes the same steps once more. With another recipe they would be others, and
  /// those that are stored would be lost.
  private func refuseLoss(of stored: Int, _ weights: [WeightChange], from before: Recipe, to after: Recipe) throws {
    let changed =
      before.fieldsDeciding(otherThan: after).first.map { "value of \($0.key)" }
      ?? weights.first.map { "weight of \($0.head.name)" }
    guard stored > 0, let changed else { return }
    throw UserError(
      .usage,
      "run “\(name)” has no checkpoint and begins again: with another \(changed), its \(stored) stored steps would be "
        + "replaced by others; resume it without that change, or begin a new run with “foretop train”")
  }

  private func refuseChanges(of keys: [String], from before: Recipe, to after: Recipe) throws {
    for field in Recipe.fields where keys.contains(where: field.key.hasPrefix) {
      guard field.read(before) != field.read(after) else { continue }
      throw UserError(
        .usage,
        "\(field.key) cannot change in a run, since its weights depend on it: begin a new run with “foretop train”"
      )
    }
  }
}

extension Recipe {
  /// Takes the weights of losses out of a changed recipe, as commands: a run's recipe keeps those that it began with, as with
  /// a change by a key.
  /// - Parameters:
  ///   - keys: those that were named.
  ///   - source: the run, for messages.
  ///   - now: the weights that heads have instead of the recipe's.
  ///   - edited: heads with stored changes that are not made again: that is recorded, even where a weight stays as it is.
  /// - Throws: `UserError` for a head that the network does not have, and where nothing would be learned.
  fileprivate mutating func takeWeights(
    named keys: Set<String>, of source: String, before: Recipe, now: [String: Double]?, edited: Set<Head>
  ) throws -> [WeightChange] {
    let heads = before.objective.mtp.heads
    let listed = objective.mtp.weights.count
    guard listed == 0 || listed == heads - 1 || !keys.contains("objective.mtp.weights") else {
      throw UserError(
        .usage,
        "objective.mtp.weights has \(listed) numbers for \(heads - 1) heads (2 to \(heads)) of \(source): give one each"
      )
    }
    var weights = Dictionary(
      uniqueKeysWithValues: before.heads.map { ($0, now?[$0.name] ?? before.weight(of: $0)) })
    var changes: [WeightChange] = []
    for head in Head.all where keys.contains(head.kind.weightKey) {
      let wanted = weight(of: head)
      guard let weight = weights[head] else {
        guard wanted > 0 else { continue }
        throw UserError(
          .usage,
          "\(head.kind.weightKey) was 0 when \(source) began, so that its network has no \(head.name) head: “foretop "
            + "export NAME DIR --to huggingface” and “foretop import DIR --set \(head.kind.weightKey)=…” make a run with "
            + "its weights and a new head")
      }
      if wanted != weight || edited.contains(head) { changes.append(WeightChange(head, to: wanted)) }
      weights[head] = wanted
    }
    guard changes.isEmpty || weights.values.contains(where: { $0 > 0 }) else {
      throw UserError(
        .usage, "all losses of \(source) would have the weight 0, and nothing would be learned: leave one above 0")
    }
    for kind in HeadKind.all {
      switch kind.weight {
      case .number(let path): self[keyPath: path] = before[keyPath: path]
      case .list: objective.mtp.weights = before.objective.mtp.weights
      }
    }
    return changes
  }
}
