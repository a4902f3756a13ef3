// foretop experiment rate RECIPE: short runs over a grid of learning rates.
import ArgumentParser
import Experiments
import Foundation
import Run
import TerminalUI

struct ExperimentRate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rate", abstract: "Searches for the best learning rate of a recipe.",
    discussion: """
      The command makes short runs with a constant rate after the warm-up, at rates a factor of √10 apart (or those of \
      --rates), and compares their held-out losses. The best rate of a short run is often a little above the best one of a long run.
      """)

  @Argument(help: ArgumentHelp("A name in recipes/ or a path to a YAML file.", valueName: "recipe"))
  var recipe = "default"

  @Option(help: ArgumentHelp("Rates, separated by commas. Default: seven around the recipe's.", valueName: "rates"))
  var rates: String?

  @OptionGroup var options: ExperimentOptions
  @OptionGroup var running: RunningOptions

  /// Steps of a run where nothing else is asked for.
  private static let steps = 200

  func run() throws {
    let base = try RecipeFile(recipe)
    var origins = base.origins
    let changed = try options.changes.applied(to: base.recipe, &origins)
    // A rate on the command line is the middle of the grid, and no change of all cells.
    var others = options
    others.changes.assignments.removeAll { RecipeOptions.key(of: $0) == "schedule.rate" }
    let words = rates.map { $0.split(separator: ",").map { String($0).trimmingSpaces } }
    if let words, words.isEmpty {
      throw UserError(.usage, "--rates is empty: write some, such as 3e-4,1e-3, or leave it out")
    }
    let grid = words ?? RateChoice.grid(around: changed.schedule.rate).map { Figure.scientific($0) }
    let steps = min(Self.steps, changed.steps)
    var file = ExperimentFile(
      name: "rate-\(base.name)", recipe: recipe,
      changes: [
        ExperimentFile.Assignment("schedule.kind", "constant"),
        ExperimentFile.Assignment("schedule.warmup", "\(min(changed.schedule.warmup, steps / 5))"),
        ExperimentFile.Assignment("steps", "\(steps)"),
        ExperimentFile.Assignment("evaluate.every", "\(max(1, steps / 4))"),
        ExperimentFile.Assignment("save.every", "\(steps)"), ExperimentFile.Assignment("sample.every", "0"),
        ExperimentFile.Assignment("stop.until", ""), ExperimentFile.Assignment("stop.patience", "0"),
      ], settings: ExperimentFile.grid("schedule.rate", grid), seeds: [changed.seed])
    file.metrics = ["held-out/\(changed.heads[0].name)"]
    guard Set(grid).count == grid.count else { throw UserError(.usage, "--rates has a rate twice") }
    let sentence = "Learning rates for the recipe \(base.name)"
    let work = try running.work(others.applied(to: file), sentence: sentence, others)
    try running.carryOut(work) { table, _ in
      table.sweepChart(over: "schedule.rate")
    } saying: {
      RateChoice($0).sentence
    }
  }
}
