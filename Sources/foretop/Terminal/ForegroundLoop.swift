// The main thread's loop over a session: takes signals and messages, and shows the session on a screen, as lines or as JSON.
import Curses
import Dashboard
import Dispatch
import Foundation
import Run
import RunFile
import Session
import TerminalUI

/// Follows a session to its end.
struct ForegroundLoop: ~Copyable {
  /// The session that is followed; when a run goes back, the session of its branch is next.
  var session: TrainingSession
  /// Always read at once, so that the loop knows the session's state however slow the reader of its output is.
  private var control: Subscription
  /// Read by the screen or the printer, as fast as they can.
  var shown: Subscription
  /// True if a user can decide how a diverged run continues.
  private let isAttended: Bool
  let options: ScreenOptions
  /// The link to the front process; nil if there is none, or it has ended.
  var front: FrontLink?
  /// True if the run is to go on in the background as soon as it has begun.
  var isLeavingShell = false
  /// The file for lines in the background.
  var log: BackgroundLog?
  let signals: Signals
  /// The events of earlier sessions, for the screen.
  var past: [Event]

  /// The screen; without it, lines are printed.
  var view: ScreenView<Dashboard>?
  var printer: LinePrinter
  var state = RunState()
  /// The number of INT and TERM so far, and the exit status that they ask for.
  var interrupts = 0
  var status: Int32 = 0
  /// The time of the last TERM.
  var lastTermination: ContinuousClock.Instant?
  /// The session's last message; its value is the error that the session ended with.
  var outcome: UserError??
  /// The reason why the trainer could not continue, if it could not.
  var stop: UserError?
  var hasHungUp = false
  /// True if the user has left the screen.
  var isLeft = false
  /// Measures the machine once a second while the screen shows it.
  var sampler: MachineSampler?
  var lastSample: ContinuousClock.Instant?
  /// True if this session was asked to measure the machine's limit.
  var hasAskedForLimit = false
  /// Detects alerts and reacts to them.
  private var alerts: AlertWatch
  let preferences = PreferenceFile()
  /// The preferences with which the screen was opened.
  var before: Preferences?

  /// Prepares a session; `run` begins it.
  /// - Parameter front: the link to the front process, if the program was forked.
  init(_ request: RunRequest, options: ScreenOptions, alerts: AlertOptions, front: FrontLink? = nil) {
    self.alerts = AlertWatch(alerts)
    let hasScreen = !options.headless && !options.json
    isAttended = hasScreen && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
    let session = TrainingSession(request, isAttended: isAttended)
    self.session = session
    control = session.hub.subscribe()
    shown = session.hub.subscribe(wake: Signals.wake)
    self.options = options
    self.front = front
    past = request.past?.events ?? []
    printer = LinePrinter(isJSON: options.json)
    // Before curses and before any thread, so that neither handles a signal differently.
    signals = Signals(withScreen: hasScreen)
  }

  /// Runs the session and prints a summary.
  /// - Returns: the process's exit status.
  /// - Throws: `UserError` when the run could not begin.
  mutating func run() throws -> Int32 {
    // An unknown layout is refused even if no screen shows it.
    let layouts = try LayoutFiles(startingWith: options.layout)
    LibraryExit.tell { [hub = session.hub] in hub.tell(.failed($0)) }
    try session.start()
    if !options.headless && !options.json {
      try waitForQuickFailure()
      openScreen(layouts)
    }
    try loop()
    return try finish()
  }

  // MARK: The loop

  private mutating func loop() throws {
    while view != nil || !isPrinted {
      for signal in signals.taken() { obey(signal) }
      try takeMessages()
      if try followBranch() { continue }
      if state.ending == nil { report(alerts.look(folder: session.address.folder)) }
      if view == nil { printLines() } else { turn() }
    }
    printer.finish()
  }

  /// Continues with the session of the branch when a run went back to a checkpoint and its session has ended well.
  /// - Returns: true if there is such a session.
  private mutating func followBranch() throws -> Bool {
    guard let outcome, let next = session.next else { return false }
    guard outcome == nil, stop == nil, status == 0 else {
      session.dropNext()
      return false
    }
    session.end()
    show(shown.take())
    if view == nil { printer.flush() }
    session = TrainingSession(next, isAttended: isAttended && view != nil)
    session.hasScreen = view != nil
    control = session.hub.subscribe()
    shown = session.hub.subscribe(wake: Signals.wake)
    state = RunState()
    self.outcome = nil
    (sampler, lastSample, hasAskedForLimit) = (nil, nil, false)
    view?.dashboard.startSession(at: Date().timeIntervalSince1970)
    LibraryExit.tell { [hub = session.hub] in hub.tell(.failed($0)) }
    try session.start()
    return true
  }

