// The list of all runs, with a chosen row and marked rows. The program reads the rows, sorts and filters them, and hands them
// in as they come.
import Run
import TerminalUI

/// A row of the list.
package struct RunRow: Sendable, Equatable {
  package var name: String
  /// The run's state in one word: `training`, `finished`, …, or `unreadable`. A run that is `starting` has no numbers yet.
  package var state: String
  package var objective = ""
  package var parameters = 0
  package var tokens = 0
  package var step = 0
  package var steps = 0
  package var last, best, rate, tokensPerSecond: Double?
  /// The last change of the run's files, Unix time in seconds.
  package var changed: Double?
  /// The reason why the run cannot be read; nil if it can.
  package var problem: String?
  package var recipe: Recipe?
  /// The user's tags, in the order in which they were added.
  package var tags: [String] = []

  package init(name: String, state: String) {
    self.name = name
    self.state = state
  }
}

/// The chosen run's data for the panels below the list.
package struct RunDetail: Sendable {
  package let name: String
  /// The run's numbers, as a comparison of this run alone.
  private(set) var comparison: Comparison
  package let checkpoints: [Int]
  /// The number of events except steps, and the last of them in words.
  private(set) var events = 0
  private(set) var lastEvent = ""

  package init(name: String, recipe: Recipe, state: String, events: [Event], checkpoints: [Int]) {
    self.name = name
    self.checkpoints = checkpoints
    let run = ComparedRun(name: name, recipe: recipe, state: state, events: events)
    comparison = Comparison([run], metric: run.recipe.heads.first.map(ComparedMetric.loss))
    count(events)
  }

  mutating func receive(_ events: [Event]) {
    comparison.receive(events, ofRun: 0, state: comparison.runs[0].state)
    count(events)
  }

  private mutating func count(_ events: [Event]) {
    for case .occurred(let occurrence) in events where occurrence.kind != .done {
      self.events += 1
      lastEvent = LogLine(occurrence).text
    }
  }
}

