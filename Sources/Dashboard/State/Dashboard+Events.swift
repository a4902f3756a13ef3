// Events on a run's screen: each changes the run's state, then what is seen of it.
import Run
import TerminalUI

extension Dashboard {
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

  /// Keeps the factor that a change of the rate took the place of, for as long as it matters. What was undone does not count.
  private mutating func remember(_ factor: Double, before event: Event) {
    guard case .occurred(let occurrence) = event, occurrence.kind == .rate, !occurrence.isUndone else { return }
    rateCaution.note(factor, before: occurrence.step, time: occurrence.time)
  }

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
      // It stopped short.
      if self.evaluation.isUnderWay { self.evaluation = WorkProgress(of: .windows) }
      history.append(report)
    case .summedUp(let steps):
      guard RunState.isPlausible(steps.mean.step) else { return }
      history.append(steps)
    case .evaluated(let evaluation):
      guard RunState.isPlausible(evaluation.step) else { return }
      self.evaluation = WorkProgress(of: .windows)
      let known = history.evaluations.diagnostics.count
      history.append(evaluation)
      if history.evaluations.diagnostics.count > known { listChartedNumbers() }
      if !evaluation.memories.isEmpty { memories = evaluation.memories }
      note(LogLine(evaluation))
    case .mapped(let map): memoryMap = map
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
    listChartedNumbers()
    if beginning.parent?.step == step { history.leave(after: step) } else { history.cut(after: step) }
    // Where a branch begins has a mark of its own.
    if step > 0, beginning.parent?.step != step {
      history.interrupt()
      history.mark(.resumed, step: step)
      note(
        LogLine(time: beginning.time, step: step, text: "resumed at step \(Figure.grouped(step))", style: Style(.good)))
    }
    samples.removeAll { $0.step > step }
    if let map = memoryMap, map.step > step { (memories, memoryMap) = ([], nil) }
  }

  mutating func note(_ occurrence: Occurrence, after phase: RunPhase) {
    guard occurrence.kind != .done || occurrence.tellsWhoAsked else { return }
    note(LogLine(occurrence))
    if let expectation = occurrence.expectation { show(TextAnswer(step: occurrence.step, expectation)) }
    if occurrence.kind == .pause || occurrence.kind == .proceed || occurrence.kind == .start { history.interrupt() }
    switch occurrence.kind {
    case .pause: if phase != .paused { history.mark(.pause, step: occurrence.step) }
    case .diverged: history.mark(.diverged, step: occurrence.step)
    case .rate: history.mark(.rate, step: occurrence.step)
    case .weight: history.mark(.weight, step: occurrence.step)
    case .saved:
      history.mark(.saved, step: occurrence.step)
      if occurrence.key == Occurrence.spoilt {
        spoiltSteps.insert(occurrence.step)
      } else {
        spoiltSteps.remove(occurrence.step)
      }
    case .branch: history.mark(.branch, step: occurrence.step)
    case .alert: history.mark(.alert, step: occurrence.step)
    case .setting: recipeLines = beginning?.recipe.lines.map(\.text) ?? recipeLines
    case .start, .proceed, .skip, .refused, .notice, .warning, .failure, .end, .done: break
    }
  }

  /// Lines of the log and samples that are kept at most; run.h5 has all of them.
  private static let mostLines = 4096
  private static let mostSamples = 512

  mutating func note(_ line: LogLine) {
    if log.count >= Self.mostLines { log.removeFirst(Self.mostLines / 4) }
    // In the order of their times: what is reported late belongs where it happened.
    let place = (log.lastIndex { $0.time <= line.time } ?? -1) + 1
    log.insert(line, at: place)
  }

  mutating func note(_ sample: OrderSample) {
    if samples.count >= Self.mostSamples {
      samples.removeFirst(Self.mostSamples / 4)
      sampleIndex = sampleIndex.map { max($0 - Self.mostSamples / 4, 0) }
    }
    samples.append(sample)
  }

  /// True if the log, which has every refusal, is on the screen.
  private var showsEvents: Bool {
    arrangement(columns: size.columns, rows: size.rows).contains { $0.panel == .events && !$0.rectangle.isEmpty }
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
        occurrence.kind == .done || occurrence.kind == .refused && !showsEvents
      {
        message = occurrence.text
      }
    }
    if case .gap(let gap) = event, gap.others > 0 { expectLostAnswers() }
    guard case .stepped = event else { return }
    // A request with a number is always answered.
    for index in asked.indices where asked[index].request == nil { asked[index].age += 1 }
    asked.removeAll { $0.age >= Self.patience }
  }

  /// Events are missing here, and answers may be among them: what was asked is forgotten after a few steps.
  package mutating func expectLostAnswers() {
    for index in asked.indices { asked[index].request = nil }
  }
}
