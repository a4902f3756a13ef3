// The main thread: takes news and signals, and shows the run on the screen, as lines, as JSON, or not at all.
import Curses
import Dashboard
import Dispatch
import Foundation
import Run
import TerminalUI

/// Follows a session to its end.
struct Conductor: ~Copyable {
  private let session: Session
  private let options: ScreenOptions
  private let signals: Signals
  private var tally = Tally()
  /// INT and TERM so far, and the status that they ask for.
  private var interrupts = 0
  private var status: Int32 = 0
  /// When the last TERM came.
  private var lastTermination: ContinuousClock.Instant?
  /// The news that ended the session.
  private var outcome: UserError??
  /// Why the trainer ended, where it could not go on.
  private var stop: UserError?
  private var hasHungUp = false
  /// What came before there was a place to show it.
  private var early: [News] = []
  /// What happened in the sessions before.
  private var past: [Event]

  init(_ plan: Plan, options: ScreenOptions) {
    let hasScreen = !options.headless && !options.json
    session = Session(plan, isAttended: hasScreen && isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1)
    self.options = options
    past = plan.past?.events ?? []
    // Before curses and before any thread: none of them may take a signal another way.
    signals = Signals(withScreen: hasScreen)
  }

  /// Runs the session and prints a summary.
  /// - Returns: the process's exit status.
  /// - Throws: `UserError` when the run could not begin.
  mutating func run() throws -> Int32 {
    // A name that is none is refused even where no layout is shown.
    let layouts = try LayoutFiles(startingWith: options.layout)
    try session.start()
    if !options.headless && !options.json {
      try waitForQuickFailure()
      try show(layouts)
    }
    try follow()
    return try finish()
  }

  /// What can fail fails fast, and then there is no need to take the screen first.
  private mutating func waitForQuickFailure() throws {
    let deadline = DispatchTime.now() + 0.03
    while tally.beginning == nil, .now() < deadline {
      for news in session.news.takeAll(waitingUntil: deadline) {
        early.append(news)
        try take(news) { _ in }
      }
    }
  }

  // MARK: With a screen

  /// Shows the dashboard until the user leaves it, stops the run, or the terminal goes away. A run that ends by itself
  /// stays on the screen. Returns at once where there is no screen to be had.
  private mutating func show(_ layouts: LayoutFiles) throws {
    guard var view = ScreenView.open(options: options, layouts: layouts, mode: .live) else { return }
    for event in past { view.dashboard.receive(event) }
    view.dashboard.startSettingUp(at: Date().timeIntervalSince1970)
    for news in early { news.event.map { view.dashboard.receive($0) } }
    (past, early) = ([], [])
    var isLeft = false
    var isGone = false
    while !isLeft {
      for signal in signals.taken() {
        if signal == SIGHUP {
          isGone = true
          continue
        }
        if signal == SIGTSTP {
          view.pauseForShell()
        } else if outcome != nil {
          // All is stored: there is nothing to save and stop, only to leave.
          isLeft = isLeft || Signals.isStop(signal)
        } else if interrupts(signal) {
          view.restore()
          leaveNow()
        }
      }
      if isGone {
        view.restore()
        hangUp()
        return
      }
      for news in session.news.takeAll() { try take(news) { view.dashboard.receive($0) } }
      for line in view.overheardLines() {
        let notice = Occurrence(
          .warning, step: tally.last?.step ?? 0, time: Date().timeIntervalSince1970, text: line)
        view.dashboard.receive(.occurred(notice))
        session.record(notice)
      }
      if isLeft || (outcome != nil && !staysWhenOver) { break }
      if let command = view.turn(wake: signals.descriptor) {
        if command == .detach {
          if tally.ending == nil { early = tally.beginning.map { [.event(.began($0))] } ?? [] }
          break
        }
        // Nothing is there to save or to stop yet.
        if case .stop = command, tally.beginning == nil {
          view.restore()
          leaveNow()
        }
        session.requests.send(Request(command, by: .key))
      }
      isGone = isGone || view.isGone
    }
    view.restore()
    if tally.ending != nil, outcome == nil, tally.failure != nil {
      print("the last checkpoint is not stored yet and is tried again for a minute; ctrl-C twice leaves without it …")
      fflush(nil)
    }
  }

  /// Whether the run ended without being asked to, so that somebody still wants to see how.
  private var staysWhenOver: Bool {
    guard status == 0, let reason = tally.ending?.reason else { return false }
    return reason != .stopped && reason != .abandoned
  }

  // MARK: Without

