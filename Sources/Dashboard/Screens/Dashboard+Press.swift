// The effect of each key on a run's screen, the reasons why a key has no effect now, and the commands that wait for an answer.
// Keys in an overlay are in Dashboard+OverlayPress.
import Run
import TerminalUI

extension Dashboard {
  /// Handles a key.
  /// - Returns: the command for the run, or nil. `.detach` leaves the screen; `q` returns it for a stored run and for a run
  ///   that has ended.
  package mutating func press(_ key: Key) -> Command? {
    if key == .resize {
      needsDrawing = true
      return nil
    }
    if key == .control("c") {
      needsDrawing = true
      return interrupt()
    }
    if overlay != nil { return pressInOverlay(key) }
    if point(key) { return nil }
    if let digit = key.digit, countsOn(digit) { return nil }
    let count = count
    self.count = key.digit == nil ? nil : count
    guard let action = KeyTable.action(of: key) else { return nil }
    needsDrawing = true
    if action == .stepOnce, count == nil, comparesChosenSample {
      message = ""
      compareSample(1)
      return nil
    }
    // Rate keys in a row are one change; a question comes if the whole change is more than tenfold.
    message = ""
    // What is typed after these keys belongs to a line, whether or not the line can be obeyed: enter says so.
    let opensLine = action == .commandLine || action == .typeRate
    if !opensLine, let refusal = refusal(of: action) {
      message = countHint.isEmpty ? refusal : "\(refusal); \(countHint)"
      return nil
    }
    if action == .stepOnce, let count {
      restore(count)
      return ask(.step(count.number))
    }
    let command = perform(action)
    if !countHint.isEmpty { message += "; \(countHint)" }
    return command
  }

  /// The reason why an action has no effect now; nil if it has one.
  func refusal(of action: Action) -> String? {
    switch action {
    case .pause, .stepOnce, .rateUp, .rateDown, .rateDouble, .rateHalve, .typeRate, .chooseCourse, .weights, .save,
      .evaluate, .generate, .undo, .commandLine, .goBack:
      if mode == .watched { return "another process trains this run: foretop attach steers it" }
      if mode == .stored { return "a stored run, not trained now: foretop resume continues it" }
      switch phase {
      case .starting: return "not yet: the run is still being set up"
      case .ended: return "the run has ended"
      case .training, .paused: return beginning.flatMap { missing(for: action, in: $0) }
      }
    case .ask:
      if beginning == nil || phase == .starting && steers { return "not yet: the run is still being set up" }
      return steers && isEnded ? "the run has ended: foretop inspect asks its checkpoints" : nil
    case .previousProbe, .nextProbe, .earlierSample:
      if beginning?.recipe.heads.contains(where: \.ranks) == false {
        return "this run has no TOP head, so there is no order to show"
      }
      return samples.isEmpty ? "no TOP sample has come yet" : nil
    case .layout(let key):
      if layouts.contains(where: { $0.key == key }) { return nil }
      let known = layouts.sorted { $0.key < $1.key }
      let words = "no layout \(key): " + known.map { "\($0.key) \($0.name)" }.joined(separator: ", ")
      // Where names have no room, numbers do.
      let room = size.columns - 6 - (countHint.isEmpty ? 0 : countHint.width + 2)
      guard words.width > room else { return words }
      return "no layout \(key): there are " + known.map { "\($0.key)" }.joined(separator: ", ")
    case .closer: return zoomRefusal(isCloser: true)
    case .wider: return zoomRefusal(isCloser: false)
    case .tensors:
      return mode == .live
        ? "foretop tensors \(beginning?.name ?? "NAME") in another terminal shows the tensors of saved checkpoints"
        : nil
    case .runs:
      return mode == .live ? "foretop in another terminal lists all runs; q d leaves this one in the background" : nil
    case .cursorLeft, .cursorRight: return history.count > 0 ? nil : "there is no step yet"
    default: return nil
    }
  }

  /// The thing that this run lacks for an action, such as a TOP head; nil if nothing is missing.
  func missing(for action: Action, in beginning: Beginning) -> String? {
    switch action {
    case .evaluate where !beginning.hasHeldOutWindow:
      "there is no held-out text to evaluate on (data.heldOut is 0)"
    case .goBack where checkpoints.isEmpty: "no checkpoint is stored yet: s saves one"
    case .generate where beginning.recipe.objective.ntp == 0: "this run has no NTP head to generate text with"
    default: nil
    }
  }

  /// Whether the session on the screen has ended.
  package var isEnded: Bool { if case .ended = phase { true } else { false } }

