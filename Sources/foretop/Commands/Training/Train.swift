// foretop train: a new run.
import ArgumentParser
import Corpus
import Foundation
import Kernels
import Run
import RunFile
import Session
import Training

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a network and shows its progress.",
    discussion: """
      On the screen, ? lists the keys; q asks how to stop, and ctrl-C saves and stops. Without a terminal, or with \
      --headless, lines are printed instead, at most one a second.

      A reader of the lines or of --json that goes away does not end the run, and a slow reader does not delay it: \
      when 8192 steps wait for the reader, further steps are left out, and a line says which (with --json \
      {"event":"gap","steps":…,"firstStep":…,"lastStep":…,"others":…}); run.h5 has every step. When the run has ended, \
      a reader that takes nothing for five seconds is given up. Every JSON event has a number, in the order in which \
      run.h5 stores the events; a changed rate or weight has "confirmed":false until an event \
      {"event":"confirmed","confirms":…} names its number.

      \(Signals.help)

      Exit statuses: 0 the run ended as asked, 1 a loss was not finite, 128 + N signal N stopped the run (130 INT, \
      143 TERM, 140 USR2, 152 XCPU, 158 PWR). Errors have those of sysexits.h: 64 usage, 65 bad data, 66 no such file, \
      69 the machine lacks something or another process has the run, 73 cannot create, 74 input or output.

      The keys of a recipe, for --set:

      \(keys)
      """)

  /// A line a key.
  private static var keys: String {
    let width = Recipe.fields.map(\.key.count).max() ?? 0
    return Recipe.fields.map { field in
      "  \(field.key)\(String(repeating: " ", count: width - field.key.count))  \(field.about)"
    }.joined(separator: "\n")
  }

  @Argument(help: ArgumentHelp("A name in recipes/ or a path to a YAML file.", valueName: "recipe"))
  var recipe = "default"

  @OptionGroup var changes: RecipeOptions

  @Option(
    help: ArgumentHelp(
      "The run's name: its folder in the folder of all runs. Without it, the recipe's.", valueName: "name"))
  var name: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Seed of the initial weights, the data order, dropout and samples, as --set seed=N.", valueName: "n"))
  var seed: String?

  @OptionGroup var place: PlaceOptions
  @OptionGroup var screen: ScreenOptions
  @OptionGroup var background: BackgroundOptions

  func run() throws {
    try Computation.prepare()
    let (screen, front) = try background.begin(screen)
    Signals.expectRequests()
    let file = try RecipeFile(recipe)
    var origins = file.origins
    var recipe = try changes.applied(to: file.recipe, &origins)
    if let seed { try recipe.set("seed", to: seed, source: "--seed \(seed)") }
    try recipe.validate(origins)
    let threads = try place.threads()
    try Self.checkMemory(recipe, threads: threads)
    let request = RunRequest(
      recipe: recipe, address: RunAddress(name: try freeName(after: file.name), runs: place.runs),
      source: try Corpus.Source(recipe, runs: place.runs), threads: threads,
      notices: [ThreadOptions.warning(of: threads)].compactMap { $0 })
    var loop = ForegroundLoop(request, options: screen, front: front)
    throw Ended(status: try loop.run())
  }

  /// Refuses what cannot fit before a tokenizer is trained and a text is read. Where the size of the vocabulary is not
  /// known before that, the trainer checks it afterwards.
  private static func checkMemory(_ recipe: Recipe, threads: Int) throws {
    let isKnown = recipe.tokenizer.kind == .sentencepiece && recipe.tokenizer.model.isEmpty
    let plan = try RunPlan(recipe, vocabulary: isKnown ? recipe.tokenizer.vocabulary : 1, threads: threads)
    try plan.checkMachine()
  }

  /// The name that was asked for, if it is free; else the recipe's with a number.
  private func freeName(after recipe: String) throws -> String {
    guard let name else { return try RunName.nextFree(recipe, in: place.runs) }
    try RunName.check(name)
    let address = RunAddress(name: name, runs: place.runs)
    guard RunName.isFree(address.folder) else {
      throw UserError(
        .cannotCreate,
        "there is a run “\(name)” already in \(place.runs): “\(address.command("resume"))” goes on with it, or "
          + "choose another --name"
      )
    }
    return name
  }
}
