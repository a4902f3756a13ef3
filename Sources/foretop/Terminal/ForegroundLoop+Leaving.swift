// The ways out of the loop: at once, without a terminal, and at the end of the run.
import Foundation
import Run
import RunFile
import Session

extension ForegroundLoop {
  /// Ends the process at once. A run that is being set up leaves nothing.
  mutating func leaveNow() -> Never {
    closeScreen()
    let hasCheckpoint = state.savedStep != nil || (state.beginning?.step ?? 0) > 0
    let command = session.request.address.command("resume")
    let words =
      state.beginning == nil
      ? "stopped before the first step"
      : "stopped at once; “\(command)” "
        + (hasCheckpoint ? "goes on from the last checkpoint" : "begins again, since there is no checkpoint yet")
    Output.silenceWhatIsStuck()
    Output.warn(words.harmlessLine)
    if state.beginning == nil { session.cancelSetup() }
    // Other threads are still at work, so that no destructor may run.
    fflush(nil)
    _exit(status)
  }

  /// The terminal is gone, and the run goes on; output to the terminal is discarded from now on.
  mutating func loseTerminal() {
    closeScreen()
    guard !hasHungUp else { return }
    hasHungUp = true
    Output.silence { isatty($0) == 1 || fcntl($0, F_GETFL) < 0 }
    session.report(
      Occurrence(
        .notice, step: state.last?.step ?? 0, time: Date().timeIntervalSince1970, actor: .signal,
        text: "the terminal hung up; the run goes on without a screen"))
  }

  /// Waits for the session's threads, and prints the summary.
  /// - Returns: the process's exit status.
  /// - Throws: `UserError` when the session ended with an error.
  func finish() throws -> Int32 {
    session.end()
    // The run is over: a reader that takes nothing must not delay the end.
    Output.silenceWhatIsStuck()
    if !options.json { print(state.summary(of: session.address)) }
    fflush(nil)
    if let error = (outcome ?? nil) ?? stop { throw error }
    if status != 0 { return status }
    switch state.ending?.reason {
    case .diverged: return 1
    case .failed: return UserError.Status.inputOutput.rawValue
    case .abandoned where state.isDiverged: return 1
    default: return 0
    }
  }
}