  /// Prints lines or JSON until the run is over.
  private mutating func follow() throws {
    var lines = LineMode(isJSON: options.json)
    for news in early { lines.take(news) }
    lines.flush()
    while outcome == nil || (status == 0 && lines.isBehind) {
      for signal in signals.taken() {
        if signal == SIGHUP {
          hangUp()
        } else if signal == SIGTSTP {
          kill(getpid(), SIGSTOP)
        } else if interrupts(signal) {
          leaveNow()
        }
      }
      for news in session.news.takeAll() {
        lines.take(news)
        // Nobody is there any more to decide what becomes of a run that diverged.
        if case .event(.occurred(let occurrence)) = news, occurrence.kind == .diverged {
          session.requests.send(Request(.stop(saving: false), by: .program))
        }
        try take(news) { _ in }
      }
      lines.flush()
      if outcome == nil || lines.isBehind { signals.wait(milliseconds: 50) }
    }
    lines.finish()
  }

  // MARK: Both

  private mutating func take(_ news: News, show: (Event) -> Void) throws {
    if case .event(let event) = news { tally.receive(event) }
    news.event.map(show)
    switch news {
    case .event, .preparing: break
    case .failed(let error): throw error
    case .stopped(let error): stop = error
    case .closed(let error): outcome = .some(error)
    }
  }

  /// Asks the run to save, or to save and stop, where a signal says so.
  /// - Returns: whether it was asked to stop before, or there is nothing to save yet: then the process ends now.
  private mutating func interrupts(_ signal: CInt) -> Bool {
    if signal == SIGUSR1, tally.beginning != nil { session.requests.send(Request(.save, by: .signal)) }
    guard Signals.isStop(signal) else { return false }
    guard signal == SIGINT || signal == SIGTERM else { return stopsOnce(signal) }
    if signal == SIGTERM, repeatsTermination() { return false }
    interrupts += 1
    status = 128 + signal
    guard interrupts == 1, tally.beginning != nil else { return true }
    session.requests.send(Request(.stop(saving: true), by: .signal))
    return false
  }

  /// Whether a TERM came less than a second before: timeout and batch systems send it to a process and at once to its group,
  /// and mean one stop.
  private mutating func repeatsTermination() -> Bool {
    let now = ContinuousClock.now
    defer { lastTermination = now }
    return lastTermination.map { now - $0 < .seconds(1) } ?? false
  }

  /// USR2 and XCPU come again and again where a batch system or the kernel means it: the first one counts.
  private mutating func stopsOnce(_ signal: CInt) -> Bool {
    guard status == 0 else { return false }
    status = 128 + signal
    guard tally.beginning != nil else { return true }
    session.requests.send(Request(.stop(saving: true), by: .signal))
    return false
  }

  private func leaveNow() -> Never {
    let hasCheckpoint = tally.savedStep != nil || (tally.beginning?.step ?? 0) > 0
    let words =
      tally.beginning == nil
      ? "stopped before the first step"
      : "stopped at once; “\(session.plan.command("resume"))” "
        + (hasCheckpoint ? "goes on from the last checkpoint" : "begins again, since there is no checkpoint yet")
    Output.silenceWhatIsStuck()
    Output.warn(words.harmlessLine)
    // Threads are at work: no destructors while they are.
    fflush(nil)
    _exit(status)
  }

  /// The terminal is gone; the run stays. What would be printed goes nowhere from now on.
  private mutating func hangUp() {
    guard !hasHungUp else { return }
    hasHungUp = true
    Output.silence { isatty($0) == 1 || fcntl($0, F_GETFL) < 0 }
    session.record(
      Occurrence(
        .notice, step: tally.last?.step ?? 0, time: Date().timeIntervalSince1970, actor: .signal,
        text: "the terminal hung up; the run goes on without a screen"))
  }

  private func finish() throws -> Int32 {
    session.end()
    if status != 0 { Output.silenceWhatIsStuck() }
    if !options.json { print(tally.summary(of: session.planOfNow)) }
    fflush(nil)
    if let error = (outcome ?? nil) ?? stop { throw error }
    if status != 0 { return status }
    switch tally.ending?.reason {
    case .diverged: return 1
    case .failed: return UserError.Status.inputOutput.rawValue
    case .abandoned where tally.hasDiverged: return 1
    default: return 0
    }
  }
}

extension News {
  /// How the dashboard hears of it; nil where it does not.
  fileprivate var event: Event? {
    func occurred(_ kind: Occurrence.Kind, _ text: String) -> Event {
      .occurred(Occurrence(kind, step: 0, time: Date().timeIntervalSince1970, text: text))
    }
    return switch self {
    case .event(let event): event
    case .preparing(let text): occurred(.notice, text + " …")
    case .closed(let error?): occurred(.failure, error.message)
    case .closed(nil), .failed, .stopped: nil
    }
  }
}
