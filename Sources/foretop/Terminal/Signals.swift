// Signals as values: a handler that only writes the signal's number into a pipe, and the main loop that reads it.
import Glibc
import Run

/// The pipe's writing end.
nonisolated(unsafe) private var signalPipe: CInt = -1

/// What was sent to the process, for the main loop.
struct Signals: ~Copyable {
  /// Can be read when a signal came.
  let descriptor: CInt

  /// What they do to a run, for the help.
  static let help = """
    Signals: INT and TERM save and stop; a second signal stops at once, without saving; two TERM within a second count \
    as one. After HUP (a lost ssh) the run continues without a screen. USR1 saves, and the run continues. USR2 and \
    XCPU, which batch systems send some time before they kill, save and stop, however often they are sent (Slurm: \
    --signal=B:USR2@120). PWR, ALRM, VTALRM, PROF, IO (POLL), STKFLT and the real-time signals do the same. The \
    limit on a file's size (ulimit -f) is treated like a full disk: the run waits until the limit is raised, and \
    loses nothing.
    """

  /// Whether a signal asks a run to end.
  static func isStop(_ signal: CInt) -> Bool {
    signal == SIGINT || signal == SIGTERM || EndingSignal.requests.contains(signal)
  }

  /// Keeps USR1 from ending the process before there is a run to save: by itself it would.
  static func expectRequests() {
    var before = sigaction()
    sigaction(SIGUSR1, nil, &before)
    var nothing = sigaction()
    nothing.__sigaction_handler.sa_handler = { _ in }
    nothing.sa_flags = CInt(SA_RESTART)
    if unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self) != ignored {
      sigaction(SIGUSR1, &nothing, nil)
    }
  }

  /// Takes INT, TERM, HUP, USR1, the requests to end, WINCH and, where there is a screen to put away, TSTP; ignores PIPE, so that a
  /// reader that goes away does not end a run. What is ignored already stays so: nohup and shells ask for that.
  init(withScreen: Bool) {
    let ends = PipeEnds()
    descriptor = ends?.reading ?? -1
    signalPipe = ends?.writing ?? -1
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in
      let before = errno
      var byte = UInt8(truncatingIfNeeded: signal)
      _ = write(signalPipe, &byte, 1)
      errno = before
    }
    action.sa_flags = CInt(SA_RESTART)
    let taken = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGWINCH, SIGCONT] + EndingSignal.requests
    for signal in taken + (withScreen ? [SIGTSTP] : []) {
      var before = sigaction()
      sigaction(signal, nil, &before)
      let isIgnored = unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self) == Self.ignored
      if !isIgnored { sigaction(signal, &action, nil) }
    }
    Glibc.signal(SIGPIPE, SIG_IGN)
  }

  /// `SIG_IGN`, as the number that it is: functions cannot be compared.
  static let ignored = unsafeBitCast(SIG_IGN, to: Int.self)

  /// The signals since the last time, oldest first.
  func taken() -> [CInt] {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? bytes[..<count].map(CInt.init) : []
  }

  /// Waits until a signal comes or the time is over.
  func wait(milliseconds: CInt) {
    var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
    _ = poll(&descriptors, 1, milliseconds)
  }
}
