// Signals as values: the handler only writes a signal's number into a pipe, from which the main loop reads it.
import Glibc
import Run

/// The pipe's writing end.
nonisolated(unsafe) private var signalPipe: CInt = -1

/// The signals sent to the process, for the main loop.
struct Signals: ~Copyable {
  /// A descriptor that can be read when a signal has come.
  let descriptor: CInt
  /// The main thread's, which alone takes signals: a `WorkerThread` blocks them.
  nonisolated(unsafe) private static var stack: SignalStack?

  /// The effects of signals on a run, for the help.
  static let help = """
    Signals: INT and TERM save and stop; a second signal stops at once, without saving; two TERM within a second count \
    as one. After HUP (a lost ssh) the run continues without a screen. USR1 saves, and the run continues. USR2 and \
    XCPU, which batch systems send some time before they kill a job, save and stop, even if they are sent repeatedly (Slurm: \
    --signal=B:USR2@120). QUIT (ctrl-\\), PWR, ALRM, VTALRM, PROF, IO (POLL), STKFLT and the real-time signals do the same. The \
    limit on a file's size (ulimit -f) is treated like a full disk: the run waits until the limit is raised, and \
    loses nothing.
    """

  /// True if a signal asks a run to end.
  static func isStop(_ signal: CInt) -> Bool {
    signal == SIGINT || signal == SIGTERM || EndingSignal.requests.contains(signal)
  }

  /// Ignores USR1 until there is a run to save; its default action would end the process.
  static func expectRequests() {
    var nothing = sigaction()
    nothing.__sigaction_handler.sa_handler = { _ in }
    nothing.sa_flags = CInt(SA_RESTART)
    take([SIGUSR1], by: nothing)
  }

  /// Ends the process with status 128 + N at a signal that asks for an end, until there is a screen or a run: what is read before
  /// may take long, and nothing has to be put back yet.
  static func endEarly() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in _exit(128 + signal) }
    take(ends, by: action)
  }

  /// The signals that ask a process to end.
  static let ends = [SIGINT, SIGTERM, SIGHUP] + EndingSignal.requests

  /// Takes signals on a stack of their own; those that are ignored already stay so, as nohup and shells demand. oneDNN's products for
  /// AVX2 point the stack register at a buffer of the heap: a handler on that stack would write over what lies before the buffer.
  static func take(_ signals: [CInt], by action: sigaction) {
    if stack == nil { stack = SignalStack() }
    var action = action
    action.sa_flags |= CInt(SA_ONSTACK)
    for signal in signals {
      var before = sigaction()
      sigaction(signal, nil, &before)
      let isIgnored = unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self) == ignored
      if !isIgnored { sigaction(signal, &action, nil) }
    }
  }

  /// Takes INT, TERM, HUP, USR1, the other requests to end, WINCH and, with a screen, TSTP; ignores PIPE, so that a reader that
  /// goes away does not end a run. Signals that are ignored already stay ignored, as nohup and shells demand.
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
    Self.take(taken + (withScreen ? [SIGTSTP] : []), by: action)
    Glibc.signal(SIGPIPE, SIG_IGN)
  }

  /// `SIG_IGN` as a number, since functions cannot be compared.
  private static let ignored = unsafeBitCast(SIG_IGN, to: Int.self)

  /// The signals since the last call, oldest first.
  func taken() -> [CInt] {
    var bytes = [UInt8](repeating: 0, count: 64)
    let count = read(descriptor, &bytes, bytes.count)
    return count > 0 ? bytes[..<count].filter { $0 != 0 }.map(CInt.init) : []
  }

  /// Ends a wait for signals or keys, since there is something else to look at. May be called on any thread.
  static func wake() {
    var byte: UInt8 = 0
    _ = write(signalPipe, &byte, 1)
  }

  /// Waits for a signal, but no longer than this.
  func wait(milliseconds: CInt) {
    var descriptors = [pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)]
    _ = poll(&descriptors, 1, milliseconds)
  }
}
