// Restores the terminal when the program dies: a signal handler writes prepared bytes, sets the saved modes, and then lets the
// signal take its default effect.
import Glibc

/// The handler's data, in memory that is never moved or freed.
private struct Remains {
  var modes = termios()
  var output: CInt = -1
  var overheard: CInt = -1
  var bytes: UnsafeMutablePointer<UInt8>
  var count: Int
}

/// Nil while no screen is shown.
nonisolated(unsafe) private var remains: UnsafeMutablePointer<Remains>?

/// Restores the terminal from a signal handler, while a screen is shown.
enum Emergency {
  private static let signals = [SIGSEGV, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGQUIT]

  /// Installs the handler of the fatal signals. Call this before curses starts, so that every moment is covered.
  static func prepare() {
    makeRoom()
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in
      Emergency.restore()
      // The default, not the handler from before: Swift's runtime would open a dialog on the terminal and wait.
      Glibc.signal(signal, SIG_DFL)
      raise(signal)
    }
    // The signal is not blocked during its handler, so that raising it again takes effect at once.
    action.sa_flags = CInt(SA_ONSTACK) | CInt(SA_NODEFER)
    for signal in signals { sigaction(signal, &action, nil) }
  }

  /// Gives the calling thread an alternate stack for the handler, since an overflowing stack has no room for it. Other threads
  /// get theirs when they start.
  private static func makeRoom() {
    guard !hasRoom else { return }
    hasRoom = true
    var stack = stack_t(ss_sp: malloc(room), ss_flags: 0, ss_size: room)
    if stack.ss_sp != nil { sigaltstack(&stack, nil) }
  }

  private static let room = 64 << 10
  nonisolated(unsafe) private static var hasRoom = false

  /// Arms the handler: it writes `bytes` to the descriptor `output`, sets `modes`, and prints the content of the descriptor
  /// `overheard`.
  static func arm(modes: termios, output: CInt, overheard: CInt, bytes: [UInt8]) {
    let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
    copy.initialize(from: bytes, count: bytes.count)
    let new = UnsafeMutablePointer<Remains>.allocate(capacity: 1)
    new.initialize(to: Remains(modes: modes, output: output, overheard: overheard, bytes: copy, count: bytes.count))
    remains = new
  }

  /// Disarms the handler after the terminal was restored. Its data are not freed, since a handler on another thread might be
  /// reading them.
  static func disarm() { remains = nil }

  /// Async-signal-safe: calls only read, write, dup2 and tcsetattr.
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
