// The run, seen. Two doors in, `receive` and `press`; one picture out, `draw`. No terminal, no clock, no files.
import Run
import TerminalUI

/// The state of a screen: the run as far as its events tell, and the user's view of it.
package struct Dashboard: Sendable {
  /// Where the events come from.
  package enum Mode: Sendable {
    /// A run that goes on: keys make commands.
    case live
    /// A stored run: the same panels, and control keys that say why they do nothing.
    case stored
    /// A stored run that another process writes, as it was when it was read.
    case watched
    /// A run that another process trains: keys make commands for that process.
    case attached
  }

  /// What lies over the panels and takes the keys.
  enum Overlay: Sendable, Equatable {
    case help(HelpPage)
    case rate(text: String, problem: String)
    case weights(WeightPrompt)
    case command(CommandPrompt)
    case confirm(Command)
    case back(BackPrompt)
    case ask(AskPrompt)
    /// A rate was typed while the schedule warms up: does it hold, or does the schedule go on with it?
    case warmup(rate: Double)
    case quit
  }

  package private(set) var mode: Mode
  /// Whether keys make commands.
  var steers: Bool { mode == .live || mode == .attached }
  /// Seconds from Greenwich, for times of day.
  let secondsFromGMT: Int

  // The run.
  private(set) var run = RunState()
  var recipeLines: [String] = []
  var history: History
  var log: [LogLine] = []
  var asked: [Asked] = []
  var samples: [OrderSample] = []
  var text: TextSample?
  /// What the heads answered when they were asked.
  var answers = Answers()
  /// The text that was asked about last.
  var lastQuestion = ""
  /// Steps of the checkpoints that the run has now, oldest first.
  var checkpoints: [Int] = []
  /// What the machine did in the last second; nil before it was looked at.
  var machine: MachineUse?
  /// Lines of the log that wait until they are on the disk, by the number of their event.
  private var unconfirmed: [Int: Occurrence] = [:]

  // How it is looked at.
  var layouts: [Layout]
  var layout: Layout
  var axis: Axis
  var isLogarithmic: Bool
  var chart = ChartView()
  var eventFilter = EventFilter.all
  var focus: Panel?
  var isFullScreen = false
  var scroll: [Panel: Int] = [:]
  var overlay: Overlay?
  var message = "" { didSet { if message != oldValue { messageSince = nil } } }
  /// When the message was first seen, seconds of the program's clock.
  var messageSince: Double?
  /// The terminal's size, for what depends on which panels are on it.
  var size = (columns: 220, rows: 60)
  /// The most that the terminal can show.
  package var mostGlyphs = Glyphs.braille
  /// Whether a key asked for the tensors of a stored run, which are another screen.
  var asksForTensors = false
  /// Digits typed before a key that takes a number.
  var count: KeyCount?
  /// Lines typed after `:`, oldest first.
  var typedLines: [String] = []
  /// Who asks for what is to be confirmed.
  var confirmingActor = Occurrence.Actor.key
  /// The factors of the user's edits on the schedule before the newest changes, each with the step of the change.
  private(set) var factorsBefore: [(step: Int, factor: Double)] = []
  /// The sample shown, where samples are stepped through; nil is the latest.
  var sampleIndex: Int?
  /// The step of the sample that it is compared with; nil is the first.
  var comparedStep: Int?
  package var palette: Palette
  /// Whether somebody chose the colours, now or earlier.
  var hasChosenPalette = false
  package var glyphs: Glyphs

  /// Whether something changed since this was last set to false: draw only then, or when the size changed.
  package var needsDrawing = true

  /// How the setting-up gets on.
  var setup = WorkProgress(of: .setup(.tokens))
  /// How the evaluation that goes on gets on.
  var evaluation = WorkProgress(of: .windows)
  /// When the setting-up began of what trains here: Unix time, seconds.
  var settingUpSince: Double?

  var beginning: Beginning? { run.beginning }
  var phase: RunPhase { run.phase }
  var rateFactor: Double { run.rateFactor }
  var weights: [Head: Double] { run.weights }
  var isDiverged: Bool { run.isDiverged }

  /// True if the picture changes without an event: a step, or the setup before the first step, may take minutes.
  package var hasClock: Bool { steers && (phase == .starting || phase == .training) }

  /// Steps after which a command that nothing answered is forgotten.
  private static let patience = 5

  /// Makes a dashboard that knows of no run yet.
  /// - Parameters:
  ///   - layouts: those of the layout files; the built-in train layout is used for what they leave out.
  ///   - startingWith: the name of the layout shown first.
  ///   - problems: sentences on layout files that could not be used, for the events panel.
  ///   - time: Unix time, seconds, for these.
  package init(
    _ mode: Mode, layouts: [Layout] = [], startingWith name: String = "train", problems: [String] = [],
    time: Double = 0, palette: Palette = .okabe, glyphs: Glyphs = .braille, secondsFromGMT: Int = 0
  ) {
    self.mode = mode
    self.secondsFromGMT = secondsFromGMT
    self.palette = palette
    self.glyphs = glyphs
    self.layouts = layouts.contains { $0.key == 1 } ? layouts : [.train] + layouts
    let layout = self.layouts.first { $0.name == name } ?? self.layouts.first { $0.key == 1 } ?? .train
    self.layout = layout
    axis = layout.settings.x ?? .step
    isLogarithmic = layout.settings.isLogarithmic ?? false
    history = History(smoothing: layout.settings.smoothing ?? 0.9)
    for problem in problems { note(LogLine(time: time, step: 0, text: problem, style: Style(.warning))) }
  }

  /// Marks all events received so far as past ones: the run itself is still being set up.
  /// - Parameter time: Unix time, seconds.
  package mutating func startSettingUp(at time: Double) {
    run.phase = .starting
    settingUpSince = time
    needsDrawing = true
  }

  /// Another session follows in the same process: its events are numbered from 1 again.
  /// - Parameter time: Unix time, seconds.
  package mutating func startSession(at time: Double) {
    run.startSession()
    unconfirmed = [:]
    asked = []
    overlay = nil
    startSettingUp(at: time)
  }

  /// Goes on as another kind of screen: the process that trains the run has ended, or another one goes on with it.
  /// - Parameter sentence: said to the user.
  package mutating func become(_ mode: Mode, saying sentence: String) {
    self.mode = mode
    asked.removeAll()
    if case .help = overlay {} else { overlay = nil }
    message = sentence
    needsDrawing = true
  }

  /// Says something to the user.
  package mutating func say(_ sentence: String) {
    message = sentence
    needsDrawing = true
  }

  /// A command was refused before the run saw it.
  package mutating func refuse(_ request: Int, _ sentence: String) {
    asked.removeAll { $0.request == request }
    say(sentence)
  }

  /// The largest number of an event so far.
  package var lastNumber: Int { run.number }

  /// Takes an event of a run that goes on. One that was taken before changes nothing.
  package mutating func receive(_ event: NumberedEvent) {
    let (phase, factor) = (run.phase, run.rateFactor)
    guard run.apply(event) else { return }
    remember(factor, before: event.event)
    switch event.event {
    // What a crash could still take away is not in the log yet, and is still asked for.
    case .occurred(let occurrence) where occurrence.needsConfirmation: unconfirmed[event.number] = occurrence
    case .confirmed(let number):
      if let occurrence = unconfirmed.removeValue(forKey: number) {
        show(.occurred(occurrence), after: phase)
      }
    default: show(event.event, after: phase)
    }
  }

  /// Takes an event of a stored run.
  package mutating func receive(_ event: Event) {
    let (phase, factor) = (run.phase, run.rateFactor)
    run.apply(event)
    remember(factor, before: event)
    show(event, after: phase)
  }

  /// Keeps the factor that a change of the rate took the place of, for as many steps as matter.
  private mutating func remember(_ factor: Double, before event: Event) {
    guard case .occurred(let occurrence) = event, occurrence.kind == .rate else { return }
    factorsBefore.removeAll { $0.step < occurrence.step - Self.cautiousSteps }
    if factorsBefore.count >= 64 { factorsBefore.removeFirst() }
    factorsBefore.append((occurrence.step, factor))
  }

  /// Steps within which changes of the rate count as one.
  static let cautiousSteps = 10

  /// Changes what is seen, after the run's state.
  /// - Parameter phase: what the run did before the event.
  private mutating func show(_ event: Event, after phase: RunPhase) {
    needsDrawing = true
    settle(event)
    switch event {
    case .began(let beginning): begin(beginning)
    case .stepped(let report):
      guard RunState.isPlausible(report.step) else { return }
      // Why a key did nothing before is no longer so.
      if phase == .starting { message = "" }
      history.append(report)
    case .summedUp(let steps):
      guard RunState.isPlausible(steps.mean.step) else { return }
      history.append(steps)
    case .evaluated(let evaluation):
      guard RunState.isPlausible(evaluation.step) else { return }
      self.evaluation = WorkProgress(of: .windows)
      history.append(evaluation)
      note(LogLine(evaluation))
    case .ordered(let sample):
      note(sample)
    case .wrote(let sample):
      text = sample
      scroll[.text] = nil
    case .occurred(let occurrence): note(occurrence, after: phase)
    case .gap(let gap): note(LogLine(gap, time: run.last?.time ?? 0))
    case .confirmed: break
    case .ended(let ending):
      note(LogLine(ending))
      // A question to a run that has ended is none.
      if case .help = overlay {} else { overlay = nil }
    }
  }

  private mutating func begin(_ beginning: Beginning) {
    let step = self.beginning?.step ?? 0
    recipeLines = beginning.recipe.lines.map(\.text)
    if beginning.parent?.step == step { history.leave(after: step) } else { history.cut(after: step) }
    // Where a branch begins has a mark of its own.
    if step > 0, beginning.parent?.step != step {
      history.interrupt()
      history.mark(.resumed, step: step)
      note(
        LogLine(time: beginning.time, step: step, text: "resumed at step \(Figure.grouped(step))", style: Style(.good)))
    }
    samples.removeAll { $0.step > step }
  }

  private mutating func note(_ occurrence: Occurrence, after phase: RunPhase) {
    guard occurrence.kind != .done else { return }
    note(LogLine(occurrence))
    if let expectation = occurrence.expectation { show(TextAnswer(step: occurrence.step, expectation)) }
    if occurrence.kind == .pause || occurrence.kind == .proceed || occurrence.kind == .start { history.interrupt() }
    switch occurrence.kind {
    case .pause: if phase != .paused { history.mark(.pause, step: occurrence.step) }
    case .diverged: history.mark(.diverged, step: occurrence.step)
    case .rate: history.mark(.rate, step: occurrence.step)
    case .weight: history.mark(.weight, step: occurrence.step)
    case .saved: history.mark(.saved, step: occurrence.step)
    case .branch: history.mark(.branch, step: occurrence.step)
    case .alert: history.mark(.alert, step: occurrence.step)
    case .setting: recipeLines = beginning?.recipe.lines.map(\.text) ?? recipeLines
    case .start, .proceed, .skip, .refused, .notice, .warning, .failure, .end, .done: break
    }
  }

  /// Lines of the log and samples that are kept at most; run.h5 has all of them.
  private static let mostLines = 4096
  private static let mostSamples = 512

  private mutating func note(_ line: LogLine) {
    if log.count >= Self.mostLines { log.removeFirst(Self.mostLines / 4) }
    // In the order of their times: what is reported late belongs where it happened.
    let place = (log.lastIndex { $0.time <= line.time } ?? -1) + 1
    log.insert(line, at: place)
  }

  private mutating func note(_ sample: OrderSample) {
    if samples.count >= Self.mostSamples {
      samples.removeFirst(Self.mostSamples / 4)
      sampleIndex = sampleIndex.map { max($0 - Self.mostSamples / 4, 0) }
    }
    samples.append(sample)
  }

  /// Takes off the list what an event answers.
  private mutating func settle(_ event: Event) {
    if case .ended = event {
      asked.removeAll()
      message = ""
      return
    }
    if let index = asked.firstIndex(where: { $0.isAnswered(by: event) }) {
      // One step, then a pause: the run waits now.
      let answered = asked.remove(at: index)
      if answered.command == .stepOnce { run.phase = .paused }
      // An answer to a typed line is a sentence, where no line of the log is one.
      if answered.actor == .typed, case .occurred(let occurrence) = event,
        occurrence.kind == .done || occurrence.kind == .refused
      {
        message = occurrence.text
      }
    }
    guard case .stepped = event else { return }
    for index in asked.indices { asked[index].age += 1 }
    asked.removeAll { $0.age >= Self.patience }
  }

  /// The learning rate of the next step, as far as it is known: the schedule's, times the user's edits.
  var currentRate: Double? { history.last.map { plannedRate(at: $0.step) ?? $0.rate } }

  /// What the schedule, with the user's edits, makes of a step counted from 0; nil without a recipe.
  func plannedRate(at step: Int) -> Double? { run.plannedRate(at: step) }

  /// Whether the run's next event is an evaluation: one was asked for, or the step calls for one.
  var isEvaluating: Bool {
    guard phase == .training || phase == .paused else { return false }
    if asked.contains(where: { $0.command == .evaluate }) { return true }
    guard steers, phase == .training, let every = beginning?.recipe.evaluate.every, every > 0,
      let step = history.last?.step, step % every == 0
    else { return false }
    return (history.evaluations.lastStep ?? -1) < step
  }

  /// What to do where nothing else is said: a run that is over stays on the screen until somebody leaves.
  var hint: String {
    if case .ended = phase, steers { "the run is over: q leaves" } else { "" }
  }
}
