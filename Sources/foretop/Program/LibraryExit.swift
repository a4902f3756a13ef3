// libgomp and libsentencepiece call exit when they get no thread or no memory. Such an exit gets an error message and the right
// status here.
@preconcurrency import Glibc
import Run
import Synchronization

enum LibraryExit {
  /// True if the program itself ends.
  private static let isOurs = Atomic(false)
  /// True if a library has called exit.
  private static let isHeard = Atomic(false)
  private static let listener = Mutex<(@Sendable (UserError) -> Void)?>(nil)

  /// Installs the handler that reports such an exit.
  static func watch() {
    _ = mainThread
    atexit { LibraryExit.hear() }
  }

  private static let mainThread = pthread_self()

  /// Sets the function that reports an exit on another thread to the main thread, which may have to close a screen first.
  static func tell(_ listener: @escaping @Sendable (UserError) -> Void) { self.listener.withLock { $0 = listener } }

  /// The program is about to return from its main function.
  static func expect() { isOurs.store(true, ordering: .sequentiallyConsistent) }

  /// Ends the program.
  static func leave(_ status: Int32) -> Never {
    expect()
    if isHeard.load(ordering: .sequentiallyConsistent) {
      // The library's call to exit has not returned: a second call might wait for it.
      fflush(nil)
      _exit(status)
    }
    exit(status)
  }

  private static func hear() {
    guard !isOurs.load(ordering: .sequentiallyConsistent), !isHeard.exchange(true, ordering: .sequentiallyConsistent)
    else { return }
    let error = UserError(
      .unavailable,
      "a library ended the program, most likely for lack of a thread or of memory: "
        + ProcessLimit.words(for: EAGAIN, stackSize: 8 << 20))
    if pthread_equal(pthread_self(), mainThread) == 0, let listener = listener.withLock({ $0 }) {
      listener(error)
      // The main thread ends the program.
      while true { pause() }
    }
    Output.warn(error.message)
    fflush(nil)
    _exit(error.status.rawValue)
  }
}
