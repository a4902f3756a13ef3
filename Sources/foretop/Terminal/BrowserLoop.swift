// The loop over stored runs on a terminal: takes signals, answers of the reader's thread, and keys. Runs that another process
// trains are read again once a second.
import Dashboard
import Dispatch
import Foundation
import Run
import RunFile
import TerminalUI

/// Shows screens over stored runs until the user leaves.
struct BrowserLoop: ~Copyable {
  var view: ScreenView<Browser>?
  let signals: Signals
  let reader: RunReader
  /// The places up to which the runs on the screen are read, by name; absent while a reading is under way.
  var bookmarks: [String: StoredRun.Bookmark] = [:]
  private var lastLook = 0.0
  private var lastScan = 0.0
  /// The source of the list of runs; nil without such a list.
  private var catalog: RunCatalog?
  let folder: FolderOptions
  /// The chosen run of the list, and since when: its chart is read when the choice stays.
  private var rest: (name: String, since: Double, isAsked: Bool)?
  /// The run that is being opened, and the runs to be compared, while they are being read.
  var opening: String?
  private var comparing: [String] = []
  private var readings: [String: RunReader.StoredReading] = [:]
  let layouts: LayoutFiles
  let looks: LookOptions
  /// The run on the screen that is followed through its control socket.
  var followed: FollowedRun?
  /// When the machine was last asked for, in seconds, and whether the answer is awaited.
  var machineLook = (time: 0.0, isAwaited: false)
  /// The experiment whose screen is shown.
  var experiment: ExperimentFollower?
  private let preferences = PreferenceFile()
  private var status: Int32?
  /// What was on the screen that was left for a command, after which no screen follows.
  private var left: Browser?

  /// Opens the screen.
  /// - Returns: nil if the terminal cannot show one; the reason is printed, unless there is no terminal at all.
  init?(
    _ place: FolderOptions, _ looks: LookOptions, _ layouts: LayoutFiles, showing show: (Glyphs) -> Browser
  ) throws {
    signals = Signals(withScreen: true)
    reader = try RunReader(place)
    folder = place
    self.layouts = layouts
    self.looks = looks
    view = ScreenView.open(looks, layouts, showing: show)
    if view == nil {
      // Nobody reads the pipe while lines are printed.
      Signals.endEarly()
      return nil
    }
    view!.content.use(preferences.chosen(looks), layout: !layouts.isAskedFor)
    if let problem = preferences.problem { view!.content.say(problem) }
  }

  /// Notes the place up to which a run is read that is on the screen from the beginning.
  mutating func follow(_ name: String, from bookmark: StoredRun.Bookmark) { bookmarks[name] = bookmark }

  /// Shows the screens.
  /// - Parameter catalog: the source of the list of runs, if there is one.
  /// - Returns: the process's exit status.
  mutating func run(_ catalog: RunCatalog? = nil) -> Int32 {
    self.catalog = catalog
    self.catalog?.use(preferences.preferences)
    list()
    while view != nil, status == nil {
      for signal in signals.taken() { obey(signal) }
      guard status == nil else { break }
      for answer in reader.take() { take(answer) }
      takeLive()
      if experiment?.turn(reader, now: Clock.now) == true { experiment!.update(&view!.content.experiment) }
      readOn()
      readMachine()
      readList()
      readTensors()
      // Nobody could act on lines that libraries print here.
      _ = view!.overheardLines()
      switch view!.turn(wake: signals.descriptor) {
      case .nothing: continue
      case .gone: status = 128 + SIGHUP
      case .asked(let request): carryOut(request)
      }
      // The run is left together with its screen.
      if view?.content.dashboard == nil { followed = nil }
    }
    let (before, after) = (left ?? view!.content).remembered
    view = nil
    if let problem = preferences.remember(before, after) { Output.warn(problem.harmlessLine) }
    return status ?? 0
  }

  private mutating func obey(_ signal: CInt) {
    switch signal {
    case SIGTSTP: view!.pauseForShell()
    case SIGHUP: status = 128 + SIGHUP
    // Ctrl-C is one of the ways to leave.
    case _ where Signals.isStop(signal): status = signal == SIGINT ? 0 : 128 + signal
    default: break
    }
  }

