// Signals that end a process which says nothing else, and that mean neither a crash nor a request with a meaning of its own.
import Glibc

package enum EndingSignal {
  /// Those that a person or a batch system sends to have a process end: QUIT is ctrl-\, USR2 and XCPU are agreed upon, the others
  /// nobody else uses here: timers, PWR of an uninterruptible power supply, and the signals that are free for everybody.
  package static let requests: [CInt] =
    [SIGQUIT, SIGUSR2, SIGXCPU, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT] + Array(firstFree...lastFree)

  // Those below belong to the C library.
  private static let firstFree: CInt = 34
  private static let lastFree: CInt = 64
}
