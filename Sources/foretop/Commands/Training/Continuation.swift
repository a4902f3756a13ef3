// Continues a stored run from its last checkpoint, or as a branch from another checkpoint.
import Corpus
import Foundation
import Run
import RunFile
import Session
import Training

/// The options of `resume` and `branch`, and the request for a session that they make.
struct Continuation {
  let name: String
  let changes: RecipeOptions
  let seed: String?
  let place: PlaceOptions
  let screen: ScreenOptions
  /// The processes that train together; nil for one alone.
  let ranks: Ranks?

  private static let columnsReason = "its run.h5 has the columns of the next-token loss that it began with"
  /// Keys that a run keeps for good, with the reason: those of its network, and those that its steps followed from.
  /// `data.paths` may change, since files move.
  private static let kept = [
    ("model.", "its weights have the shape that the key gives them"),
    ("tokenizer.", "its weights were trained on the tokens of this tokenizer"),
    ("objective.next.", columnsReason), ("objective.teacher.file", columnsReason),
    ("objective.", "its heads were trained with this value"),
  ]
  private static let keptInSteps = [
    ("data.heldOut", "held-out losses would be measured on text that the run was trained on"),
    ("data.documents", "its windows depend on the key"), ("data.separator", "its windows depend on the key"),
    ("seed", "the order of its data and all of its random numbers follow from it"),
  ]

  /// The request to continue the run itself; if later steps than the target are stored, the request for a branch.
  func request(from target: BackTarget?) throws -> RunRequest {
    let archive = try RunLookup.archive(name, in: place.folder)
    guard archive.state != .training else {
      throw UserError(.unavailable, "run “\(name)” is being trained by another process: stop that process first")
    }
    if let target {
      let step = try Self.step(target, of: archive)
      let last = try max(archive.summary().step, archive.checkpoints().last?.step ?? 0)
      if step < last {
        let notice = "steps \(step + 1) to \(last) of “\(name)” stay as they are"
        return try branch(of: archive, at: step, named: nil, notices: [notice])
      }
    }
    return try request(archive, archive.checkpoints().isEmpty ? nil : archive.checkpoint(), of: name, isBranch: false)
  }

  /// The request for a branch of a run, which another process may be training.
  /// - Parameter branch: the branch's name; nil takes the next free one.
  func branch(from target: BackTarget, named branch: String?) throws -> RunRequest {
    let archive = try RunLookup.archive(name, in: place.folder)
    return try self.branch(of: archive, at: Self.step(target, of: archive), named: branch, notices: [])
  }

  private func branch(of archive: StoredRun, at step: Int, named given: String?, notices: [String]) throws -> RunRequest
  {
    let branch = try given ?? RunName.nextBranch(of: name, in: place.runs)
    let (checkpoint, warnings) = try archive.checkpoint(step: step)
    var request = try request(archive, (checkpoint, warnings), of: branch, isBranch: true)
    let dropped = try archive.edits(after: step).count
    request.notices += notices
    if dropped > 0 {
      request.notices.append(
        "\(dropped) \(dropped == 1 ? "change" : "changes") of rate, weights and settings after step \(step) of “\(name)” "
          + "\(dropped == 1 ? "is" : "are") not made again in the branch")
    }
    // Last, since this makes the branch's folder.
    request.past?.branch = try PendingBranch(of: archive.folder, at: step, in: request.address.folder)
    if screen.headless { print("“\(branch)” is a branch of “\(name)” at step \(step)".harmlessLine) }
    return request
  }

  private static func step(_ target: BackTarget, of archive: StoredRun) throws -> Int {
    switch target {
    case .step(let step): return step
    case .best: return try archive.bestStep()
    case .named(let name): return try StoredRun.step(ofCheckpoint: name, in: archive.folder)
    case .last: return try archive.checkpoint().checkpoint.state.step
    }
  }