  // MARK: Reading

  /// Reads runs that other processes train again, once a second.
  private mutating func readOn() {
    let now = Clock.now
    guard now - lastLook >= 1 else { return }
    lastLook = now
    lookAtFolder(now)
    for name in view!.content.followed {
      guard let bookmark = bookmarks.removeValue(forKey: name) else { continue }
      reader.send(.news(name, bookmark))
    }
  }

  /// Checks the files of runs: every second those on the screen and the live ones, less often all others if there are very many.
  private mutating func lookAtFolder(_ now: Double) {
    guard let catalog, let runs = view!.content.runs else { return }
    if now - lastScan >= Double(catalog.count) / 2000 {
      lastScan = now
      reader.send(.folders)
    } else {
      reader.send(.entries(runs.visible + catalog.live))
    }
  }

  /// Reads the rows on the screen, and the chart of the chosen run, when they are due.
  private mutating func readList() {
    guard catalog != nil, let runs = view!.content.runs else { return }
    let due = catalog!.due(onScreen: runs.visible, wanted: runs.wanted)
    if !due.isEmpty { reader.send(.summaries(due)) }
    let now = Clock.now
    guard let name = runs.readableName else { return rest = nil }
    if rest?.name != name { rest = (name, now, false) }
    guard let rest, !rest.isAsked, now - rest.since >= 0.1, opening == nil, runs.detail?.name != name else { return }
    self.rest?.isAsked = true
    reader.send(.history(name))
  }

  /// Reads what the tensors screen needs next.
  private mutating func readTensors() {
    guard let reading = view!.content.tensors?.nextReading, let name = view!.content.tensors?.name else { return }
    view!.content.tensors?.expect(reading)
    reader.send(.tensors(name, reading))
  }

  /// Puts the catalog on the screen.
  private mutating func list() {
    guard view != nil, view!.content.runs != nil else { return }
    catalog?.list(on: &view!.content.runs!)
  }

  private mutating func take(_ answer: RunReader.ReaderAnswer) {
    switch answer {
    case .tensors, .attached, .answered, .history, .removed: view!.isAnswered()
    case .news, .folders, .entries, .summaries, .machine, .failed: break
    }
    switch answer {
    case .news(let reading):
      if heal(with: reading) { return }
      bookmarks[reading.name] = reading.bookmark
      view!.content.receive(reading.events, of: reading.name, state: reading.state.rawValue)
      if view!.content.shownRun == reading.name { view!.content.dashboard?.know(checkpoints: reading.checkpoints) }
    case .folders(let entries): if catalog?.take(entries) == true { list() }
    case .entries(let entries): if catalog?.update(entries) == true { list() }
    case .summaries(let summaries):
      catalog?.know(summaries)
      view!.content.runs?.know(summaries.map { RunRow($0) })
      if catalog?.isOrdered == false || summaries.contains(where: { $0.parent != nil }) { list() }
    case .history(let reading): take(reading)
    case .removed(let name, let sentence):
      view!.content.runs?.message = sentence
      catalog?.forget(name)
      view!.content.runs?.forget(name)
      list()
    case .tensors(let name, let answer):
      guard view!.content.tensors?.name == name else { return }
      answer.show(on: &view!.content.tensors!)
    case .attached(let reading, let connection): take(reading, connection)
    case .answered(let name, let answer): view!.content.receive(answer, of: name)
    case .machine(let name, let answer): take(answer, ofMachineOf: name)
    case .failed(let name, let error): take(error, of: name)
    }
  }

