// The run, seen. Two doors in, `receive` and `press`; one picture out, `draw`. No terminal, no clock, no files.
import Run
import TerminalUI

/// What a screen knows of a run, and how the user looks at it.
package struct Dashboard: Sendable {
  /// Where the events come from.
  package enum Mode: Sendable {
    /// A run that goes on: keys make commands.
    case live
    /// A stored run: the same panels, and control keys that say why they do nothing.
    case stored
    /// A stored run that another process writes, as it was when it was read.
    case watched
  }

  /// What the run does.
  enum Phase: Sendable, Equatable {
    case starting, training, paused
    case ended(Ending.Reason)
  }

  /// What lies over the panels and takes the keys.
  enum Overlay: Sendable, Equatable {
    case help(scroll: Int)
    case rate(text: String, problem: String)
    case weights(WeightPrompt)
    case confirm(Command)
    case quit
  }

  package let mode: Mode
  /// Seconds from Greenwich, for times of day.
  let secondsFromGMT: Int

  // The run.
  var beginning: Beginning?
  var recipeLines: [String] = []
  var phase = Phase.starting
  var history: History
  var log: [LogLine] = []
  var asked: [Asked] = []
  var samples: [OrderSample] = []
  var text: TextSample?
  var rateFactor = 1.0
  /// λ of the heads, where the user changed it or a step told.
  var weights: [Head: Double] = [:]
  /// Whether the run waits because a loss or gradient was not finite.
  var isDiverged = false

  // How it is looked at.
  var layouts: [Layout]
  var layout: Layout
  var axis: Axis
  var isLogarithmic: Bool
  var focus: Panel?
  var isFullScreen = false
  var scroll: [Panel: Int] = [:]
  var overlay: Overlay?
  var message = ""
  /// The sample shown, where samples are stepped through; nil is the latest.
  var sampleIndex: Int?
  package var palette: Palette
  package var glyphs: Glyphs

  /// Whether something changed since this was last set to false: draw only then, or when the size changed.
  package var needsDrawing = true

  /// When the setting-up began of what trains here: Unix time, seconds.
  var settingUpSince: Double?

  /// Whether it changes with the time alone: a step, or what comes before the first, may take minutes.
  package var hasClock: Bool { mode == .live && (phase == .starting || phase == .training) }

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

  /// What was received up to now is of the past: the run is only being set up.
  /// - Parameter time: Unix time, seconds.
  package mutating func startSettingUp(at time: Double) {
    phase = .starting
    settingUpSince = time
    needsDrawing = true
  }

  /// Takes an event of the run.
  package mutating func receive(_ event: Event) {
    needsDrawing = true
    settle(event)
    switch event {
    case .began(let beginning): begin(beginning)
    case .stepped(let report):
      guard Self.isPlausible(report.step) else { return }
      isDiverged = false
      history.append(report)
      noticeFactor(of: report)
      for loss in report.losses { weights[loss.head] = Double(loss.weight) }
      if phase == .starting {
        phase = .training
        // Why a key did nothing before is no longer so.
        message = ""
      }
    case .summedUp(let steps):
      guard Self.isPlausible(steps.mean.step) else { return }
      history.append(steps)
      noticeFactor(of: steps.mean)
      if phase == .starting { phase = .training }
    case .evaluated(let evaluation):
      guard Self.isPlausible(evaluation.step) else { return }
      history.append(evaluation)
      note(LogLine(evaluation))
    case .ordered(let sample):
      note(sample)
    case .wrote(let sample):
      text = sample
      scroll[.text] = nil
    case .occurred(let occurrence): note(occurrence)
    case .ended(let ending):
      phase = .ended(ending.reason)
      note(LogLine(ending))
      // A question to a run that has ended is none.
      if case .help = overlay {} else { overlay = nil }
    }
  }

  /// Whether a number can be a step: a file from somebody else may say anything.
  private static func isPlausible(_ step: Int) -> Bool { (0...mostSteps).contains(step) }
  private static let mostSteps = 1 << 50

  private mutating func begin(_ beginning: Beginning) {
    var beginning = beginning
    beginning.recipe.steps = min(max(beginning.recipe.steps, 0), Self.mostSteps)
    beginning.recipe.schedule.warmup = min(max(beginning.recipe.schedule.warmup, 0), Self.mostSteps)
    beginning.step = min(max(beginning.step, 0), Self.mostSteps)
    self.beginning = beginning
    phase = .starting
    recipeLines = beginning.recipe.lines.map(\.text)
    history.cut(after: beginning.step)
    samples.removeAll { $0.step > beginning.step }
  }

  private mutating func note(_ occurrence: Occurrence) {
    note(LogLine(occurrence))
    switch occurrence.kind {
    case .pause:
      if phase != .paused { history.mark(.pause, step: occurrence.step) }
      phase = .paused
    case .proceed:
      phase = .training
      isDiverged = false
    case .diverged:
      phase = .paused
      isDiverged = true
      history.mark(.diverged, step: occurrence.step)
    case .rate:
      history.mark(.rate, step: occurrence.step)
      if let old = occurrence.old, let new = occurrence.new, old > 0, new > 0 { rateFactor *= new / old }
    case .weight:
      history.mark(.weight, step: occurrence.step)
      if let head = Head.all.first(where: { $0.name == occurrence.key }) { weights[head] = occurrence.new }
    case .saved: history.mark(.saved, step: occurrence.step)
    case .start, .refused, .notice, .warning, .failure, .end: break
    }
  }

  /// Lines of the log and samples that are kept at most; run.h5 has all of them.
  private static let mostLines = 4096
  private static let mostSamples = 512

  private mutating func note(_ line: LogLine) {
    if log.count >= Self.mostLines { log.removeFirst(Self.mostLines / 4) }
    log.append(line)
  }

  private mutating func note(_ sample: OrderSample) {
    if samples.count >= Self.mostSamples {
      samples.removeFirst(Self.mostSamples / 4)
      sampleIndex = sampleIndex.map { max($0 - Self.mostSamples / 4, 0) }
    }
    samples.append(sample)
  }

  /// What the user's edits multiply the schedule with, read off a step: right from the first step of a resumed run on.
  private mutating func noticeFactor(of report: StepReport) {
    rateFactor = 1
    guard let planned = plannedRate(at: report.step - 1), planned > 0 else { return }
    let factor = report.rate / planned
    // Beyond six digits it is rounding.
    rateFactor = factor.isFinite && factor > 0 ? (abs(factor - 1) < 1e-6 ? 1 : factor) : 1
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
      if asked.remove(at: index).command == .stepOnce { phase = .paused }
    }
    guard case .stepped = event else { return }
    for index in asked.indices { asked[index].age += 1 }
    asked.removeAll { $0.age >= Self.patience }
  }

  /// The learning rate of the next step, as far as it is known: the schedule's, times the user's edits.
  var currentRate: Double? { history.last.map { plannedRate(at: $0.step) ?? $0.rate } }

  /// What the schedule, with the user's edits, makes of a step counted from 0; nil without a recipe.
  func plannedRate(at step: Int) -> Double? {
    guard let recipe = beginning?.recipe else { return nil }
    return recipe.schedule.rate * recipe.schedule.multiplier(at: step, of: recipe.steps) * rateFactor
  }

  /// Whether the run's next event is an evaluation: one was asked for, or the step calls for one.
  var isEvaluating: Bool {
    guard phase == .training || phase == .paused else { return false }
    if asked.contains(where: { $0.command == .evaluate }) { return true }
    guard mode == .live, phase == .training, let every = beginning?.recipe.evaluate.every, every > 0,
      let step = history.last?.step, step % every == 0
    else { return false }
    return (history.evaluations.lastStep ?? -1) < step
  }

  /// What to do where nothing else is said: a run that is over stays on the screen until somebody leaves.
  var hint: String {
    if case .ended = phase, mode == .live { "the run is over: q leaves" } else { "" }
  }

  /// The sample that the order panel shows.
  var sample: OrderSample? {
    guard let sampleIndex, samples.indices.contains(sampleIndex) else { return samples.last }
    return samples[sampleIndex]
  }
}