  /// True if nobody trains the run on the screen: what is missing does not come.
  var isOver: Bool { mode == .stored || isEnded }

  /// True if training is paused, or will be once all commands that wait are executed.
  private var waits: Bool {
    for request in asked.reversed() {
      switch request.command {
      case .pause, .step: return true
      case .proceed, .until: return false
      default: continue
      }
    }
    return phase == .paused
  }

  private mutating func perform(_ action: Action) -> Command? {
    switch action {
    case .pause: return ask(waits ? .proceed : .pause)
    case .stepOnce: return ask(.stepOnce)
    case .rateUp: return askRate(.times(1.1))
    case .rateDown: return askRate(.times(1 / 1.1))
    case .rateDouble: return askRate(.times(2))
    case .rateHalve: return askRate(.times(0.5))
    case .typeRate: overlay = .rate(text: "", problem: "")
    case .chooseCourse: overlay = .course(CoursePrompt())
    case .weights: overlay = .weights(WeightPrompt())
    case .undo: return ask(.undo)
    case .commandLine: overlay = .command(CommandPrompt())
    case .save: return ask(.save)
    case .goBack: overlay = .back(BackPrompt(chosen: newestSound))
    case .evaluate: return ask(.evaluate)
    case .generate: return ask(.generate)
    case .ask: openAsk()
    case .previousProbe: return probe(-1)
    case .nextProbe: return probe(1)
    case .earlierSample: compareSample(-1)
    case .axis:
      let axes = Axis.allCases
      axis = axes[((axes.firstIndex(of: axis) ?? 0) + 1) % axes.count]
    case .logarithm: isLogarithmic.toggle()
    case .wholeRange:
      chart.showsWholeRange.toggle()
      message = chart.showsWholeRange ? "the y axis has all values" : "the y axis has the usual values"
    case .closer: zoomChart(by: 1)
    case .wider: zoomChart(by: -1)
    case .cursorLeft: moveCursor(by: -1.0 / 60)
    case .cursorRight: moveCursor(by: 1.0 / 60)
    case .eventKinds:
      eventFilter = eventFilter.next
      scroll[.events] = nil
      message = "events: \(eventFilter.words)"
    case .smoother: history.smooth(Smoothing.ladder.first { $0 > history.smoothing } ?? history.smoothing)
    case .rougher: history.smooth(Smoothing.ladder.last { $0 < history.smoothing } ?? history.smoothing)
    case .unsmoothed: history.smooth(0)
    case .focusNext: moveFocus(1)
    case .focusPrevious: moveFocus(-1)
    case .open:
      focus = focus ?? mainPanel
      isFullScreen = true
    case .back:
      if isFullScreen {
        isFullScreen = false
      } else if chart.cursor != nil {
        chart.cursor = nil
      } else {
        focus = nil
      }
    case .up: scrollFocused(by: -1)
    case .down: scrollFocused(by: 1)
    case .pageUp: scrollFocused(by: -10)
    case .pageDown: scrollFocused(by: 10)
    case .first:
      // The key moves the charts that the user looks at more closely; without a cursor or zoom it scrolls.
      if chart.cursor != nil || chart.zoom > 0, focus == nil || focus == .losses, history.count > 0 {
        chart.cursor = history.places[.step][0]
      } else {
        scrollFocused(by: -1_000_000)
      }
    case .last:
      // The key takes away the cursor, so that the charts follow the newest step again; without a cursor it scrolls.
      if chart.cursor != nil, focus == nil || focus == .losses {
        chart.cursor = nil
      } else {
        scrollFocused(by: 1_000_000)
      }
    case .layout(let key): layouts.first { $0.key == key }.map { show($0) }
    case .palette:
      palette = palette.next
      hasChosenPalette = true
      message = "colours: \(palette.name)"
    case .glyphs: message = Glyphs.goOn(&glyphs, upTo: mostGlyphs)
    case .tensors: asksForTensors = true
    case .runs: asksForRuns = true
    case .help: overlay = .help(HelpPage())
    case .quit:
      if mode != .live || isEnded { return .detach }
      overlay = .quit
    case .interrupt: return interrupt()
    case .redraw: break
    }
    return nil
  }

  /// Ctrl-C: saves and stops a run in training, and leaves the screen of any other run.
  private mutating func interrupt() -> Command? {
    overlay = nil
    return mode != .live || isEnded ? .detach : ask(.stop(saving: true))
  }

