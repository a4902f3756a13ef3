// A run that goes on in the background: the screen is left, then the shell.
import Foundation
import Run
import RunFile
import Session

extension ForegroundLoop {
  /// Leaves the screen and, if possible, the shell; the run goes on.
  mutating func detach() {
    guard view != nil else { return }
    closeScreen()
    isLeavingShell = true
    leaveShell()
    // The user reads the run's lines from here on.
    if let beginning = state.beginning { printer.take(.event(NumberedEvent(0, .began(beginning)))) }
  }

  /// True if a run in the background has taken a step, is paused or has ended.
  var isUnderWay: Bool {
    state.phase == .paused || state.ending != nil || (state.last?.step ?? 0) > (state.beginning?.step ?? .max)
  }

  /// Lets the shell continue, and takes this process to the background.
  mutating func leaveShell() {
    guard let front, state.beginning != nil else { return }
    let address = session.address
    let sentence =
      "run “\(address.name)” goes on in the background, process \(getpid()): “\(address.command("attach"))” shows its screen, "
      + "“\(address.command("tell")) stop” stops it; its lines are in \(RunFolder(address.folder).log)"
    var log: BackgroundLog?
    let isLeft = front.leave(saying: sentence.harmlessLine) {
      Output.silence { $0 == STDIN_FILENO }
      log = BackgroundLog(folder: address.folder)
    }
    guard isLeft else { return }
    self.log = log
    self.front = nil
    hasHungUp = true
  }
}
