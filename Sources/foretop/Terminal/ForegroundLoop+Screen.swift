// The screen of a run in training: opened, drawn, its keys passed on, and closed.
import Curses
import Dashboard
import Dispatch
import Foundation
import Run
import RunFile
import Session
import TerminalUI

extension ForegroundLoop {
  /// Opens the screen; does nothing if the terminal cannot show one.
  mutating func openScreen(_ layouts: LayoutFiles) {
    view = ScreenView.open(options.looks, layouts) { Dashboard(.live, layouts, glyphs: $0) }
    if state.beginning != nil {
      view?.dashboard.know(checkpoints: (try? StoredRun.checkpointSteps(in: session.address.folder)) ?? [])
    }
    view?.dashboard.use(preferences.chosen(options.looks), layout: !layouts.isAskedFor)
    before = view?.dashboard.chosen
    if let problem = preferences.problem, view != nil {
      view!.dashboard.receive(
        .occurred(
          Occurrence(.warning, step: 0, time: Date().timeIntervalSince1970, text: problem)))
    }
    for event in past { view?.dashboard.receive(event) }
    session.hasScreen = view != nil
    view?.dashboard.startSettingUp(at: Date().timeIntervalSince1970)
    past = []
  }

  mutating func closeScreen() {
    let after = view?.dashboard.chosen
    view = nil
    session.hasScreen = false
    // After the terminal is restored, so that an error can be printed.
    guard let before, let after else { return }
    self.before = nil
    if let problem = preferences.remember(before, after) { Output.warn(problem.harmlessLine) }
  }

  /// Shows new messages, draws, and passes on a key. The screen ends when the user leaves it, when a run ends that was asked to,
  /// and when the terminal goes away; a run that ends by itself stays on the screen.
  mutating func turn() {
    show(shown.take())
    for line in view!.overheardLines() {
      session.report(
        Occurrence(.warning, step: state.last?.step ?? 0, time: Date().timeIntervalSince1970, text: line))
    }
    lookAtMachine()
    if isLeft || (outcome != nil && !staysWhenOver) { return leaveScreen() }
    switch view!.turn(wake: signals.descriptor) {
    case .nothing: return
    case .gone: return loseTerminal()
    case .asked(let command): ask(command)
    }
  }

  private mutating func lookAtMachine() {
    guard view!.dashboard.showsMachine else { return }
    let now = ContinuousClock.now
    if let lastSample, now - lastSample < .seconds(1) { return }
    lastSample = now
    // The disk of the run's folder; of the working folder while the run has no folder.
    if sampler == nil { sampler = MachineSampler(folder: state.beginning == nil ? "." : session.address.folder) }
    if let use = sampler?.next() { view!.dashboard.receive(use) }
    // Once a session, and only if somebody looks at the panel: the measurement holds the training up for an instant.
    guard view!.dashboard.lacksLimit, !hasAskedForLimit else { return }
    hasAskedForLimit = true
    session.requests.send(.limit, by: .program)
  }

  private mutating func ask(_ command: Command) {
    if command == .detach {
      guard state.ending == nil else { return leaveScreen() }
      guard state.beginning != nil else { return detach() }
      session.report(
        Occurrence(
          .done, step: state.last?.step ?? 0, time: Date().timeIntervalSince1970, key: command.word,
          actor: view!.dashboard.askedBy,
          text: "\(command.word): done at step \(Figure.grouped(state.last?.step ?? 0))"))
      return detach()
    }
    // A run that is being set up has nothing to save.
    if case .stop = command, state.beginning == nil { leaveNow() }
    let (actor, isSure) = (view!.dashboard.askedBy, view!.dashboard.askedIsSure)
    view!.dashboard.wasSent(as: session.requests.send(command, by: actor, isSure: isSure))
  }

  /// True if the run ended by itself, so that the user will want to see the result.
  private var staysWhenOver: Bool {
    guard status == 0, let reason = state.ending?.reason else { return false }
    return reason != .stopped && reason != .abandoned
  }

  private mutating func leaveScreen() {
    closeScreen()
    // These messages were for the screen.
    if outcome != nil { _ = shown.take() }
    if state.ending != nil, outcome == nil, state.failure != nil {
      print("the last checkpoint is not stored yet: saving is retried for a minute; ctrl-C twice leaves without it …")
      fflush(nil)
    }
  }
}