  /// Remembers a command as waiting and returns it.
  mutating func ask(_ command: Command, by actor: Occurrence.Actor = .key, isSure: Bool = false) -> Command {
    var wish = command.asking
    if case .rate(let change) = command, let rate = expectedRate {
      wish = "rate \(Figure.rate(change.applied(to: rate)))"
    }
    asked.append(Asked(command: command, wish: wish, actor: actor, isSure: isSure))
    // A bound on memory, should the trainer never answer.
    if asked.count > 50 { asked.removeFirst() }
    return command
  }

  /// The sender of the last command.
  package var askedBy: Occurrence.Actor { asked.last?.actor ?? .key }

  /// Whether the user said yes to the last command's large change. The run checks the others: it may be some steps further.
  package var askedIsSure: Bool { asked.last?.isSure ?? false }

  /// Stores the request number of the last command, by which its answer is recognised.
  package mutating func wasSent(as request: Int) {
    guard let last = asked.indices.last, asked[last].request == nil else { return }
    asked[last].request = request
  }

  /// Asks for a change of a loss weight λ; a change of more than tenfold must be confirmed first.
  mutating func askWeight(_ change: WeightChange, by actor: Occurrence.Actor = .key) -> Command? {
    guard let jump = self.jump(by: change) else { return ask(.weight(change), by: actor) }
    confirm(.weight(change.isOfKind ? change : WeightChange(change.head, to: jump.new)), by: actor)
    return nil
  }

  /// Asks the user to confirm a command before the run gets it.
  mutating func confirm(_ command: Command, by actor: Occurrence.Actor) {
    confirmingActor = actor
    overlay = .confirm(command)
  }

  private mutating func probe(_ direction: Int) -> Command? {
    guard let sample else { return nil }
    guard steers, !isEnded else {
      // No trainer can make a new sample, so the key shows the stored ones.
      chooseStoredProbe(direction)
      return nil
    }
    let pending = asked.last.flatMap { if case .probe(let index) = $0.command { index } else { nil } }
    let count = max(sample.probes, 1)
    return ask(.probe((((pending ?? sample.probe) + direction) % count + count) % count))
  }

  mutating func show(_ layout: Layout) {
    self.layout = layout
    isFullScreen = false
    focus = nil
    if let x = layout.settings.x { axis = x }
    if let isLogarithmic = layout.settings.isLogarithmic { self.isLogarithmic = isLogarithmic }
    if let smoothing = layout.settings.smoothing { history.smooth(smoothing) }
    message = layoutWords
  }

  /// Moves the focus to the next or previous panel on the screen; after the last one comes the first.
  private mutating func moveFocus(_ direction: Int) {
    let shown = places(columns: size.columns, rows: size.rows).filter { !$0.rectangle.isEmpty }.map(\.panel)
    let panels = Panel.allCases.filter { !$0.isBar && shown.contains($0) }
    guard !panels.isEmpty else { return }
    guard let focus, let index = panels.firstIndex(of: focus) else {
      self.focus = direction > 0 ? panels.first : panels.last
      return
    }
    self.focus = panels[(index + direction + panels.count) % panels.count]
  }

  /// The panel that is opened if none has the focus: the losses, or the largest one on a screen without them.
  private var mainPanel: Panel {
    let shown = places(columns: size.columns, rows: size.rows).filter { !$0.panel.isBar && !$0.rectangle.isEmpty }
    if shown.contains(where: { $0.panel == .losses }) { return .losses }
    func cells(_ area: Rectangle) -> Int { area.columns * area.rows }
    return shown.max { cells($0.rectangle) < cells($1.rectangle) }?.panel ?? .losses
  }

  /// Scrolls the focused panel, or the events if no panel has the focus.
  private mutating func scrollFocused(by lines: Int) { scroll(focus ?? .events, by: lines) }

  mutating func scroll(_ panel: Panel, by lines: Int) {
    // The offset of the events counts up from their newest line.
    let direction = panel == .events ? -lines : lines
    let offset = min(max(scroll[panel, default: 0] + direction, 0), extent(of: panel))
    scroll[panel] = offset
  }

  /// The number of lines by which a panel can be scrolled.
  private func extent(of panel: Panel) -> Int {
    switch panel {
    case .events: max(shownLog.count + asked.count - 1, 0)
    case .recipe: max(recipeLines.count - 1, 0)
    case .text: max((text?.text.utf8.count ?? 0) / 8, 0)
    case .gradients: max(history.evaluations.groups.count - 1, 0)
    case .memory: max(memories.count - 1, 0)
    case .tokens, .collapse, .diagnostics: max(diagnosticRows(of: panel) - 1, 0)
    case .heads: max(history.tracks.count - 1, 0)
    case .order: max((sample?.upcoming.count ?? 0) - 1, 0)
    default: 0
    }
  }
}
