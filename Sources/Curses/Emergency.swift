// Puts the terminal back when the program dies: a signal handler that only writes bytes made ready before, sets the modes
// saved before, and lets the signal have its way.
import Glibc

/// What the handler needs, in plain memory that is never moved or freed.
private struct Remains {
  var modes = termios()
  var output: CInt = -1
  var overheard: CInt = -1
  var bytes: UnsafeMutablePointer<UInt8>
  var count: Int
}

/// Nil while the terminal is as it was.
nonisolated(unsafe) private var remains: UnsafeMutablePointer<Remains>?

/// The terminal's way back, kept ready while a screen is shown.
enum Emergency {
  private static let signals = [SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGQUIT]

  /// Takes the fatal signals. Called before curses starts, so that no moment is left uncovered.
  static func prepare() {
    makeRoom()
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in
      Emergency.restore()
      // Not what was there before: Swift's runtime would ask questions on a terminal and wait for an answer.
      Glibc.signal(signal, SIG_DFL)
      raise(signal)
    }
    // Not blocked while it is handled, so that raising it again takes effect at once.
    action.sa_flags = CInt(SA_ONSTACK) | CInt(SA_NODEFER)
    for signal in signals { sigaction(signal, &action, nil) }
  }

  /// A stack of its own for the handler, on the calling thread: a stack that overflows has no room for one. Other threads have
  /// theirs from when they are made.
  private static func makeRoom() {
    guard !hasRoom else { return }
    hasRoom = true
    var stack = stack_t(ss_sp: malloc(room), ss_flags: 0, ss_size: room)
    if stack.ss_sp != nil { sigaltstack(&stack, nil) }
  }

  private static let room = 64 << 10
  nonisolated(unsafe) private static var hasRoom = false

  /// From now on, dying writes `bytes` to `output`, sets `modes`, and shows what can be read from `overheard`.
  static func arm(modes: termios, output: CInt, overheard: CInt, bytes: [UInt8]) {
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
    copy.initialize(from: bytes, count: bytes.count)
    let new = UnsafeMutablePointer<Remains>.allocate(capacity: 1)
    new.initialize(to: Remains(modes: modes, output: output, overheard: overheard, bytes: copy, count: bytes.count))
    remains = new
  }

  /// The terminal has been put back in order: nothing is left to do. What was armed is not freed, since a handler on
  /// another thread might be reading it.
  static func disarm() { remains = nil }

  /// Async-signal-safe: calls read, write, dup2 and tcsetattr only.
  private static func restore() {
    guard let pointer = remains else { return }
    remains = nil
    _ = write(pointer.pointee.output, pointer.pointee.bytes, pointer.pointee.count)
    tcsetattr(pointer.pointee.output, TCSANOW, &pointer.pointee.modes)
    dup2(pointer.pointee.output, STDERR_FILENO)
    var byte: UInt8 = 0
    while read(pointer.pointee.overheard, &byte, 1) == 1 { _ = write(pointer.pointee.output, &byte, 1) }
  }
}
