// The screens over stored runs, stacked: the list (or an experiment) at the bottom, then a comparison, one run, its tensors.
// Leaving a screen shows the one below.
import Run
import TerminalUI

/// The stack of screens over stored runs. Keys go to the top one.
package struct Browser: ScreenContent {
  /// What a key asks the program to do.
  package enum BrowserRequest: Sendable, Equatable {
    /// Ends the program: the last screen was left.
    case leave
    /// Sends a command to the shown run, which another process trains.
    case command(Command)
    /// Asks a stored run's checkpoint what comes after a text. `step` nil: the newest checkpoint.
    case ask(String, step: Int?, text: String)
    /// Passes on a request of the list of runs.
    case list(RunsScreen.RunsRequest)
    /// Shows the tensors of the run with this name over the current screen.
    case tensors(String)
    /// Shows the experiment's run with this name over the experiment.
    case open(String)
    /// Shows the list of runs instead of the screen that was opened without it.
    case runs
  }

  /// The list of runs, the bottom of the stack; nil where the program shows one run or an experiment.
  package var runs: RunsScreen? { didSet { needsDrawing = true } }
  /// The experiment, the bottom of the stack where there is no list.
  package var experiment: ExperimentScreen? { didSet { needsDrawing = true } }
  /// The run on the screen whose process was killed: another process may go on with it.
  private var abandoned: String?
  package var compare: CompareScreen? { didSet { needsDrawing = true } }
  /// The tensors of a run, the top of the stack.
  package var tensors: TensorsScreen? { didSet { needsDrawing = true } }
  /// The run that is looked at.
  package var dashboard: Dashboard?

  /// The richest set of chart characters that the terminal can show.
  package var mostGlyphs = Glyphs.braille {
    didSet {
      let most = mostGlyphs
      dashboard?.mostGlyphs = most
      runs?.mostGlyphs = most
      experiment?.mostGlyphs = most
      compare?.mostGlyphs = most
      tensors?.mostGlyphs = most
    }
  }
  package var hasShades = true {
    didSet {
      let shades = hasShades
      dashboard?.hasShades = shades
    }
  }
  private var ownNeed = true
  /// Layouts for runs that are looked at.
  package private(set) var layouts: [Layout]
  package private(set) var problems: [String]
  private var size = (columns: 80, rows: 24)
  private var preferences = Preferences()
  private var suggested: Palette?
  /// The notice on the screen, and when it appeared (seconds of the monotonic clock).
  private var notice: (text: String, since: Double)?

  package init(layouts: [Layout] = [], problems: [String] = []) {
    self.layouts = layouts
    self.problems = problems
  }

  package var needsDrawing: Bool {
    get { ownNeed || dashboard?.needsDrawing == true }
    set {
      ownNeed = newValue
      if !newValue { dashboard?.needsDrawing = false }
    }
  }

  /// True while a screen shows ages or clocks, which change without events.
  package var hasClock: Bool { dashboard?.hasClock ?? (compare == nil && runs != nil) }

  package var palette: Palette {
    tensors?.palette ?? dashboard?.palette ?? compare?.palette ?? runs?.palette ?? experiment?.palette ?? .okabe
  }

  package func draw(size: (columns: Int, rows: Int), now: Double) -> Canvas {
    let hasList = runs != nil || experiment != nil
    if var tensors {
      tensors.isLowest = dashboard == nil && compare == nil && !hasList
      return tensors.draw(size: size)
    }
    if let dashboard { return dashboard.draw(size: size, now: now) }
    if var compare {
      compare.isLowest = !hasList
      return compare.draw(size: size)
    }
    if let runs { return runs.draw(size: size, now: now) }
    if let experiment { return experiment.draw(size: size) }
    return Canvas(columns: size.columns, rows: size.rows)
  }

  package mutating func use(_ layouts: [Layout], problems: [String], time: Double) {
    (self.layouts, self.problems) = (layouts, problems)
    dashboard?.use(layouts, problems: problems, time: time)
  }

  package mutating func suggest(_ palette: Palette) {
    guard preferences.palette == nil else { return }
    suggested = palette
    dashboard?.suggest(palette)
    runs?.palette = palette
    experiment?.palette = palette
    tensors?.palette = palette
    compare?.palette = palette
    needsDrawing = true
  }

  /// Removes the current screen's notice once it has been shown for `noticeSeconds`.
  package mutating func pass(to now: Double) {
    guard tensors != nil || dashboard == nil else {
      dashboard?.pass(to: now)
      return
    }
    let text = tensors?.message ?? compare?.message ?? runs?.message ?? experiment?.message ?? ""
    guard !text.isEmpty, notice?.text == text else {
      notice = text.isEmpty ? nil : (text, now)
      return
    }
    guard now - (notice?.since ?? now) >= Dashboard.noticeSeconds else { return }
    if tensors != nil {
      tensors?.message = ""
    } else if compare != nil {
      compare?.message = ""
    } else {
      runs?.message = ""
      experiment?.message = ""
    }
    notice = nil
    needsDrawing = true
  }

  package mutating func say(_ sentence: String) {
    if tensors != nil {
      tensors?.message = sentence
    } else if dashboard != nil {
      dashboard?.say(sentence)
    } else if compare != nil {
      compare?.message = sentence
    } else {
      sayBelowRuns(sentence)
    }
    needsDrawing = true
  }

  package mutating func fit(columns: Int, rows: Int) {
    size = (columns, rows)
    dashboard?.fit(columns: columns, rows: rows)
    runs?.fit(columns: columns, rows: rows)
    compare?.fit(columns: columns, rows: rows)
    experiment?.fit(columns: columns, rows: rows)
    tensors?.fit(columns: columns, rows: rows)
  }

  /// The choices (palette, characters, …) of the current screen.
  private var choices: Preferences? { dashboard?.chosen ?? runs?.chosenLooks }
  /// The choices of all screens as they were at the start (`before`) and as they are now (`after`).
  package private(set) var remembered = (before: Preferences(), after: Preferences())

  /// Applies choices that were remembered from an earlier use.
  package mutating func use(_ preferences: Preferences, layout usesLayout: Bool) {
    self.preferences = preferences
    runs?.use(preferences)
    if let chosen = preferences.palette.flatMap(Palette.named) {
      experiment?.palette = chosen
      compare?.palette = chosen
      tensors?.palette = chosen
    }
    dashboard?.use(preferences, layout: usesLayout)
  }

  package mutating func press(_ key: Key) -> BrowserRequest? {
    let before = choices
    let isDashboard = dashboard != nil
    let request = take(key)
    // A key that changed the screen changed no choice.
    if let before, let after = choices, isDashboard == (dashboard != nil) {
      remembered.after.take(from: before, to: after)
    }
    return request
  }

  /// Remembers the list's order and filter, which the program keeps, if they differ from `before`.
  package mutating func remember(listFrom before: Preferences) {
    if let after = runs?.chosenLooks { remembered.after.take(from: before, to: after) }
  }

  private mutating func take(_ key: Key) -> BrowserRequest? {
    needsDrawing = true
    if tensors != nil, key != .resize {
      let presence = tensors?.press(key)
      if presence == .runs { return goToRuns() }
      guard presence == .left else { return nil }
      if key == .escape, dashboard == nil, compare == nil, runs == nil, experiment == nil {
        tensors?.message = Self.advice
        return nil
      }
      tensors = nil
      return left
    }
    if key == .escape, dashboard?.hasNothingOpen == true, runs != nil || experiment != nil || compare != nil {
      dashboard = nil
      return nil
    }
    if dashboard != nil {
      // A stored run has one command: `detach`, which leaves its screen.
      let command = dashboard?.press(key)
      if dashboard?.asksForTensors == true {
        dashboard?.asksForTensors = false
        return dashboard?.runName.map { .tensors($0) }
      }
      if dashboard?.asksForRuns == true {
        dashboard?.asksForRuns = false
        return goToRuns()
      }
      guard let command else { return nil }
      if case .ask(let text) = command, let dashboard, dashboard.asksCheckpoints {
        return dashboard.runName.map { .ask($0, step: dashboard.askedCheckpoint, text: text) }
      }
      guard command == .detach else { return dashboard?.mode == .attached ? .command(command) : nil }
      dashboard = nil
      return left
    }
    guard key != .resize else { return nil }
    if compare != nil {
      let presence = compare?.press(key)
      if presence == .runs { return goToRuns() }
      guard presence == .left else { return nil }
      if key == .escape, runs == nil, experiment == nil {
        compare?.message = Self.advice
        return nil
      }
      compare = nil
      return left
    }
    if runs == nil, experiment != nil {
      switch experiment?.press(key) {
      case .leave: return .leave
      case .open(let name): return .open(name)
      case nil: return nil
      }
    }
    guard let request = runs?.press(key) else { return nil }
    if case .tensors(let name) = request { return .tensors(name) }
    return request == .leave ? .leave : .list(request)
  }

  /// Goes back to the list of runs, or to the experiment.
  /// - Returns: the request for a list where there is neither.
  private mutating func goToRuns() -> BrowserRequest? {
    guard runs != nil || experiment != nil else { return .runs }
    (tensors, dashboard, compare) = (nil, nil, nil)
    return nil
  }

  /// What escape says on the last screen, where there is none to go back to.
  private static let advice = "q quits"

  // MARK: Opening

  /// Shows a run over the list, with the list's palette and characters.
  package mutating func open(_ dashboard: Dashboard, _ events: [Event]) {
    var dashboard = dashboard
    dashboard.use(preferences)
    if let suggested { dashboard.suggest(suggested) }
    if let runs { (dashboard.palette, dashboard.glyphs) = (runs.palette, runs.glyphs) }
    if let experiment { (dashboard.palette, dashboard.glyphs) = (experiment.palette, experiment.glyphs) }
    dashboard.mostGlyphs = mostGlyphs
    dashboard.hasShades = hasShades
    for event in events { dashboard.receive(event) }
    dashboard.fit(columns: size.columns, rows: size.rows)
    self.dashboard = dashboard
    needsDrawing = true
  }

  /// Shows the list in the place of all other screens.
  package mutating func openRuns(in folder: String) {
    let glyphs = tensors?.glyphs ?? dashboard?.glyphs ?? compare?.glyphs ?? .braille
    var list = RunsScreen(folder: folder, palette: palette, glyphs: glyphs)
    list.use(preferences)
    list.mostGlyphs = mostGlyphs
    list.fit(columns: size.columns, rows: size.rows)
    runs = list
    (tensors, dashboard, compare) = (nil, nil, nil)
  }

  /// Shows a comparison over the list.
  package mutating func open(_ comparison: Comparison) {
    compare = CompareScreen(comparison, palette: runs?.palette ?? .okabe, glyphs: runs?.glyphs ?? .braille)
    let (most, size) = (mostGlyphs, size)
    compare?.mostGlyphs = most
    compare?.fit(columns: size.columns, rows: size.rows)
  }

  /// Shows the tensors of a run over everything else.
  package mutating func openTensors(of name: String) {
    tensors = TensorsScreen(name: name, palette: palette, glyphs: dashboard?.glyphs ?? runs?.glyphs ?? .braille)
    let (most, size) = (mostGlyphs, size)
    tensors?.mostGlyphs = most
    tensors?.fit(columns: size.columns, rows: size.rows)
  }

  /// The name of the run that is looked at.
  package var shownRun: String? { dashboard?.runName }

  /// Shows the answer that a run's checkpoint gave to a text.
  package mutating func receive(_ answer: Result<TextAnswer, UserError>, of name: String) {
    guard dashboard != nil, dashboard?.runName == name || name.isEmpty else { return }
    switch answer {
    case .success(let answer): dashboard?.receive(answer)
    case .failure(let error): dashboard?.failQuestion(error.message.harmlessLine)
    }
  }

  /// Shows a notice on the bottom screen: the list or the experiment.
  package mutating func sayBelowRuns(_ words: String) {
    runs?.message = words
    experiment?.message = words
  }

  /// True if the run on the screen has a machine panel, so that the program must measure the machine.
  package var showsMachine: Bool { tensors == nil && dashboard?.showsMachine == true }

  // MARK: Runs that go on

  /// The state of a run that a process trains.
  private static let training = "training"

  /// Names of the runs on the screen that other processes train.
  package var followed: [String] {
    var names = compare.map { screen in screen.live.map { screen.comparison.runs[$0].name } } ?? []
    if let detail = runs?.detail, runs?.rows[detail.name]?.state == Self.training { names.append(detail.name) }
    if let dashboard, let name = dashboard.runName, dashboard.isWatched || name == abandoned, !names.contains(name) {
      names.append(name)
    }
    return names
  }

  /// Takes the events of a run since it was read.
  /// - Parameter state: the run's state in one word: `training`, `finished`.
  package mutating func receive(_ events: [Event], of name: String, state: String) {
    if !events.isEmpty, runs?.detail?.name == name { runs?.receive(events, of: name) }
    if let dashboard, dashboard.runName == name, dashboard.isWatched || name == abandoned {
      if name == abandoned, state == Self.training {
        abandoned = nil
        self.dashboard?.become(.watched, saying: "another process goes on with the run")
      }
      for event in events { self.dashboard?.receive(event) }
      if state != Self.training, self.dashboard?.isWatched == true {
        abandoned = name
        self.dashboard?.become(
          .stored,
          saying:
            "the process that trained this run was killed: this is the stored run, and the screen follows the next process"
        )
      }
    }
    if let screen = compare, let index = screen.comparison.runs.firstIndex(where: { $0.name == name }) {
      if !events.isEmpty || screen.comparison.runs[index].state != state {
        compare?.receive(events, ofRun: index, state: state)
      }
    }
  }

  /// The request after a screen was left; nil while another screen remains.
  private var left: BrowserRequest? {
    tensors == nil && dashboard == nil && compare == nil && runs == nil && experiment == nil ? .leave : nil
  }
}

extension Dashboard {
  /// True if the dashboard shows a run that another process trains.
  fileprivate var isWatched: Bool { mode == .watched && !isEnded }
  /// True if escape has nothing to close here: it goes back to the screen below.
  fileprivate var hasNothingOpen: Bool { overlay == nil && !isFullScreen && chart.cursor == nil && focus == nil }
  fileprivate var runName: String? { beginning?.name }
}