/// The runs screen.
package struct RunsScreen: Sendable, KeyedScreen {
  enum RunsAction: Hashable, Sendable {
    case go(ListStep)
    case open, mark, compare, filter, sort, turn, diff, remove, resume, new, prune, commandLine
    case tensors
    case palette, glyphs, help, leave, stay, redraw
  }

  /// What a key asks the program to do.
  package enum RunsRequest: Sendable, Equatable {
    case leave
    /// Shows the run with this name.
    case open(String)
    /// Shows the tensors of the run with this name.
    case tensors(String)
    /// Compares the runs with these names.
    case compare([String])
    case remove(String)
    /// Lists the runs that a filter admits; an empty filter admits all.
    case filter(String)
    /// Sorts by the next column.
    case sortNext
    /// Reverses the order.
    case turn
    /// Gives the terminal to the program with these words, such as `train default`.
    case run([String])
  }

  /// A dialog over the list, which takes all keys.
  enum Dialog: Sendable, Equatable {
    case help(HelpPage)
    case filter(text: String)
    case remove(name: String)
    case diff
    /// `suggestion` follows the text until something is typed in its place.
    case command(text: String, problem: String, suggestion: String = "")
  }

  /// The folder of all runs.
  package let folder: String
  /// The names of the listed runs, in the order of the list.
  package private(set) var names: [String] = []
  /// The number of runs in the folder, and of those in training.
  private(set) var total = 0
  private(set) var training = 0
  /// The number of runs still to be read before order and filter are final; 0 if neither needs them.
  private(set) var unread = 0
  private(set) var rows: [String: RunRow] = [:]
  /// The indentation of branches below their parents, by name, from 1 on.
  private(set) var depths: [String: Int] = [:]
  var chosen = 0
  var marked: [String] = []
  private(set) var filter = ""
  /// The mistake in the filter; empty if it has none.
  var problem = ""
  private(set) var sort = "changed"
  private(set) var isReversed = true
  package var message = ""
  var dialog: Dialog?
  /// The dialog, if it is the help page.
  var help: HelpPage? {
    get { if case .help(let page) = dialog { page } else { nil } }
    set { dialog = newValue.map { .help($0) } }
  }
  var hasDialog: Bool { dialog != nil }
  package private(set) var detail: RunDetail?
  /// The list's rows in the last picture; the page keys move by as many.
  private(set) var page = 10
  var size = (columns: 80, rows: 24)
  var palette: Palette
  var glyphs: Glyphs
  /// The richest set of chart characters that the terminal can show.
  var mostGlyphs = Glyphs.braille

  package init(folder: String, palette: Palette = .okabe, glyphs: Glyphs = .braille) {
    self.folder = folder
    self.palette = palette
    self.glyphs = glyphs
  }

  static let staying: RunsRequest? = nil
  static let leaving: RunsRequest? = .leave

  static let keys = ScreenKeys<RunsAction>([
    ScreenKeys.KeyRow([(.enter, .open)], label: "open", "show the chosen run"),
    ScreenKeys.KeyRow([(.character("q"), .leave)], label: "quit", "quit"),
    ScreenKeys.KeyRow([(.character("?"), .help)], label: "help", "show the keys"),
    ScreenKeys.KeyRow(
      [(.character("m"), .mark), (.space, .mark)], shown: "m", label: "mark",
      "mark or unmark the chosen run (also space)"
    ),
    ScreenKeys.KeyRow(
      [(.character("c"), .compare)], label: "compare",
      "compare the marked runs, or the chosen with the marked; without marks, chart the chosen"),
    ScreenKeys.KeyRow(
      [(.character("/"), .filter)], label: "filter", "filter the list, such as by state=finished best<3"),
    ScreenKeys.KeyRow(
      [(.character("s"), .sort), (.character("S"), .turn)], shown: "s S", label: "sort",
      "sort by the next column; reverse the order"),
    ScreenKeys.KeyRow([(.character("d"), .diff)], label: "diff", "show recipe keys that differ from the marked run's"),
    ScreenKeys.KeyRow([(.character("T"), .tensors)], label: "tensors", "show the tensors of the run's checkpoints"),
    ScreenKeys.KeyRow(
      [(.character("n"), .new)], label: "new", "train a recipe: type its name and changes, such as --set steps=500"),
    ScreenKeys.KeyRow([(.character("r"), .resume)], label: "resume", "continue the run, after a look at the command"),
    ScreenKeys.KeyRow([(.character("x"), .remove)], label: "remove", "remove the run, after asking"),
    ScreenKeys.KeyRow([(.character("P"), .prune)], label: "prune", "remove the run's older checkpoints, after asking"),
    ScreenKeys.KeyRow([(.character(":"), .commandLine)], "type any command of foretop, which gets the terminal"),
    ScreenKeys.KeyRow(
      [(.up, .go(.up)), (.down, .go(.down)), (.character("k"), .go(.up)), (.character("j"), .go(.down))], shown: "↑ ↓",
      "choose a run (also k, j)"),
    ScreenKeys.KeyRow(
      [(.pageUp, .go(.pageUp)), (.pageDown, .go(.pageDown)), (.home, .go(.first)), (.end, .go(.last))],
      shown: "pgup pgdn",
      "move by pages; home and end go to the ends"),
    ScreenKeys.KeyRow([(.escape, .stay)], "close what is open; esc never quits"),
  ]).withLooks(.palette, .glyphs, .redraw, colours: "C")

  // MARK: What the program says

  /// Replaces the list. The chosen run stays chosen if it is still in the list.
  /// - Parameters:
  ///   - names: the listed runs, in order.
  ///   - unread: the number of runs still to be read before order and filter are final.
  ///   - depths: the indentation of branches below their parents, by name, from 1 on.
  package mutating func list(
    _ names: [String], of total: Int, training: Int, unread: Int, sortedBy sort: String, isReversed: Bool,
    depths: [String: Int] = [:]
  ) {
    let name = chosenName
    self.names = names
    self.depths = depths
    (self.total, self.training, self.unread) = (total, training, unread)
    (self.sort, self.isReversed) = (sort, isReversed)
    if let name, let index = names.firstIndex(of: name) { chosen = index }
    chosen = min(max(chosen, 0), max(names.count - 1, 0))
    // The height of the list's box depends on the number of runs.
    fit(columns: size.columns, rows: size.rows)
  }

  /// Adds or replaces rows, found by their names.
  package mutating func know(_ rows: [RunRow]) {
    for row in rows { self.rows[row.name] = row }
  }

  /// Removes a run from the list, its marks and its details.
  package mutating func forget(_ name: String) {
    rows[name] = nil
    marked.removeAll { $0 == name }
    if detail?.name == name { detail = nil }
  }

  /// Shows a run's details below the list.
  package mutating func show(_ detail: RunDetail) { self.detail = detail }

  /// Adds events to the details, if they belong to the run shown below the list.
  package mutating func receive(_ events: [Event], of name: String) {
    if detail?.name == name { detail?.receive(events) }
  }

  /// Sets the filter's text and the mistake in it; `problem` is empty for a filter without a mistake.
  package mutating func useFilter(_ text: String, problem: String) {
    (filter, self.problem) = (text, Self.onScreen(problem))
  }

  /// Says why a filter is refused.
  package mutating func refuseFilter(_ problem: String) { message = Self.onScreen(problem).harmlessLine }

  /// A mistake in a filter without the option's name, which is for the command line.
  private static func onScreen(_ problem: String) -> String { problem.replacing("--filter ", with: "filter ") }

  package var chosenName: String? { names.indices.contains(chosen) ? names[chosen] : nil }
  /// The chosen run once its numbers can be read: its row was read, and the run is not being started any more.
  package var readableName: String? { chosenRow.flatMap { $0.state == "starting" ? nil : $0.name } }
  var chosenRow: RunRow? { chosenName.flatMap { rows[$0] } }
  /// The run that the details compare with the chosen one: the run marked last.
  var markedName: String? { marked.last { $0 != chosenName } }

  /// The runs on the screen, and as many before and after them: the program reads these first.
  package var wanted: [String] {
    guard !names.isEmpty else { return [] }
    let first = firstRow(in: page)
    return Array(names[max(first - page, 0)..<min(first + 2 * page, names.count)]) + marked
  }

  /// The runs on the screen.
  package var visible: [String] {
    let first = firstRow(in: page)
    return Array(names[first..<min(first + page, names.count)])
  }

  /// The first run shown in a box of `rows` rows; the chosen run is in its middle where possible.
  func firstRow(in rows: Int) -> Int { min(max(chosen - rows / 2, 0), max(names.count - rows, 0)) }

  /// Sets the terminal's size, from which the length of a page follows.
  package mutating func fit(columns: Int, rows: Int) {
    size = (columns, rows)
    page = max(arrangement(Rectangle(column: 0, row: 0, columns: columns, rows: rows)).listRows, 1)
  }
}