  mutating func show(_ messages: [SessionMessage]) {
    for message in messages {
      if view == nil { printer.take(message) } else { message.show(on: &view!.dashboard) }
    }
  }

  /// Takes the messages that the loop itself acts on.
  private mutating func takeMessages() throws {
    for message in control.take() {
      switch message {
      case .event(let event):
        state.apply(event)
        lookAtCheckpoints(after: event.event)
        watch(event)
        if front?.isDetached == true ? isUnderWay : isLeavingShell { leaveShell() }
        // Another process asks for it.
        if case .occurred(let occurrence) = event.event, occurrence.kind == .done,
          occurrence.key == Command.detach.word, occurrence.request != nil
        {
          detach()
        }
        // Without a screen, nobody can decide how a diverged run continues.
        if view == nil, case .occurred(let occurrence) = event.event, occurrence.kind == .diverged {
          session.requests.send(.stop(saving: false), by: .program)
        }
      case .preparing, .progress, .evaluating: break
      case .cancelled: leaveNow()
      case .failed(let error):
        closeScreen()
        throw error
      case .stopped(let error): stop = error
      case .closed(let error): outcome = .some(error)
      }
    }
  }

  /// Tells the screen the run's checkpoints after an event that may have changed them.
  private mutating func lookAtCheckpoints(after event: Event) {
    guard view != nil else { return }
    switch event {
    case .began: break
    case .occurred(let occurrence) where occurrence.kind == .saved: break
    default: return
    }
    view!.dashboard.know(checkpoints: (try? StoredRun.checkpointSteps(in: session.address.folder)) ?? [])
  }

  private mutating func watch(_ event: NumberedEvent) {
    report(alerts.take(event.event))
    let (bell, problem) = alerts.tell(event)
    if let bell { if view != nil { view!.ring(bell) } else { Output.ring(bell) } }
    guard let problem else { return }
    session.report(
      Occurrence(
        .warning, step: state.last?.step ?? 0, time: Date().timeIntervalSince1970, text: problem.harmlessLine))
  }

  private func report(_ occurrences: [Occurrence]) {
    for occurrence in occurrences { session.report(occurrence) }
  }

  /// Waits for an instant, since most errors come at once: then no screen needs to be opened.
  private mutating func waitForQuickFailure() throws {
    let deadline = DispatchTime.now() + 0.03
    while state.beginning == nil, .now() < deadline {
      try takeMessages()
      usleep(1000)
    }
  }

  // MARK: Lines

  /// True if nothing more will be printed: the run is over, and the reader has everything or takes nothing any more.
  private var isPrinted: Bool {
    outcome != nil && (status != 0 || shown.count == 0 && !printer.isBehind || printer.isGivenUp)
  }

  private mutating func printLines() {
    printer.passTime()
    // Messages that the reader does not take wait in the subscription, which is bounded.
    repeat {
      while !printer.isFull, case let messages = shown.take(most: 64), !messages.isEmpty {
        for message in messages { printer.take(message) }
      }
      printer.flush()
    } while !printer.isBehind && shown.count > 0
    log?.turnOverIfLarge()
    if outcome != nil { printer.startGivingUp() }
    if !isPrinted { signals.wait(milliseconds: 50) }
  }
}

extension SessionMessage {
  /// Shows the message on a dashboard, if it concerns one.
  fileprivate func show(on dashboard: inout Dashboard) {
    func occurred(_ kind: Occurrence.Subject, _ text: String) -> Event {
      .occurred(Occurrence(kind, step: 0, time: Date().timeIntervalSince1970, text: text))
    }
    switch self {
    case .event(let event): dashboard.receive(event)
    case .preparing(let text): dashboard.prepare(text, at: Date().timeIntervalSince1970)
    case .progress(let work, let done, let total):
      dashboard.prepare(work, done: done, total: total, at: Date().timeIntervalSince1970)
    case .evaluating(let done, let total):
      dashboard.evaluate(done: done, total: total, at: Date().timeIntervalSince1970)
    case .closed(let error?): dashboard.receive(occurred(.failure, error.message))
    case .closed(nil), .failed, .stopped, .cancelled: break
    }
  }
}
