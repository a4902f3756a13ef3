// An interrupt as a question that a loop asks: INT and TERM end it after what it does now, and a second one ends the process.
import Glibc

nonisolated(unsafe) private var wasInterrupted: sig_atomic_t = 0

struct Interrupt {
  /// From now on INT and TERM only leave a mark, the first time. Where they are ignored, they stay so.
  init() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in wasInterrupted = 1 }
    action.sa_flags = CInt(SA_RESTART) | CInt(bitPattern: UInt32(SA_RESETHAND))
    Signals.take([SIGINT, SIGTERM], by: action)
  }

  /// Whether one came.
  var came: Bool { wasInterrupted != 0 }
}
