// Signals as values: a handler that only writes the signal's number into a pipe, and the main loop that reads it.
import Glibc

/// The pipe's writing end.
nonisolated(unsafe) private var signalPipe: CInt = -1

/// What was sent to the process, for the main loop.
struct Signals: ~Copyable {
  /// Can be read when a signal came.
  let descriptor: CInt

  /// Takes INT, TERM, HUP, WINCH and, where there is a screen to put away, TSTP; ignores PIPE, so that a reader that
  /// goes away does not end a run. What is ignored already stays so: nohup and shells ask for that.
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
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGCONT] + (withScreen ? [SIGTSTP] : []) {
      var before = sigaction()
      sigaction(signal, nil, &before)
      let isIgnored = unsafeBitCast(before.__sigaction_handler.sa_handler, to: Int.self) == Self.ignored
      if !isIgnored { sigaction(signal, &action, nil) }
    }
    Glibc.signal(SIGPIPE, SIG_IGN)
  }

  /// `SIG_IGN`, as the number that it is: functions cannot be compared.
  private static let ignored = unsafeBitCast(SIG_IGN, to: Int.self)

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
