// foretop train: a new run.
import ArgumentParser
import Corpus
import Foundation
import Kernels
import Run
import RunFile
import Session
import TerminalUI
import Training

struct Train: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Trains a network and shows its progress.",
    discussion: """
      On the screen, ? lists the keys, q asks how to stop, and ctrl-C saves and stops. Without a terminal, or with \
      --headless, lines are printed instead, at most one a second.

      When the program that reads the lines or the JSON ends, the run continues. A slow reader does not delay the run: \
      when 8192 steps wait for the reader, further steps are left out, and a line names them (with --json \
      {"event":"gap","steps":…,"firstStep":…,"lastStep":…,"others":…}); run.h5 has every step. After the run, the \
      process waits for a slow reader for a minute at most, and only while the reader takes something every five \
      seconds. JSON events are numbered in the order in which run.h5 stores them. A change of a rate, a weight or a \
      setting has "confirmed":false; when the change is on the disk, {"event":"confirmed","confirms":N} with the \
      change's number N follows.

      \(Signals.help)

      Exit statuses: 0 the run ended as asked, 1 a loss was not finite, 128 + N signal N stopped the run (130 INT, \
      143 TERM, 140 USR2, 152 XCPU, 158 PWR). Errors have the statuses of sysexits.h: 64 usage, 65 bad data, 66 no such \
      file, 69 unavailable (CPU, memory or system resources, or a run held by another process), 73 cannot create, \
      74 input or output.

      The keys of a recipe, for --set:

      \(keys)
      """)

  /// The recipe's keys with effect, range and default.
  private static var keys: String {
    HelpTable.text(
      Recipe.fields.map { field in
        let value = field.read(Recipe()).words
        return (field.key, "\(field.about) (\(field.kind.words); default: \(value.isEmpty ? "empty" : value))")
      })
  }

  @Argument(help: ArgumentHelp("A name in recipes/ or a path to a YAML file.", valueName: "recipe"))
  var recipe = "default"

  @OptionGroup var changes: RecipeOptions

  @Option(
    help: ArgumentHelp(
      "The run's name, which is also its folder in --runs. Default: the recipe's name.", valueName: "name"))
  var name: String?

  @Option(value: "n", "Seed of the initial weights, the data order, dropout and samples; the same as --set seed=N.")
  var seed: String?

  @OptionGroup var place: PlaceOptions
  @OptionGroup var showing: SessionOptions

  func run() throws { try RankStart.computing { ranks in try run(with: ranks) } }

  private func run(with ranks: Ranks?) throws {
    let (screen, front) = try showing.begin(besides: ranks)
    let file = try RecipeFile(recipe)
    var origins = file.origins
    var recipe = try changes.applied(to: file.recipe, &origins)
    if let seed { try recipe.set("seed", to: seed, source: "--seed \(seed)") }
    try recipe.validate(origins)
    try recipe.requireDecisions(origins)
    let threads = try place.threads()
    try Self.checkMemory(recipe, threads: threads, ranks: ranks?.count ?? 1)
    let request = RunRequest(
      recipe: recipe, address: RunAddress(name: try freeName(after: file.name), runs: place.runs),
      source: try Corpus.Source(recipe, runs: place.runs), threads: threads,
      task: try TaskSet(recipe), notices: [ThreadOptions.warning(of: threads)].compactMap { $0 },
      ranks: ranks)
    throw Ended(status: try showing.follow(request, on: screen, front))
  }

  /// Refuses a recipe that needs too much memory before a tokenizer is trained and a text is read. If the size of the vocabulary
  /// is not known yet, the trainer checks again afterwards.
  private static func checkMemory(_ recipe: Recipe, threads: Int, ranks: Int) throws {
    let isKnown = recipe.tokenizer.kind == .sentencepiece && recipe.tokenizer.model.isEmpty
    let vocabulary =
      recipe.data.kind == .stargraph ? recipe.data.graph.vocabulary : isKnown ? recipe.tokenizer.vocabulary : 1
    let plan = try RunPlan(recipe, vocabulary: vocabulary, threads: threads, ranks: ranks)
    try plan.checkMachine()
  }

  /// The requested name, which must be free; without one, the recipe's name, with a number if needed.
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

extension Recipe.Field.Content {
  /// The value as in a recipe.
  fileprivate var words: String {
    switch self {
    case .integer(let value): "\(value)"
    case .unsigned(let value): "\(value)"
    case .number(let value): Figure.factor(value)
    case .flag(let value): "\(value)"
    case .text(let value): value.replacing("\n", with: "⏎")
    case .texts(let values): values.joined(separator: ", ")
    case .numbers(let values): values.map(Figure.factor).joined(separator: ", ")
    }
  }
}
