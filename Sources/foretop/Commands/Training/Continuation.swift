// How a stored run goes on: from its last checkpoint as itself, or from another one as a branch.
import Corpus
import Foundation
import Run
import RunFile
import Session

/// What the command line says of a run that goes on, and the request that this comes to.
struct Continuation {
  let name: String
  let changes: RecipeOptions
  let seed: String?
  let place: PlaceOptions
  let screen: ScreenOptions

  /// Keys that a run keeps for good: of its network, and once it has taken a step. `data.paths` may change, since files move.
  private static let kept = ["model.", "tokenizer.", "objective."]
  private static let keptInSteps = ["data.heldOut", "data.documents", "data.separator", "seed"]

  /// To go on with the run itself, unless a checkpoint is named behind which steps are stored: then with a branch of it.
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

  /// To begin a branch of a run, which another process may train meanwhile.
  /// - Parameter branch: its name; nil takes the next free one.
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
    // Last: from here on it has a folder.
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

  /// What is stored, and what is to be done with it.
  /// - Parameters:
  ///   - stored: the checkpoint to go on from; nil begins again.
  ///   - name: of the run that goes on, or of the branch.
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
        // As the session had them that wrote the checkpoint, whatever later ones changed.
        before = checkpoint.recipe
        past.beginning?.recipe = checkpoint.recipe
        past.beginning?.threads = checkpoint.state.threads
      }
      for key in changes.allKeys { checkpoint.state.settings?[key] = nil }
      if changes.keys.contains("sample.prompt") { checkpoint.state.prompt = nil }
      state = checkpoint.state
      past.start = Handoff(checkpoint)
      notices = stored.warnings
      if checkpoint.state.guarded?.isSuspect == true {
        let steps = try archive.checkpoints().map(\.step).filter { $0 < checkpoint.state.step }
        let sound = StoredRun.newestSound(of: steps, in: archive.folder)
        notices.append(
          "the weights of the checkpoint of step \(checkpoint.state.step) are spoilt: their loss is far above what it was; "
            + (sound.map {
              "“\(RunAddress(name: name, runs: place.runs).command("resume")) --step \($0)” goes on from the last sound one"
            } ?? "there is no older one whose weights are sound"))
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
    // What is asked for now holds: the same heads' and settings' changes after the checkpoint are not made again.
    past.edits.removeAll { edit in
      switch edit.command {
      case .weight(let change): changes.keys.contains(change.head.kind.weightKey)
      case .setting(let change): changes.allKeys.contains(change.setting.key)
      case .prompt: changes.keys.contains("sample.prompt")
      default: false
      }
    }
    let isNew = past.step == 0 && archive.beginning.step == 0 && archive.beginning.trainingTokens == 0
    try refuseChanges(of: isNew ? Self.kept : Self.kept + Self.keptInSteps, from: before, to: recipe)
    try recipe.validate(origins)
    if past.step == nil { try refuseLoss(of: past.last, past.weights, from: before, to: recipe) }
    let step = past.step ?? 0
    guard step < recipe.steps || state?.owesEvaluation == true else {
      throw UserError(
        .usage,
        "\(isBranch ? "the branch" : "run “\(name)”") is at step \(step) of \(recipe.steps): give more with --steps N, such "
          + "as --steps \(step * 2)"
      )
    }
    if !screen.headless && !screen.json {
      // Of a branch's parent too: what comes after the checkpoint is dim.
      past.events = try archive.history().filter { if case .ended = $0 { false } else { true } }
    }
    let threads = try place.threads(before: isBranch ? state?.threads : archive.beginning.threads)
    notices += [ThreadOptions.warning(of: threads)].compactMap { $0 }
    return RunRequest(
      recipe: recipe, address: RunAddress(name: run, runs: place.runs),
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
