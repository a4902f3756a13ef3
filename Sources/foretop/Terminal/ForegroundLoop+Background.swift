// A run that goes on in the background: the screen is left, then the shell.
import Foundation
import Run
import RunFile
import Session

extension ForegroundLoop {
  /// Leaves the screen, and the shell where that is possible; the run goes on.
  mutating func detach() {
    guard view != nil else { return }
    closeScreen()
    isLeavingShell = true
    leaveShell()
    // Who left a run that goes on reads its lines from here on.
    if let beginning = state.beginning { printer.take(.event(NumberedEvent(0, .began(beginning)))) }
  }

  /// Whether a run in the background has got as far as its first step, or has anything else to show for itself.
  var isUnderWay: Bool {
    state.phase == .paused || state.ending != nil || (state.last?.step ?? 0) > (state.beginning?.step ?? .max)
  }

  /// Has the shell go on, and takes this process to the background.
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
