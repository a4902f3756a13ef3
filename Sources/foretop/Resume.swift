// foretop resume: a run goes on from its last checkpoint.
import ArgumentParser
import Foundation
import Run
import RunFile

struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Goes on with a run from its last checkpoint.",
    discussion: """
      What was computed after the checkpoint is computed again and compared with what is stored. Of the recipe, what \
      shapes the network, its tokens or its data stays; steps, schedule, optimizer, and how often the run is saved, \
      evaluated and sampled may change.
      """)

  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String

  @OptionGroup var changes: RecipeOptions

  @Option(parsing: .unconditional, help: .hidden)
  var seed: String?

  @OptionGroup var place: PlaceOptions
  @OptionGroup var screen: ScreenOptions

  /// Keys that a run keeps for good: of its network, and once it has taken a step. `data.paths` may change, since files move.
  private static let kept = ["model.", "tokenizer.", "objective."]
  private static let keptInSteps = ["batch.", "data.heldOut", "data.documents", "data.separator", "seed"]

  func run() throws {
    try Computation.prepare()
    let archive = try StoredRun.archive(name, in: place.folder)
    guard archive.state != .training else {
      throw UserError(.unavailable, "run “\(name)” is going on in another process: stop that one first")
    }
    var past = Plan.Past(start: Parcel(nil), edits: [])
    var notices = ["there is no checkpoint to go on from: the run begins again"]
    if try !archive.checkpoints().isEmpty {
      let (checkpoint, warnings) = try archive.checkpoint()
      past.step = checkpoint.state.step
      past.start = Parcel(checkpoint)
      notices = warnings
    }
    past.edits = try archive.edits(after: past.step ?? 0)
    let before = archive.recipe
    var recipe = try changes.applied(to: before)
    if let seed { try recipe.set("seed", to: seed, source: "--seed \(seed)") }
    let isNew = past.step == 0 && archive.beginning.step == 0 && archive.beginning.trainingTokens == 0
    try refuseChanges(of: isNew ? Self.kept : Self.kept + Self.keptInSteps, from: before, to: recipe)
    try recipe.validate(source: "run “\(name)”")
    if past.step == nil { try refuseLoss(of: archive, from: before, to: recipe) }
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
    let plan = Plan(
      recipe: recipe, name: name, runs: place.runs, threads: place.threads(before: archive.beginning.threads),
      past: past,
      notices: notices)
    var conductor = Conductor(plan, options: screen)
    throw Ended(status: try conductor.run())
  }

  /// Without a checkpoint a run begins again, and takes the same steps once more. With another recipe they would be others, and
  /// those that are stored would be lost.
  private func refuseLoss(of archive: Archive, from before: Recipe, to after: Recipe) throws {
    let stored = try archive.summary().step
    let harmless = ["save.", "evaluate.", "sample.", "data.paths"]
    let changed = Recipe.fields.first { field in
      !harmless.contains(where: field.key.hasPrefix) && field.read(before) != field.read(after)
    }
    guard stored > 0, let changed else { return }
    throw UserError(
      .usage,
      "run “\(name)” has no checkpoint: it begins again, and with another \(changed.key) the \(stored) steps that are stored would "
        + "be replaced by others; resume it without a change, or begin a new run with “foretop train”")
  }

  private func refuseChanges(of keys: [String], from before: Recipe, to after: Recipe) throws {
    for field in Recipe.fields where keys.contains(where: field.key.hasPrefix) {
      guard field.read(before) != field.read(after) else { continue }
      throw UserError(
        .usage,
        "\(field.key) cannot change in a run, since what was learned depends on it: begin a new run with “foretop train”"
      )
    }
  }
}
