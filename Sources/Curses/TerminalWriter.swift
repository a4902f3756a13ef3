// What stands between curses and the terminal: a pipe, and a thread that empties it into the terminal. A terminal that takes
// no output (ctrl-S, a link that stalls, a multiplexer that sleeps) holds that thread up, and nobody else: keys and signals
// are still obeyed.
import CCurses
import Glibc
import Synchronization

/// Writes to a terminal without ever waiting for it. Closing it gives up on what the terminal has not taken.
final class TerminalWriter: Sendable {
  /// For curses: the pipe, but the terminal itself while curses sets its modes.
  let descriptor: CInt
  private let terminal: CInt
  private let reading: CInt
  private let writing: CInt
  /// Whether the thread has bytes that are in the pipe no more and on the terminal not yet.
  private let isCarrying = Atomic<Bool>(false)

  /// The largest frame: 500 × 150 cells, each with colours of its own.
  private static let capacity: CInt = 1 << 20

  /// - Parameter terminal: a descriptor of the terminal, which stays the caller's.
  /// - Returns: nil when there are no descriptors or threads left.
  init?(to terminal: CInt) {
    var ends: [CInt] = [-1, -1]
    let own = fcntl(terminal, F_DUPFD_CLOEXEC, 3)
    let offered = fcntl(terminal, F_DUPFD_CLOEXEC, 3)
    guard own >= 0, offered >= 0, pipe(&ends) == 0 else { return nil }
    (self.terminal, descriptor, reading, writing) = (own, offered, ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // Where the system grants less, larger frames wait for the thread.
    foretop_widen(writing, Self.capacity)
    var thread = pthread_t()
    let started = pthread_create(
      &thread, nil,
      { writer in
        Unmanaged<TerminalWriter>.fromOpaque(writer!).takeRetainedValue().carry()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    guard started == 0 else {
      Unmanaged.passUnretained(self).release()
      for end in ends + [own, offered] { Glibc.close(end) }
      errno = started
      return nil
    }
    pthread_detach(thread)
  }

  /// From now on, what is written to `descriptor` goes to the thread.
  func interpose() { dup2(writing, descriptor) }

  /// From now on, `descriptor` is the terminal again: for its modes alone, since what is written there can wait for ever.
  func withdraw() { dup2(terminal, descriptor) }

  /// Waits until the terminal has taken everything. Where it takes nothing for a second, what is stuck is thrown away, a
  /// picture of a screen that is being left, and `wayBack` is written in its place.
  /// - Returns: whether everything is taken.
  func finish(wayBack: [UInt8]) -> Bool {
    if waitUntilTaken(milliseconds: 1000) { return true }
    tcflush(terminal, TCOFLUSH)
    _ = wayBack.withUnsafeBytes { write(writing, $0.baseAddress, $0.count) }
    return waitUntilTaken(milliseconds: 200)
  }

  /// Whether everything so far is on the terminal.
  var isEmpty: Bool {
    var waiting: CInt = 0
    // In this order: bytes leave the pipe after the thread has said that it carries some.
    return ioctl(reading, UInt(FIONREAD), &waiting) == 0 && waiting == 0
      && !isCarrying.load(ordering: .sequentiallyConsistent)
  }

  private func waitUntilTaken(milliseconds: Int) -> Bool {
    for _ in 0..<(milliseconds / 2) {
      if isEmpty { return true }
      usleep(2000)
    }
    return isEmpty
  }

  /// Ends the thread when it gets to it. `descriptor` is curses' to close.
  func close() { Glibc.close(writing) }

  /// The thread.
  private func carry() {
    // Signals are the main thread's.
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, nil)
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      var ready = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
      guard poll(&ready, 1, -1) > 0 else { continue }
      isCarrying.store(true, ordering: .sequentiallyConsistent)
      let count = read(reading, &bytes, bytes.count)
      guard count > 0 else { break }
      var sent = 0
      while sent < count {
        let written = bytes.withUnsafeBytes { write(terminal, $0.baseAddress! + sent, count - sent) }
        // A terminal that is gone takes everything, as far as anybody can tell.
        if written < 0 && errno != EINTR { break }
        sent += max(written, 0)
      }
      isCarrying.store(false, ordering: .sequentiallyConsistent)
    }
    isCarrying.store(false, ordering: .sequentiallyConsistent)
    Glibc.close(reading)
    Glibc.close(terminal)
  }
}
