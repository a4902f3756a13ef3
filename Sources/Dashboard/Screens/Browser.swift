// Stored runs on a terminal: the list of them, a comparison, and one run, each over the other. Leaving one shows the one below.
import Run
import TerminalUI

/// The screens over stored runs.
package struct Browser: ScreenContent {
  /// What a key asks of the program.
  package enum BrowserRequest: Sendable, Equatable {
    /// The last screen was left.
    case leave
    /// The run that another process trains is asked for something.
    case command(Command)
    /// A stored run's checkpoint is asked what comes after a text; without a step, the newest.
    case ask(String, step: Int?, text: String)
    /// The list of runs asks for something.
    case list(RunsScreen.RunsRequest)
    /// The tensors of a run, over the screen that is shown.
    case tensors(String)
    /// A run of the experiment, over its screen.
    case open(String)
  }

  /// The list, below everything else.
  package var runs: RunsScreen? { didSet { needsDrawing = true } }
  /// An experiment, below everything else where there is no list.
  package var experiment: ExperimentScreen? { didSet { needsDrawing = true } }
  package var compare: CompareScreen? { didSet { needsDrawing = true } }
  /// The tensors of a run, over everything else.
  package var tensors: TensorsScreen? { didSet { needsDrawing = true } }
  /// A run, looked at.
  package var dashboard: Dashboard?

  /// The most that the terminal can show.
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
  private var ownNeed = true
  /// Layouts for runs that are looked at.
  package private(set) var layouts: [Layout]
  package private(set) var problems: [String]
  private var size = (columns: 80, rows: 24)
  private var preferences = Preferences()
  private var suggested: Palette?
  /// The notice that is shown, and since when, seconds of the program's clock.
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

  /// Ages in the list grow.
  package var hasClock: Bool { dashboard?.hasClock ?? (compare == nil && runs != nil) }

  package var palette: Palette {
    tensors?.palette ?? dashboard?.palette ?? compare?.palette ?? runs?.palette ?? experiment?.palette ?? .okabe
  }

  package func draw(size: (columns: Int, rows: Int), now: Double) -> Canvas {
    if let tensors { return tensors.draw(size: size) }
    if let dashboard { return dashboard.draw(size: size, now: now) }
    if let compare { return compare.draw(size: size) }
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

  /// Lets the notice of the screen that is shown fade.
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

  /// What is chosen on the screen that is shown.
  private var choices: Preferences? { dashboard?.chosen ?? runs?.chosenLooks }
  /// What was chosen since the beginning, on all screens: before and after.
  package private(set) var remembered = (before: Preferences(), after: Preferences())

  /// Takes what somebody chose earlier.
  package mutating func use(_ preferences: Preferences, layout usesLayout: Bool) {
    self.preferences = preferences
    runs?.use(preferences)
    if let chosen = preferences.palette.flatMap(Palette.named) { experiment?.palette = chosen }
    dashboard?.use(preferences, layout: usesLayout)
  }

  package mutating func press(_ key: Key) -> BrowserRequest? {
    let before = choices
    let isDashboard = dashboard != nil
    let request = take(key)
    // Where another screen is shown now, nothing was chosen on the way.
    if let before, let after = choices, isDashboard == (dashboard != nil) {
      remembered.after.take(from: before, to: after)
    }
    return request
  }

  /// Takes the order and the filter of the list, which the program knows.
  package mutating func remember(listFrom before: Preferences) {
    if let after = runs?.chosenLooks { remembered.after.take(from: before, to: after) }
  }

  private mutating func take(_ key: Key) -> BrowserRequest? {
    needsDrawing = true
    if tensors != nil, key != .resize {
      guard tensors?.press(key) == .left else { return nil }
      tensors = nil
      return left
    }
    if dashboard != nil {
      // A stored run is asked for nothing else: what comes back is that it was left.
      let command = dashboard?.press(key)
      if dashboard?.asksForTensors == true {
        dashboard?.asksForTensors = false
        return dashboard?.runName.map { .tensors($0) }
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
      guard compare?.press(key) == .left else { return nil }
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

  // MARK: Opening

  /// Shows a run over the list, in its colours and characters.
  package mutating func open(_ dashboard: Dashboard, _ events: [Event]) {
    var dashboard = dashboard
    dashboard.use(preferences)
    if let suggested { dashboard.suggest(suggested) }
    if let runs { (dashboard.palette, dashboard.glyphs) = (runs.palette, runs.glyphs) }
    if let experiment { (dashboard.palette, dashboard.glyphs) = (experiment.palette, experiment.glyphs) }
    dashboard.mostGlyphs = mostGlyphs
    for event in events { dashboard.receive(event) }
    dashboard.fit(columns: size.columns, rows: size.rows)
    self.dashboard = dashboard
    needsDrawing = true
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

  /// Takes the answer of a run's checkpoint.
  package mutating func receive(_ answer: Result<TextAnswer, UserError>, of name: String) {
    guard dashboard != nil, dashboard?.runName == name || name.isEmpty else { return }
    switch answer {
    case .success(let answer): dashboard?.receive(answer)
    case .failure(let error): dashboard?.failQuestion(error.message.harmlessLine)
    }
  }

  /// Says something on the screen below the runs.
  package mutating func sayBelowRuns(_ words: String) {
    runs?.message = words
    experiment?.message = words
  }

  // MARK: Runs that go on

  /// Names of runs on the screen that another process trains.
  package var followed: [String] {
    var names = compare.map { screen in screen.live.map { screen.comparison.runs[$0].name } } ?? []
    if let detail = runs?.detail, runs?.rows[detail.name]?.state == "training" { names.append(detail.name) }
    if let dashboard, dashboard.isWatched, let name = dashboard.runName, !names.contains(name) { names.append(name) }
    return names
  }

  /// Takes what happened in a run since it was read.
  /// - Parameter state: a word for the run: `training`, `finished`.
  package mutating func receive(_ events: [Event], of name: String, state: String) {
    if !events.isEmpty, runs?.detail?.name == name { runs?.receive(events, of: name) }
    if let dashboard, dashboard.runName == name, dashboard.isWatched {
      for event in events { self.dashboard?.receive(event) }
    }
    if let screen = compare, let index = screen.comparison.runs.firstIndex(where: { $0.name == name }) {
      if !events.isEmpty || screen.comparison.runs[index].state != state {
        compare?.receive(events, ofRun: index, state: state)
      }
    }
  }

  /// What to do when a screen was left.
  private var left: BrowserRequest? {
    tensors == nil && dashboard == nil && compare == nil && runs == nil && experiment == nil ? .leave : nil
  }
}

extension Dashboard {
  /// Whether it shows a run that another process trains.
  fileprivate var isWatched: Bool { mode == .watched && !isEnded }
  fileprivate var runName: String? { beginning?.name }
}