  /// Takes a reading of a run: for the list's chart, to be opened, or to be compared.
  private mutating func take(_ reading: RunReader.StoredReading) {
    let name = reading.name
    if experiment?.take(reading, &view!.content.experiment) == true { return }
    bookmarks[name] = reading.bookmark
    let state = reading.state.rawValue
    if view!.content.runs?.chosenName == name, comparing.isEmpty {
      view!.content.runs?.show(
        RunDetail(
          name: name, recipe: reading.recipe, state: state, events: reading.events, checkpoints: reading.checkpoints))
    }
    guard comparing.contains(name) else { return }
    readings[name] = reading
    let all = comparing.compactMap { readings[$0] }
    guard all.count == comparing.count else { return }
    (comparing, readings) = ([], [:])
    view!.content.runs?.message = ""
    view!.content.open(
      Comparison(all.map { ComparedRun(name: $0.name, recipe: $0.recipe, state: $0.state.rawValue, events: $0.events) })
    )
  }

  private mutating func take(_ error: UserError, of name: String) {
    experiment?.take(error, of: name, &view!.content.experiment)
    let isAwaited = opening == name || comparing.contains(name)
    if isAwaited { (opening, comparing, readings) = (nil, [], [:]) }
    if followed?.name == name {
      followed!.isConnecting = false
      // A branch that has not begun yet is looked at again.
      guard followed!.bookmark != nil else { return }
    }
    // The run was removed by the user, who need not be told that it is gone.
    guard isAwaited || name.isEmpty || catalog.map({ $0.has(name) }) ?? (experiment == nil) else { return }
    view!.content.sayBelowRuns(error.message.harmlessLine)
  }

  // MARK: What keys ask for

  private mutating func carryOut(_ request: Browser.BrowserRequest) {
    switch request {
    case .leave: status = 0
    case .command(let command): ask(command)
    case .ask(let name, let step, let text): reader.send(.ask(name, step: step, text: text))
    case .list(let request): carryOut(request)
    case .tensors(let name): view!.content.openTensors(of: name)
    case .open(let name): open(name)
    case .runs: openRuns()
    }
  }

  /// Shows the list of runs.
  private mutating func openRuns() {
    do {
      var catalog = try RunCatalog(folder.runs)
      catalog.use(preferences.preferences)
      self.catalog = catalog
      view!.content.openRuns(in: folder.runs)
      list()
    } catch {
      view!.content.say(UserError.sentence(of: error).harmlessLine)
    }
  }

  /// Reads a run that is to be shown.
  private mutating func open(_ name: String) {
    opening = name
    view!.content.sayBelowRuns("reading \(name) …".harmlessLine)
    reader.send(.attach(name, nil, after: 0))
  }

  private mutating func carryOut(_ request: RunsScreen.RunsRequest) {
    let before = view!.content.runs?.chosenLooks
    defer { if let before { view?.content.remember(listFrom: before) } }
    switch request {
    case .leave: status = 0
    case .tensors(let name): view!.content.openTensors(of: name)
    case .open(let name): open(name)
    case .compare(let names):
      comparing = names
      let what = names.count == 1 ? names[0].harmlessLine : "\(names.count) runs"
      view!.content.runs?.message = "reading \(what) …"
      for name in names { reader.send(.history(name)) }
    case .filter(let text):
      do {
        try catalog?.use(filter: text)
        list()
      } catch {
        view!.content.runs?.refuseFilter("\(error)")
      }
    case .sortNext:
      try? catalog?.sortNext()
      list()
    case .turn:
      catalog?.turn()
      list()
    case .run(let words): runOnTerminal(words)
    case .remove(let name):
      view!.content.runs?.message = "removing \(name) …".harmlessLine
      reader.send(.remove(name))
    }
  }
}

// MARK: Commands that get the terminal

extension BrowserLoop {
  /// Leaves the screen, runs this program with a command line on the terminal, and comes back to the list when it has ended.
  mutating func runOnTerminal(_ words: [String]) {
    let content = view!.content
    view = nil
    let signal = TerminalProcess.run(words, passing: signals)
    // Ctrl-C was for the command.
    _ = signals.taken()
    if signal == nil { view = ScreenView.open(looks, layouts) { _ in content } }
    guard view != nil else {
      // Without a signal, it is the terminal that is not there any more.
      status = 128 + (signal ?? SIGHUP)
      left = content
      return
    }
    view!.content.needsDrawing = true
    reader.send(.folders)
  }
}
