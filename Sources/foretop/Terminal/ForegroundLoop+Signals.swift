// The effect of signals on a session in the foreground.
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
      // Everything is stored: a stop only leaves the screen.
      isLeft = isLeft || Signals.isStop(signal)
    default: if isInterrupt(signal) { leaveNow() }
    }
  }

  /// Asks the run to save, or to save and stop, as the signal demands.
  /// - Returns: true if the process must end now: the run was asked to stop before, or there is nothing to save yet.
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
  /// - Returns: true if the run has not begun, so that there is nothing to save.
  private func isTooEarlyToStop() -> Bool {
    guard state.beginning != nil else { return true }
    session.requests.send(.stop(saving: true), by: .signal)
    return false
  }

  /// True if a TERM came less than a second before: timeout and batch systems send TERM to a process and then to its group, and
  /// mean one stop.
  private mutating func repeatsTermination() -> Bool {
    let now = ContinuousClock.now
    defer { lastTermination = now }
    return lastTermination.map { now - $0 < .seconds(1) } ?? false
  }

  /// Only the first USR2 or XCPU counts, since batch systems and the kernel send them repeatedly.
  private mutating func stopsOnce(_ signal: CInt) -> Bool {
    guard status == 0 else { return false }
    status = 128 + signal
    return isTooEarlyToStop()
  }
}
