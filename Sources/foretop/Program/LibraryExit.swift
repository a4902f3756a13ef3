// Libraries that end the program by themselves: libgomp and libsentencepiece call exit when the machine gives them no thread or
// no memory. Their status would mean something else, and nothing would be said.
@preconcurrency import Glibc
import Run
import Synchronization

enum LibraryExit {
  /// Whether it is the program itself that ends.
  private static let isOurs = Atomic(false)
  /// Whether a library has ended it.
  private static let isHeard = Atomic(false)
  private static let listener = Mutex<(@Sendable (UserError) -> Void)?>(nil)

  /// From now on such an end is one with a sentence.
  static func watch() {
    _ = mainThread
    atexit { LibraryExit.hear() }
  }

  private static let mainThread = pthread_self()

  /// Has somebody told on the main thread, which may have a screen to put away, when it comes to pass on another.
  static func tell(_ listener: @escaping @Sendable (UserError) -> Void) { self.listener.withLock { $0 = listener } }

  /// The program is about to return from its main function.
  static func expect() { isOurs.store(true, ordering: .sequentiallyConsistent) }

  /// Ends the program.
  static func leave(_ status: Int32) -> Never {
    expect()
    if isHeard.load(ordering: .sequentiallyConsistent) {
      // The library's call to exit has not returned, and another one might wait for it.
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
