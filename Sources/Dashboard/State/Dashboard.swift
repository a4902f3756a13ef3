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
    case course(CoursePrompt)
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
  var run = RunState()
  var recipeLines: [String] = []
  var history: History
  var log: [LogLine] = []
  var asked: [Asked] = []
  var samples: [OrderSample] = []
  /// Memory layers and how their tables are used, as last measured.
  var memories: [MemoryUse] = []
  var memoryMap: MemoryMap?
  /// The numbers that the panel of diagnostics lists.
  var chartedNumbers: [ChartedNumber] = []
  var text: TextSample?
  /// What the heads answered when they were asked.
  var answers = Answers()
  /// The text that was asked about last.
  var lastQuestion = ""
  /// Steps of the checkpoints that the run has now, oldest first.
  var checkpoints: [Int] = []
  /// Steps of saved checkpoints whose weights are spoilt.
  var spoiltSteps: Set<Int> = []
  /// What the machine did in the last second; nil before it was looked at.
  var machine: MachineUse?
  /// The reason why the machine is not measured; empty where it is, or will be.
  var machineProblem = ""
  /// Lines of the log that wait until they are on the disk, by the number of their event.
  var unconfirmed: [Int: Occurrence] = [:]

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
  /// False where bands behind lines have the colour of the lines.
  package var hasShades = true
  /// Whether a key asked for the tensors of a stored run, which are another screen.
  var asksForTensors = false
  /// True if the user asked for the list of runs.
  var asksForRuns = false
  /// Digits typed before a key that takes a number.
  var count: KeyCount?
  /// Lines typed after `:`, oldest first.
  var typedLines: [String] = []
  /// Who asks for what is to be confirmed.
  var confirmingActor = Occurrence.Actor.key
  /// The factors of the user's edits on the schedule before the newest changes.
  var rateCaution = RateCaution()
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

  /// Steps after which a command without a number that nothing answered is forgotten.
  static let patience = 5

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
    evaluation = WorkProgress(of: .windows)
    overlay = nil
    startSettingUp(at: time)
  }

  /// Goes on as another kind of screen: the process that trains the run has ended, or another one goes on with it.
  /// - Parameter sentence: said to the user.
  package mutating func become(_ mode: Mode, saying sentence: String) {
    self.mode = mode
    (machine, machineProblem) = (nil, "")
    asked.removeAll()
    evaluation = WorkProgress(of: .windows)
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

  /// The learning rate of the next step, as far as it is known: the schedule's, times the user's edits.
  var currentRate: Double? { history.last.map { plannedRate(at: $0.step) ?? $0.rate } }

  /// What the schedule, with the user's edits, makes of a step counted from 0; nil without a recipe.
  func plannedRate(at step: Int) -> Double? { run.plannedRate(at: step) }

  /// Whether the run's next event is an evaluation: one is under way, or was asked for, or the step calls for one.
  var isEvaluating: Bool {
    guard phase == .training || phase == .paused else { return false }
    if evaluation.isUnderWay || asked.contains(where: { $0.command == .evaluate }) { return true }
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
