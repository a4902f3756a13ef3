// foretop compare: several runs on one chart, or as text.
import ArgumentParser
import Dashboard
import Foundation
import Run
import RunFile
import TerminalUI

struct Compare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares runs at equal steps, tokens, time or loss; or shows any metric of one run.",
    discussion: """
      On a terminal, all curves are shown on one chart; elsewhere, or with --text, tables are printed: the last and the \
      best value of each run, its value at the end of the shortest run, the place where each run reaches the last value \
      of every other, and the recipe keys that differ. Runs whose recipes differ only in the seed become one curve, with \
      mean and standard deviation. --json prints one object per curve, per run and per recipe key that differs. With \
      --export, the chart is written as a file instead.

      One run alone is shown over training: its curve on the chart, some of its values as text, and all of them with --json.

      Metrics of steps (losses are smoothed) and of evaluations; HEAD is ntp, top, mtp-2 and so on, and PART a part of the \
      network: embedding, block-0, block-1, …, mtp-2, …, heads:

      \(HelpTable.text(ComparedMetric.families))

      Diagnostics, which evaluations measure if the recipe's measure.NAME asks for them (“foretop inspect NAME \
      diagnostics” lists those that a run has):

      \(HelpTable.text(DiagnosticKind.families))
      """)

  @OptionGroup var which: RunsArgument

  @Option(help: "Compares the runs at equal step, tokens, time (without pauses) or loss.")
  var align = CompareAxis.tokens

  @Option(help: ArgumentHelp("The metric to compare. Default: the held-out loss of the first head.", valueName: "name"))
  var metric: String?

  @Option(help: ArgumentHelp("The run with which the others are compared. Default: the first.", valueName: "name"))
  var against: String?

  @OptionGroup var shown: ShowingOptions

  @OptionGroup var export: ExportOptions

  /// The most runs, since the history of each is in memory.
  private static let most = 64

  func validate() throws {
    guard which.names.count <= Self.most else {
      throw ValidationError("compare takes at most \(Self.most) runs, and \(which.names.count) are given")
    }
    if let twice = which.names.first(where: { name in which.names.filter { $0 == name }.count > 1 }) {
      throw ValidationError("“\(twice)” is named twice")
    }
  }

  func run() throws {
    let (comparison, bookmarks) = try comparison()
    if export.isAsked { return try export.write(comparison.chart) }
    if !shown.isPrinted, let status = try show(comparison, bookmarks) { throw Ended(status: status) }
    if shown.json {
      for line in comparison.json { print(line.line) }
      return
    }
    print(ComparisonText.tables(comparison))
  }

  /// Reads the runs.
  private func comparison() throws -> (Comparison, [StoredRun.Bookmark]) {
    let folders = try which.names.map { try RunLookup.folder($0, in: shown.place) }
    StoredRun.prepare(folders, withCheckpoints: false)
    var bookmarks: [StoredRun.Bookmark] = []
    let runs = try which.names.map { name in
      let followed = try RunLookup.toFollow(name, in: shown.place)
      bookmarks.append(followed.bookmark)
      return ComparedRun(
        name: name, recipe: followed.run.recipe, state: followed.run.state.rawValue, events: followed.events)
    }
    var comparison = Comparison(runs, axis: align)
    if let metric { comparison.metric = try comparison.metric(named: metric) }
    if let against {
      guard let index = which.names.firstIndex(of: against) else {
        throw UserError(.usage, "--against \(against.quotation): name one of the runs that are compared")
      }
      comparison.against = comparison.lines.firstIndex { $0.members.contains(index) } ?? 0
    }
    return (comparison, bookmarks)
  }

  /// Shows the comparison on a screen.
  /// - Returns: the process's exit status; nil if the terminal cannot show a screen.
  private func show(_ comparison: Comparison, _ bookmarks: [StoredRun.Bookmark]) throws -> Int32? {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1 else { return nil }
    guard comparison.lines.count <= Comparison.mostLines else {
      throw UserError(
        .usage,
        "a chart has at most \(Comparison.mostLines) lines, and these runs make \(comparison.lines.count): name fewer of "
          + "them, or add --text")
    }
    let layouts = try LayoutFiles()
    let loop = try BrowserLoop(shown.place, shown.looks, layouts) { glyphs in
      var browser = Browser(layouts: layouts.layouts, problems: layouts.problems)
      browser.compare = CompareScreen(comparison, glyphs: glyphs)
      return browser
    }
    guard var loop else { return nil }
    for (name, bookmark) in zip(which.names, bookmarks) { loop.follow(name, from: bookmark) }
    return loop.run()
  }
}

extension CompareAxis: ExpressibleByArgument {}
