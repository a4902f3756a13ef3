// foretop runs: lists the runs.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Runs: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists the runs.",
    discussion: """
      Columns are name, state, step, tokens, parameters, loss, heldout, best, accuracy, ndcg8, saved, size, changed, \
      created, parent, tag, note, and every key of a recipe, such as schedule.rate. Sorting and filtering by loss or \
      heldout uses the loss of the first head. “foretop runs --filter state=finished --filter 'best<3' --sort best” \
      lists the good runs, best first. A branch is indented below its parent. The columns tag and note appear if a \
      listed run has tags or notes. tag=seed-study matches runs with that tag; note~word matches runs with that word in \
      a note.

      A state is starting, training, finished, stopped, abandoned, diverged, failed, interrupted (the process was \
      killed) or unreadable. While a process starts a run, its other cells are empty, and --json prints only name and state. \
      Without a terminal, the losses of many heads are cut to \(mostOfLosses) characters; --json prints them all.
      """, aliases: ["ls", "list"])

  @OptionGroup var folder: FolderOptions

  @Option(
    help: ArgumentHelp(
      "Lists only runs that match a condition: a column, one of = != < <= > >= ~ (contains), and a value (bytes for size, seconds since 1970 for changed and created). Can be repeated.",
      valueName: "filter"))
  var filter: [String] = []

  @Option(
    help: ArgumentHelp(
      "Sorts by a column, lowest first; without this option, the last changed run comes first.", valueName: "column"))
  var sort: String?

  @Flag(help: "Reverses the order.")
  var reverse = false

  @Option(help: ArgumentHelp("The columns to list, separated by commas.", valueName: "columns"))
  var columns: String?

  @Flag(help: "Prints one JSON object per run, one a line; with --columns, of these columns only.")
  var json = false

  func run() throws {
    var columns = try
      (self.columns.map { $0.split(separator: ",").map { String($0).trimmingSpaces } } ?? RunColumn.usual)
      .map { try RunColumn(named: $0, option: "--columns") }
    guard !columns.isEmpty else { throw UserError(.usage, "--columns is empty: write some, such as name,best") }
    let filters = try filter.map(RunFilter.init)
    let order = try RunColumn(named: sort ?? "changed", option: "--sort")
    let all = try StoredRun.runs(in: folder.runs)
    for name in try StoredRun.namesThatAreNotText(in: folder.runs) {
      Output.warn("\(name) in \(folder.runs) has a name that is not UTF-8, and is left out: rename it".harmlessLine)
    }
    for filter in filters { try filter.check(with: all) }
    let runs = all.filter { run in filters.allSatisfy { $0.admits(run) } }
      .sorted { order.precedes($0, $1, isReversed: reverse != (sort == nil)) }
    if json {
      for run in runs {
        let asked = self.columns.map { _ in JSON.object(columns.map { JSON.Member($0.name, $0.json(of: run)) }) }
        print((asked ?? run.json).line)
      }
      return
    }
    guard !all.isEmpty else {
      print("there are no runs in \(folder.runs) yet: “foretop train” begins one")
      return
    }
    guard !runs.isEmpty else {
      print("none of the \(all.count) runs in \(folder.runs) matches the filter")
      return
    }
    if self.columns == nil {
      for column in RunColumn.annotations where runs.contains(where: { column.value($0) != nil }) {
        columns.append(column)
      }
    }
    let parents = RunTree.parents(of: runs)
    let listed = RunTree.listed(runs.map(\.name)) { parents[$0] }
    let byName = Dictionary(runs.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    print(table(of: listed.compactMap { run in byName[run.name].map { ($0, run.depth) } }, columns))
    for run in runs {
      for problem in [run.error, run.warning] { if let problem { print("\(run.name): \(problem)".harmlessLine) } }
    }
  }

  /// Without a terminal, characters of a cell with losses: those of a run with many heads would widen the rows of all runs.
  private static let mostOfLosses = 40

  /// The list. On a terminal that is too narrow for it, long cells are cut; then columns are left out, unless --columns lists them.
  private func table(of runs: [(run: RunSummary, depth: Int)], _ all: [RunColumn]) -> String {
    var columns = all
    var rank = RunColumn.leastNeeded[...]
    var cuts: ArraySlice<Int> = [40, 24]
    var most: Int?
    let isTerminal = TextTable.terminalColumns != nil
    func cell(_ column: RunColumn, _ run: RunSummary, _ depth: Int) -> String {
      let text = column.cell(run)
      if column.name == "name" { return String(repeating: "  ", count: depth) + text }
      return !isTerminal && ["loss", "heldout"].contains(column.name) ? text.cut(to: Self.mostOfLosses) : text
    }
    while true {
      let rows =
        [columns.map { Self.header($0.name) }]
        + runs.map { run, depth in columns.map { cell($0, run, depth) } }
      let text = TextTable.text(rows, right: Set(columns.indices.filter { columns[$0].isRight }), cutTo: most)
      let width = text.split(separator: "\n").map { String($0).width }.max() ?? 0
      guard let room = TextTable.terminalColumns, width > room else { return text }
      if let cut = cuts.popFirst() {
        most = cut
        continue
      }
      guard self.columns == nil, let name = rank.popFirst() else { return text }
      columns.removeAll { $0.name == name }
    }
  }

  private static func header(_ name: String) -> String { name == "heldout" ? "HELD-OUT" : name.uppercased() }
}

extension RunSummary {
  /// As `--json` prints it.
  var json: JSON {
    var members = [JSON.Member("name", .text(name)), JSON.Member("state", .text(word))]
    if let error { return .object(members + [JSON.Member("error", .text(error))]) }
    guard isRead else { return .object(members) }
    members += [
      JSON.Member("step", .integer(step)), JSON.Member("steps", .integer(steps)),
      JSON.Member("tokens", .integer(tokens)),
      JSON.Member("parameters", .integer(parameters)), JSON.Member("heads", .array(heads.map { .text($0.name) })),
    ]
    members += last.json
    members.append(JSON.Member("heldout", .object(heldOut.json + (order.map { [$0.json] } ?? []))))
    if let best { members.append(JSON.Member("best", .float(best))) }
    if let warning { members.append(JSON.Member("warning", .text(warning))) }
    if let created { members.append(JSON.Member("created", .double(created))) }
    if let parent {
      members += [JSON.Member("parent", .text(parent.name)), JSON.Member("parentStep", .integer(parent.step))]
    }
    if let changed { members.append(JSON.Member("changed", .double(changed))) }
    members.append(JSON.Member("tags", .array(annotations.tags.map(JSON.text))))
    members.append(JSON.Member("notes", .array(annotations.notes.map(\.noteJSON))))
    members += [JSON.Member("bytes", .integer(bytes)), JSON.Member("checkpoints", .integer(checkpoints))]
    return .object(members)
  }
}
