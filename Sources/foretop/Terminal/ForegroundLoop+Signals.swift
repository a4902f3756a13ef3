// What signals ask of a session that is followed.
import Dispatch
import Foundation
import Run
import Session

extension ForegroundLoop {
  mutating func obey(_ signal: CInt) {
    switch signal {
    case SIGHUP: loseTerminal()
    case SIGTSTP: if view == nil { kill(getpid(), SIGSTOP) } else { view!.pauseForShell() }
    case _ where view != nil && outcome != nil:
      // All is stored: there is nothing to save and stop, only to leave.
      isLeft = isLeft || Signals.isStop(signal)
    default: if isInterrupt(signal) { leaveNow() }
    }
  }

  /// Asks the run to save, or to save and stop, where a signal says so.
  /// - Returns: whether it was asked to stop before, or there is nothing to save yet: then the process ends now.
  private mutating func isInterrupt(_ signal: CInt) -> Bool {
    if signal == SIGUSR1, state.beginning != nil { session.requests.send(.save, by: .signal) }
    guard Signals.isStop(signal) else { return false }
    guard signal == SIGINT || signal == SIGTERM else { return stopsOnce(signal) }
    if signal == SIGTERM, repeatsTermination() { return false }
    interrupts += 1
    status = 128 + signal
    return interrupts > 1 || isTooEarlyToStop()
  }

  /// Asks the run to save and stop.
  /// - Returns: whether there is nothing to save yet, so that the run cannot be asked.
  private func isTooEarlyToStop() -> Bool {
    guard state.beginning != nil else { return true }
    session.requests.send(.stop(saving: true), by: .signal)
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
    return isTooEarlyToStop()
  }
}