  /// Makes the request from the stored run and the options.
  /// - Parameters:
  ///   - stored: the checkpoint to continue from; nil begins again.
  ///   - run: the name of the run or of the branch.
  private func request(
    _ archive: StoredRun, _ stored: (checkpoint: Checkpoint, warnings: [String])?, of run: String, isBranch: Bool
  ) throws -> RunRequest {
    var past = RunRequest.Past(start: Handoff(nil), edits: [])
    var notices = ["there is no checkpoint to continue from: the run starts again from step 0"]
    var state: TrainerState?
    var before = archive.recipe
    past.beginning = archive.beginning
    past.backs = isBranch ? 0 : try archive.guardBacks()
    if let stored {
      var checkpoint = stored.checkpoint
      // A session that began at or after the checkpoint has its settings in its recipe.
      if isBranch || archive.beginning.step < checkpoint.state.step {
        past.settings = checkpoint.state.settings ?? [:]
        past.prompt = checkpoint.state.prompt
      }
      if isBranch {
        // The settings of the session that wrote the checkpoint, without the changes of later sessions.
        before = checkpoint.recipe
        past.beginning?.recipe = checkpoint.recipe
        past.beginning?.threads = checkpoint.state.threads
        past.beginning?.ranks = checkpoint.state.ranks ?? 1
      }
      for key in changes.allKeys { checkpoint.state.settings?[key] = nil }
      if changes.keys.contains("sample.prompt") { checkpoint.state.prompt = nil }
      state = checkpoint.state
      past.start = Handoff(checkpoint)
      notices = stored.warnings
      past.older = { [step = checkpoint.state.step, folder = archive.folder] in
        SoundCheckpoint(newestBefore: step, in: folder)
      }
      if checkpoint.state.guarded?.isSuspect == true {
        let sound = try StoredRun.newestSound(before: checkpoint.state.step, in: archive.folder)
        notices.append(
          "the weights of the checkpoint of step \(checkpoint.state.step) are spoilt: their loss is far above what it was; "
            + (sound.map {
              "“\(RunAddress(name: name, runs: place.runs).command("resume")) --step \($0)” continues from the last sound checkpoint"
            } ?? "no older checkpoint has sound weights"))
      }
    }
    past.step = state?.step
    past.edits = isBranch ? [] : try archive.edits(after: past.step ?? 0)
    past.last = isBranch ? past.step ?? 0 : try archive.summary().step
    before.take(past.settings)
    if let prompt = past.prompt { before.sample.prompt = prompt }
    var origins = KeyOrigins("run “\(name)”")
    var recipe = try changes.applied(to: before, &origins)
    if let seed { try recipe.set("seed", to: seed, source: "--seed \(seed)") }
    let edited = past.edits.compactMap { if case .weight(let change) = $0.command { change.head } else { nil } }
    past.weights = try recipe.takeWeights(
      named: changes.keys, of: "run “\(name)”", before: before, now: state?.weights, edited: Set(edited))
    past.droppedSettings = Set(
      past.edits.compactMap { if case .setting(let change) = $0.command { change.setting.key } else { nil } }
    ).intersection(changes.allKeys)
    // Values given now replace stored changes of the same heads and settings, which are not repeated.
    past.edits.removeAll { edit in
      switch edit.command {
      case .weight(let change): changes.keys.contains(change.head.kind.weightKey)
      case .setting(let change): changes.allKeys.contains(change.setting.key)
      case .prompt: changes.keys.contains("sample.prompt")
      default: false
      }
    }
    if let state, recipe.schedule.holds(at: state.step), !changes.allKeys.contains(where: { $0.hasPrefix("schedule.") })
    {
      let held = before.scheduledRate(at: state.step) * state.rateFactor
      if recipe.scheduledRate(at: state.step) * state.rateFactor != held { past.heldRate = held }
    }
    let isNew = past.step == 0 && archive.beginning.step == 0 && archive.beginning.trainingTokens == 0
    try refuseChanges(of: isNew ? Self.kept : Self.kept + Self.keptInSteps, from: before, to: recipe)
    if before.objective.next.isShaped { recipe.objective.next.keepSteerable() }
    try recipe.validate(origins)
    guard recipe.evaluate.task.isEmpty || !archive.recipe.evaluate.task.isEmpty else {
      throw UserError(
        .usage,
        "run “\(name)” began without evaluate.task, and its run.h5 has no column for the accuracy: "
          + "“\(RunAddress(name: name, runs: place.runs).command("eval")) --task \(recipe.evaluate.task)” puts the "
          + "questions to the last checkpoint")
    }
    if past.step == nil { try refuseLoss(of: past.last, past.weights, from: before, to: recipe) }
    let step = past.step ?? 0
    guard step < recipe.steps || state?.owesEvaluation == true else {
      let more =
        isBranch
        ? "--steps \(step * 2)" : "\(RunAddress(name: name, runs: place.runs).command("resume")) --steps \(step * 2)"
      throw UserError(
        .usage,
        "\(isBranch ? "the branch" : "run “\(name)”") is at step \(step) of \(recipe.steps): give more steps, such as “\(more)”"
      )
    }
    if !screen.headless && !screen.json {
      // A branch's screen shows its parent, dim after the checkpoint.
      past.events = try archive.history().filter { if case .ended = $0 { false } else { true } }
    }
    // More processes with as many threads each would share the same cores.
    let ranksBefore = isBranch ? state?.ranks ?? 1 : archive.beginning.ranks
    let threadsBefore = isBranch ? state?.threads : archive.beginning.threads
    let threads = try place.threads(before: ranksBefore == ranks?.count ?? 1 ? threadsBefore : nil)
    try recipe.require(ranks: ranks?.count ?? 1)
    notices += [ThreadOptions.warning(of: threads)].compactMap { $0 }
    if !recipe.diagnostics.isEmpty {
      let stored = try archive.storedDiagnostics()
      let unstored = recipe.diagnostics.filter { !stored.contains($0.name) }.map { "measure.\($0.name)" }
      if !unstored.isEmpty {
        notices.append(
          "\(unstored.joined(separator: ", ")): measured and shown, but not stored, since run “\(name)” began without; “foretop "
            + "export NAME DIR --to huggingface” and “foretop import DIR --set …” make a run with its weights that "
            + "stores them"
        )
      }
    }
    return RunRequest(
      recipe: recipe, address: RunAddress(name: run, runs: place.runs),
      source: try Corpus.Source(recipe, runs: place.runs), threads: threads, task: try TaskSet(recipe), past: past,
      notices: notices, ranks: ranks)
  }

  /// Refuses a changed recipe for a run without a checkpoint: the run begins again, and its stored steps would be replaced by
  /// different ones.
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

  private func refuseChanges(
    of keys: [(start: String, reason: String)], from before: Recipe, to after: Recipe
  ) throws {
    for field in Recipe.fields where field.read(before) != field.read(after) {
      guard let key = keys.first(where: { field.key.hasPrefix($0.start) }) else { continue }
      // Numbers of the recipe may change as by a command: those that shape a loss where it was shaped from the beginning.
      if let setting = RunSetting(rawValue: field.key), before.shapesNextToken || !setting.shapesNextToken { continue }
      // A teacher's file may be moved, as texts may.
      if field.key == "objective.teacher.file", before.objective.teacher.isThere, after.objective.teacher.isThere {
        continue
      }
      let remedy =
        field.key == "objective.teacher.file" && before.objective.teacher.isThere
        ? "to train without the teacher, set objective.teacher.weight to 0" : "begin a new run with “foretop train”"
      throw UserError(.usage, "\(field.key) cannot change in a run, since \(key.reason): \(remedy)")
    }
  }
}
