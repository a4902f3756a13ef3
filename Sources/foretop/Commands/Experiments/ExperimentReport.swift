// foretop experiment report NAME: the page for docs of what is stored.
import ArgumentParser
import Curses
import Dashboard
import Experiments
import Foundation
import Run

struct ExperimentReport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Prints the results of an experiment as a page in Markdown.",
    discussion: """
      The command trains nothing: it reads the stored runs, even while another process trains them. Give it the options \
      with which the experiment was run.
      """)

  @Argument(help: ArgumentHelp("A name in experiments/ or a path to a YAML file.", valueName: "experiment"))
  var name: String

  @Option(value: "scale", "Size of an experiment that has several: quick, evening, small or paper.")
  var scale: String?

  @Flag(help: "Prints the table instead of the page: as text, or in the format of --json or --csv.")
  var table = false

  @OptionGroup var options: ExperimentOptions
  @OptionGroup var results: ResultOptions

  func run() throws {
    let (file, sentence) = try ExperimentWork.file(name, scale: scale)
    let work = try ExperimentWork(options.applied(to: file), sentence: sentence, options)
    let word = scale.map { "\(name) --scale \($0)" } ?? name
    let readings = try work.readings()
    guard readings.contains(where: { $0 != nil }) else {
      throw UserError(
        .noInput, "nothing of the experiment is stored in \(work.folder): “\(work.command(word))” runs it")
    }
    let stored = work.table(readings)
    let chart = stored.resultChart(of: readings)
    guard !table, !results.json, !results.csv else {
      return try results.put(stored, chart, glyphs: Screen.isUTF8Asked ? .braille : .ascii)
    }
    let picture = chart?.text(columns: 100, rows: 20, glyphs: .blocks) ?? ""
    print(stored.page(sentence: sentence, command: work.command(word), chart: picture), terminator: "")
    if results.export.isAsked { try results.export.write(chart, csv: stored.csv) }
  }
}
