// Going back: the session ends, and another one goes on from a checkpoint of its run, as a branch.
import Foundation
import Run
import RunFile
import Synchronization
import Training

extension TrainingSession {
  /// Takes the branch's name and the checkpoint, and keeps what the session of the branch begins with. On the trainer's thread.
  /// - Parameters:
  ///   - present: the step at which it is asked.
  ///   - factor: of the rate at the checkpoint, for the branch; nil leaves it as it is.
  /// - Throws: `UserError` with a sentence; then nothing has changed.
  func prepareBranch(
    from target: BackTarget, at present: Int, by actor: Occurrence.Actor, rateFactor factor: Double? = nil
  ) throws -> Trainer.BranchStart {
    let address = self.address
    let step = try Self.step(target, at: present, in: address.folder)
    var (checkpoint, _) = try StoredRun.checkpoint(in: address.folder, step: step)
    let name = try RunName.nextBranch(of: address.name, in: address.runs)
    // What this session added at its start is not in the checkpoint that it started from: values from the command line, and the
    // guard's rate.
    let isStart = step == request.past?.step && !startIsSaved.load(ordering: .relaxed)
    let beginning = isStart ? request.past : nil
    var recipe = checkpoint.recipe
    var past = RunRequest.Past(start: Handoff(nil), edits: [])
    past.step = step
    past.last = step
    past.older = { [folder = address.folder] in SoundCheckpoint(newestBefore: step, in: folder) }
    past.settings = checkpoint.state.settings ?? [:]
    past.beginning = began
    past.beginning?.recipe = recipe
    past.beginning?.threads = checkpoint.state.threads
    past.beginning?.ranks = checkpoint.state.ranks ?? 1
    past.branchActor = actor
    past.rateFactor = beginning?.rateFactor.map { $0 * (factor ?? 1) } ?? factor
    past.backs = actor == .guard ? (request.past?.backs ?? 0) + 1 : 0
    recipe.take(past.settings)
    if let beginning {
      (past.weights, past.heldRate, past.prompt) = (beginning.weights, beginning.heldRate, beginning.prompt)
      let changed = RunSetting.allCases.filter { $0.value(in: recipe) != $0.value(in: request.recipe) }
      for setting in changed { checkpoint.state.settings?[setting.key] = nil }
      if checkpoint.state.prompt != request.recipe.sample.prompt { checkpoint.state.prompt = nil }
      recipe = request.recipe
    }
    // A run that was made longer since has its checkpoint's end behind it.
    if step >= recipe.steps { recipe.steps = request.recipe.steps }
    let branch = try PendingBranch(of: address.folder, at: step, in: "\(address.runs)/\(name)")
    past.branch = branch
    past.start = Handoff(checkpoint)
    keepNext(
      RunRequest(
        recipe: recipe, address: RunAddress(name: name, runs: address.runs), source: request.source,
        threads: request.threads, task: request.task, past: past, ranks: request.ranks))
    return Trainer.BranchStart(name: name, step: step)
  }

  /// The checkpoint that is meant.
  private static func step(_ target: BackTarget, at present: Int, in folder: String) throws -> Int {
    let steps = try StoredRun.checkpointSteps(in: folder)
    guard !steps.isEmpty else {
      throw UserError(.noInput, "there is no checkpoint yet to go back to: “save” makes one")
    }
    switch target {
    case .best: return try StoredRun.bestStep(in: folder)
    case .named(let name): return try StoredRun.step(ofCheckpoint: name, in: folder)
    case .step(let step):
      guard steps.contains(step) else {
        throw UserError(
          .noInput,
          "there is no checkpoint of step \(step): there are \(steps.map(String.init).joined(separator: ", "))")
      }
      return step
    case .last:
      return try StoredRun.newestSound(before: present, in: folder) ?? steps[steps.count - 1]
    }
  }
}
