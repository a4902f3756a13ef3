// The list of all runs: what is known of each, which one is chosen and which are marked. Rows come when they are read; the
// order and what a filter admits are the program's, which knows the columns.
import Run
import TerminalUI

/// A run's row.
package struct RunRow: Sendable, Equatable {
  package var name: String
  /// `training`, `finished`, … as everywhere; `unreadable` where the run cannot be read.
  package var state: String
  package var objective = ""
  package var parameters = 0
  package var tokens = 0
  package var step = 0
  package var steps = 0
  package var last: Double?
  package var best: Double?
  package var rate: Double?
  package var tokensPerSecond: Double?
  /// Unix time, seconds.
  package var changed: Double?
  /// What is wrong with the run.
  package var problem: String?
  package var recipe: Recipe?

  package init(name: String, state: String) {
    self.name = name
    self.state = state
  }
}

/// What is shown of the chosen run below the list.
package struct RunDetail: Sendable {
  package let name: String
  /// Its numbers, with none to compare them with.
  private(set) var comparison: Comparison
  package let checkpoints: [Int]
  /// How many events there are that are no steps, and the last of them in words.
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
    case up, down, pageUp, pageDown, first, last
    case open, mark, compare, filter, sort, turn, diff, remove, resume
    case tensors
    case palette, glyphs, help, leave, redraw
  }

  /// What a key asks of the program.
  package enum RunsRequest: Sendable, Equatable {
    case leave
    /// Shows a run.
    case open(String)
    /// Shows the tensors of its checkpoints.
    case tensors(String)
    /// Compares runs.
    case compare([String])
    case remove(String)
    /// Lists what a filter admits; empty is all.
    case filter(String)
    /// Sorts by the column after the current one.
    case sortNext
    /// Turns the order.
    case turn
  }

  /// What lies over the list and takes the keys.
  enum Dialog: Sendable, Equatable {
    case help(HelpPage)
    case filter(text: String)
    case remove(name: String)
    case diff
  }

  /// The folder of all runs.
  package let folder: String
  /// In the order in which they are listed.
  package private(set) var names: [String] = []
  /// How many runs there are, and how many of them are trained now.
  private(set) var total = 0
  private(set) var training = 0
  /// Runs that are not read yet, where the order or the filter needs all of them.
  private(set) var unread = 0
  private(set) var rows: [String: RunRow] = [:]
  /// How far branches are indented below the runs that they come from.
  private(set) var depths: [String: Int] = [:]
  private(set) var chosen = 0
  private(set) var marked: [String] = []
  private(set) var filter = ""
  /// What is wrong with the filter.
  private(set) var problem = ""
  private(set) var sort = "changed"
  private(set) var isReversed = true
  package var message = ""
  private(set) var dialog: Dialog?
  /// The dialog, if it is the help page.
  var help: HelpPage? {
    get { if case .help(let page) = dialog { page } else { nil } }
    set { dialog = newValue.map { .help($0) } }
  }
  package private(set) var detail: RunDetail?
  /// Rows of the list at the last picture's size, for the keys that move by pages.
  private(set) var page = 10
  private var size = (columns: 80, rows: 24)
  var palette: Palette
  var glyphs: Glyphs
  /// The most that the terminal can show.
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
    ScreenKeys.KeyRow([(.character("q"), .leave), (.escape, .leave)], shown: "q", label: "quit", "quit (also esc)"),
    ScreenKeys.KeyRow([(.character("?"), .help)], label: "help", "show the keys"),
    ScreenKeys.KeyRow(
      [(.character("m"), .mark), (.space, .mark)], shown: "m", label: "mark",
      "mark or unmark the chosen run (also space)"
    ),
    ScreenKeys.KeyRow(
      [(.character("c"), .compare)], label: "compare", "compare the marked runs, or the chosen with the marked"),
    ScreenKeys.KeyRow(
      [(.character("/"), .filter)], label: "filter", "filter the list, such as by state=finished best<3"),
    ScreenKeys.KeyRow(
      [(.character("s"), .sort), (.character("S"), .turn)], shown: "s S", label: "sort",
      "sort by the next column; reverse the order"),
    ScreenKeys.KeyRow([(.character("d"), .diff)], label: "diff", "show recipe keys that differ from the marked run's"),
    ScreenKeys.KeyRow([(.character("T"), .tensors)], label: "tensors", "show the tensors of the run's checkpoints"),
    ScreenKeys.KeyRow([(.character("r"), .resume)], label: "resume", "show the command that continues the run"),
    ScreenKeys.KeyRow([(.character("x"), .remove)], label: "remove", "remove the run, after asking"),
    ScreenKeys.KeyRow(
      [(.up, .up), (.down, .down), (.character("k"), .up), (.character("j"), .down)], shown: "↑ ↓",
      "choose a run (also k, j)"),
    ScreenKeys.KeyRow(
      [(.pageUp, .pageUp), (.pageDown, .pageDown), (.home, .first), (.end, .last)], shown: "pgup pgdn",
      "move by pages; home and end go to the ends"),
  ]).withLooks(.palette, .glyphs, .redraw, colours: "C")

  // MARK: What the program says

  /// Takes the list as it is now; the chosen run stays chosen where it is still there.
  /// - Parameters:
  ///   - names: in their order.
  ///   - unread: how many runs are not read yet, where that matters to the order or the filter.
  ///   - depths: of branches that stand below their parents, from 1 on.
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
    // A short list has a low box.
    fit(columns: size.columns, rows: size.rows)
  }

  /// Takes what is known of runs.
  package mutating func know(_ rows: [RunRow]) {
    for row in rows { self.rows[row.name] = row }
  }

  /// Forgets a run that is gone.
  package mutating func forget(_ name: String) {
    rows[name] = nil
    marked.removeAll { $0 == name }
    if detail?.name == name { detail = nil }
  }

  /// Takes what is shown below the list.
  package mutating func show(_ detail: RunDetail) { self.detail = detail }

  /// Takes what happened meanwhile in the run that is shown below the list.
  package mutating func receive(_ events: [Event], of name: String) {
    if detail?.name == name { detail?.receive(events) }
  }

  /// Says whether the filter that was asked for can be used.
  package mutating func useFilter(_ text: String, problem: String) {
    (filter, self.problem) = (text, problem)
  }

  package var chosenName: String? { names.indices.contains(chosen) ? names[chosen] : nil }
  var chosenRow: RunRow? { chosenName.flatMap { rows[$0] } }
  /// The run that the chosen one is compared with below the list: the last one marked.
  var markedName: String? { marked.last { $0 != chosenName } }

  /// The runs that are on the screen, and as many before and after them.
  package var wanted: [String] {
    guard !names.isEmpty else { return [] }
    let first = firstRow(in: page)
    return Array(names[max(first - page, 0)..<min(first + 2 * page, names.count)]) + marked
  }

  /// Those of them that are on the screen.
  package var visible: [String] {
    let first = firstRow(in: page)
    return Array(names[first..<min(first + page, names.count)])
  }

  /// The first row of a list of so many rows, which has the chosen one around its middle.
  func firstRow(in rows: Int) -> Int { min(max(chosen - rows / 2, 0), max(names.count - rows, 0)) }

  /// Takes the size of the terminal, by which pages are counted.
  package mutating func fit(columns: Int, rows: Int) {
    size = (columns, rows)
    page = max(arrangement(Rectangle(column: 0, row: 0, columns: columns, rows: rows)).listRows, 1)
  }

  // MARK: Keys

  mutating func press(_ key: Key) -> RunsRequest? {
    if dialog != nil, help == nil, key != .control("c") { return pressInDialog(key) }
    return dispatch(key)
  }

  /// Why a key does nothing now; nil when it does something.
  func refusal(of deed: RunsAction) -> String? {
    if chosenName == nil, [.open, .tensors, .mark, .remove, .resume].contains(deed) {
      return "no run is listed"
    }
    return switch deed {
    case .compare:
      compared.count >= 2
        ? compared.count > Comparison.mostLines
          ? "at most \(Comparison.mostLines) runs are compared here: unmark some with m, or use foretop compare" : nil
        : "mark a run with m first: the chosen one is compared with the marked ones"
    case .diff: chosenName == nil || markedName == nil ? "mark another run with m first" : nil
    case .remove: chosenRow?.state == "training" ? "another process trains this run: stop it first" : nil
    default: nil
    }
  }

  /// The runs that c compares.
  private var compared: [String] {
    if marked.count >= 2 { return marked }
    return marked + (chosenName.map { marked.contains($0) ? [] : [$0] } ?? [])
  }

  mutating func perform(_ deed: RunsAction) -> RunsRequest? {
    switch deed {
    case .leave: return .leave
    case .up: move(-1)
    case .down: move(1)
    case .pageUp: move(-page)
    case .pageDown: move(page)
    case .first: move(-names.count)
    case .last: move(names.count)
    case .open: return chosenName.map { .open($0) }
    case .tensors: return chosenName.map { .tensors($0) }
    case .mark:
      guard let name = chosenName else { return nil }
      if let index = marked.firstIndex(of: name) { marked.remove(at: index) } else { marked.append(name) }
      move(1)
    case .compare: return .compare(compared)
    case .filter: dialog = .filter(text: filter)
    case .sort: return .sortNext
    case .turn: return .turn
    case .diff: dialog = .diff
    case .remove: dialog = chosenName.map { .remove(name: $0) }
    case .resume: message = resumption
    case .palette: changePalette()
    case .glyphs: changeGlyphs()
    case .help: help = HelpPage()
    case .redraw: break
    }
    return nil
  }

  /// How the chosen run goes on.
  private var resumption: String {
    guard let name = chosenName else { return "" }
    let run = RunAddress(name: name, runs: folder)
    switch chosenRow?.state {
    case "training": return "another process trains this run: enter shows it"
    case "unreadable": return "this run cannot be read: \(run.command("verify")) says more"
    case "finished":
      let steps = chosenRow.map { $0.steps * 2 } ?? 0
      return "finished; more steps: \(run.command("resume")) --steps \(steps)"
    default: return "\(run.command("resume")) goes on from the last checkpoint"
    }
  }

  var lastPicture: Canvas { draw(size: size, now: 0) }

  mutating func choose(_ meaning: ClickMeaning, value: Double?) {
    if case .row(let index) = meaning, names.indices.contains(index) { chosen = index }
  }

  private mutating func move(_ rows: Int) {
    chosen = min(max(chosen + rows, 0), max(names.count - 1, 0))
  }

  private mutating func pressInDialog(_ key: Key) -> RunsRequest? {
    switch dialog {
    case .filter(let text): return pressInFilter(key, text)
    case .remove(let name):
      // Only y agrees.
      dialog = nil
      if key == .character("y") { return .remove(name) }
      message = "run “\(name)” stays"
    case .diff: dialog = nil
    case .help, nil: break
    }
    return nil
  }

  private mutating func pressInFilter(_ key: Key, _ text: String) -> RunsRequest? {
    switch key {
    case .enter:
      dialog = nil
      return .filter(text.trimmingSpaces)
    case .escape:
      dialog = nil
      problem = ""
      return .filter("")
    default:
      if let edited = key.edited(text) { dialog = .filter(text: edited) }
      return nil
    }
  }
}
