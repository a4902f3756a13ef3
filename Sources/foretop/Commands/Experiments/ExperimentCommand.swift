// foretop experiment: many runs of a recipe with other settings and seeds, and what came of them.
import ArgumentParser
import Dashboard
import Experiments
import Foundation
import Run
import TerminalUI

struct ExperimentCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "experiment",
    abstract: "Runs experiments: settings × seeds, with intervals.",
    discussion: """
      An experiment is a YAML file: a recipe, named settings and seeds. Each combination is a run SETTING-SEED in the \
      folder runs/EXPERIMENT, where all other commands find it as EXPERIMENT/SETTING-SEED. These runs are the only state \
      of an experiment: after a stop or a kill, the same command continues. “foretop experiment list” lists the \
      experiments that come with the program.
      """,
    subcommands: [ExperimentRun.self, ExperimentRate.self, ExperimentReport.self, ExperimentList.self],
    defaultSubcommand: ExperimentRun.self)
}

struct ExperimentList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "Lists the experiments that come with the program.")

  func run() throws {
    let files = BundledFiles.files(in: "experiments")
    guard !files.isEmpty else {
      throw UserError(.noInput, "the program's folder experiments/ is missing or empty: install it again")
    }
    let rows = try files.map {
      [$0.name, RecipesCommand.sentence(of: try BundledFiles.text(at: $0.path, what: "experiment"))]
    }
    print(TextTable.text(rows, right: []))
  }
}

/// Which experiment, and what the command line changes in it.
struct ExperimentOptions: ParsableArguments {
  @OptionGroup var changes: RecipeOptions

  @Option(value: "seeds", "Seeds instead of the file's: their number, or a list such as 3,4,5.")
  var seeds: String?

  @Option(help: ArgumentHelp("Runs only the cells of this setting; can be repeated.", valueName: "setting"))
  var only: [String] = []

  @Option(
    name: .customLong("name"),
    help: ArgumentHelp("The folder of its runs in --runs. Default: the experiment's name.", valueName: "name"))
  var folderName: String?

  @OptionGroup var folder: FolderOptions

  /// The experiment with these changes.
  func applied(to original: ExperimentFile) throws -> ExperimentFile {
    var file = original
    if let folderName { file.name = folderName }
    if let seeds {
      let words = seeds.split(separator: ",").map { UInt64($0.filter { $0 != " " }) }
      guard !words.isEmpty, words.allSatisfy({ $0 != nil }) else {
        throw UserError(.usage, "--seeds \(seeds.quotation): write their number, or a list such as 3,4,5")
      }
      let list = words.compactMap { $0 }
      guard seeds.contains(",") || (1...UInt64(ExperimentFile.mostCells)).contains(list[0]) else {
        throw UserError(.usage, "--seeds \(seeds): from 1 to \(ExperimentFile.mostCells) seeds are possible")
      }
      file.seeds = seeds.contains(",") ? list : (1...list[0]).map { $0 }
      guard Set(file.seeds).count == file.seeds.count else { throw UserError(.usage, "--seeds has a seed twice") }
    }
    guard !only.isEmpty else { return file }
    let names = file.settings.map(\.name)
    if let stranger = only.first(where: { !names.contains($0) }) {
      let meant =
        names.nearest(to: stranger).map { "; did you mean \($0)?" } ?? "; there are \(names.joined(separator: ", "))"
      throw UserError(.usage, "--only: there is no setting \(stranger.quotation)\(meant)")
    }
    file.settings.removeAll { !only.contains($0.name) }
    file.isPart = true
    if let against = file.against, !only.contains(against) { file.against = nil }
    return file
  }
}

/// How results are printed.
struct ResultOptions: ParsableArguments {
  @Flag(help: "Prints JSON objects, one a line: every cell, then every setting.")
  var json = false

  @Flag(help: "Prints a line of comma-separated values per cell.")
  var csv = false

  @OptionGroup var export: ExportOptions

  /// Prints the table, and writes what is to be exported.
  /// - Parameter chart: what is drawn below the table; nil: nothing.
  func put(_ table: ExperimentTable, _ chart: ChartData?, glyphs: Glyphs) throws {
    if json {
      for line in table.json { print(line.line) }
    } else if csv {
      print(table.csv, terminator: "")
    } else {
      let (header, rows) = table.text
      print(TextTable.text([header.map { $0.uppercased() }] + rows, right: Set(1..<header.count)))
      for note in table.notes { print(note) }
      if let (header, rows) = table.differenceText {
        print("\n" + TextTable.text([header.map { $0.uppercased() }] + rows, right: Set(1..<header.count)))
        print("Differences of all values, each with its 95 % confidence interval (Welch).")
      }
      if let chart {
        print("")
        print(chart.text(columns: min(TextTable.terminalColumns ?? 100, 120), rows: 20, glyphs: glyphs))
      }
    }
    guard export.isAsked else { return }
    try export.write(chart, csv: table.csv)
  }
}
