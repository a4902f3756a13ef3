// A pipe between curses and the terminal, and a thread that copies from the pipe to the terminal. A terminal that takes no output
// (ctrl-S, a stalled connection, a sleeping multiplexer) blocks only that thread: keys and signals are still obeyed.
import CCurses
import Glibc
import Synchronization
import TerminalUI

/// Writes to a terminal without ever waiting for the terminal. Closing the writer discards output that the terminal has not taken.
final class TerminalWriter: Sendable {
  /// The descriptor for curses: the pipe, or the terminal itself while curses sets its modes.
  let descriptor: CInt
  private let terminal: CInt
  private let reading: CInt
  private let writing: CInt
  /// True if the thread has bytes that are not on the terminal yet.
  private let isCarrying = Atomic<Bool>(false)
  /// The number of bytes that the terminal has taken so far.
  private let taken = Atomic<Int>(0)
  /// Colours of the terminal's palette that stand for true ones.
  private let colours = Mutex(TrueColours())
  /// Once it is set, the thread throws away what it has and what the pipe has, and writes these bytes instead.
  private let wayBack = Mutex<[UInt8]?>(nil)

  /// Bytes given to the terminal at a time: a terminal that takes little is seen to take something.
  private static let piece = 4096
  /// Ends an escape sequence that was cut in its middle (ECMA-48, CAN).
  private static let cancel: UInt8 = 0x18

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
        // `foretop bench` tells by it what the screen costs.
        foretop_name_thread("terminal")
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

  /// The number of the palette that stands for a true colour from now on; nil where none is left.
  func number(of colour: RGB) -> UInt8? { colours.withLock { $0.number(of: colour) } }

  /// From now on, what is written to `descriptor` goes to the thread.
  func interpose() { dup2(writing, descriptor) }

  /// From now on, `descriptor` is the terminal again: for its modes alone, since what is written there can wait for ever.
  func withdraw() { dup2(terminal, descriptor) }

  /// Waits until the terminal has taken everything, at most five seconds. A terminal that takes nothing for a second loses
  /// what is stuck, a picture of a screen that is being left, and gets `wayBack` in its place.
  /// - Returns: whether everything is taken.
  func finish(wayBack bytes: [UInt8]) -> Bool {
    if waitUntilTaken(silence: 1, limit: 5) { return true }
    wayBack.withLock { $0 = [Self.cancel] + bytes }
    tcflush(terminal, TCOFLUSH)
    return waitUntilTaken(silence: 0.2, limit: 0.2)
  }

  /// Whether everything so far is on the terminal.
  var isEmpty: Bool {
    var waiting: CInt = 0
    // In this order: bytes leave the pipe after the thread has said that it carries some.
    return ioctl(reading, UInt(FIONREAD), &waiting) == 0 && waiting == 0
      && !isCarrying.load(ordering: .sequentiallyConsistent)
  }

  /// - Parameters:
  ///   - silence: how many seconds the terminal may take nothing for.
  ///   - limit: how many seconds this waits in all.
  private func waitUntilTaken(silence: Double, limit: Double) -> Bool {
    let clock = ContinuousClock()
    let start = clock.now
    var (last, heard) = (taken.load(ordering: .relaxed), start)
    while !isEmpty {
      let now = clock.now
      let count = taken.load(ordering: .relaxed)
      if count != last { (last, heard) = (count, now) }
      if now - heard > .seconds(silence) || now - start > .seconds(limit) { return false }
      usleep(2000)
    }
    return true
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
      let translated = colours.withLock { $0.translate(bytes[..<count]) }
      send(translated ?? bytes[..<count])
      isCarrying.store(false, ordering: .sequentiallyConsistent)
    }
    isCarrying.store(false, ordering: .sequentiallyConsistent)
    Glibc.close(reading)
    Glibc.close(terminal)
  }

  /// Writes to the terminal, or gives up on these bytes once there is a way back.
  private func send(_ bytes: ArraySlice<UInt8>) {
    var rest = bytes
    while !rest.isEmpty {
      let written = rest.prefix(Self.piece).withUnsafeBytes { write(terminal, $0.baseAddress, $0.count) }
      // A terminal that is gone takes everything, as far as anybody can tell.
      if written < 0 && errno != EINTR { return }
      taken.add(max(written, 0), ordering: .relaxed)
      rest = rest.dropFirst(max(written, 0))
      if let way = wayBack.withLock({ $0.take() }) {
        drain()
        rest = way[...]
      }
    }
  }

  /// Throws away what is in the pipe.
  private func drain() {
    var waiting: CInt = 0
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    while ioctl(reading, UInt(FIONREAD), &waiting) == 0, waiting > 0, read(reading, &bytes, bytes.count) > 0 {}
  }
}
