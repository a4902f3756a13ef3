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
  /// The palette numbers that stand for true colours.
  private let colours = Mutex(TrueColours())
  /// Once this is set, the thread drops all bytes that it and the pipe hold, and writes these instead.
  private let wayBack = Mutex<[UInt8]?>(nil)

  /// Bytes written to the terminal at a time; small pieces show the progress of a slow terminal.
  private static let piece = 4096
  /// CAN, which ends an incomplete escape sequence (ECMA-48).
  private static let cancel: UInt8 = 0x18

  /// The pipe's size in bytes: a frame of 500 × 150 cells, each with colours of its own.
  private static let capacity: CInt = 1 << 20

  /// - Parameter terminal: a descriptor of the terminal, which the caller keeps.
  /// - Returns: nil if no descriptor or thread is left.
  init?(to terminal: CInt) {
    var ends: [CInt] = [-1, -1]
    let own = fcntl(terminal, F_DUPFD_CLOEXEC, 3)
    let offered = fcntl(terminal, F_DUPFD_CLOEXEC, 3)
    guard own >= 0, offered >= 0, pipe(&ends) == 0 else { return nil }
    (self.terminal, descriptor, reading, writing) = (own, offered, ends[0], ends[1])
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    // If the system grants less, larger frames wait for the thread.
    foretop_widen(writing, Self.capacity)
    var thread = pthread_t()
    let started = pthread_create(
      &thread, nil,
      { writer in
        // `foretop bench` finds the thread by this name.
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

  /// The palette number that stands for a true colour from now on; nil if all are taken.
  func number(of colour: RGB) -> UInt8? { colours.withLock { $0.number(of: colour) } }

  /// Connects `descriptor` to the thread.
  func interpose() { dup2(writing, descriptor) }

  /// Connects `descriptor` to the terminal again. Use it to set modes only, since a write could block for ever.
  func withdraw() { dup2(terminal, descriptor) }

  /// Waits for at most five seconds until the terminal has taken everything. If it takes nothing for a second, the remaining
  /// bytes are dropped, and `bytes` are written instead.
  /// - Returns: true if the terminal has taken everything.
  func finish(wayBack bytes: [UInt8]) -> Bool {
    if waitUntilTaken(silence: 1, limit: 5) { return true }
    wayBack.withLock { $0 = [Self.cancel] + bytes }
    tcflush(terminal, TCOFLUSH)
    return waitUntilTaken(silence: 0.2, limit: 0.2)
  }

  /// True if the terminal has taken all bytes so far.
  var isEmpty: Bool {
    var waiting: CInt = 0
    // The order matters: `isCarrying` is set before bytes leave the pipe.
    return ioctl(reading, UInt(FIONREAD), &waiting) == 0 && waiting == 0
      && !isCarrying.load(ordering: .sequentiallyConsistent)
  }

  /// - Parameters:
  ///   - silence: the longest time without progress, seconds.
  ///   - limit: the longest time in all, seconds.
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

  /// Lets the thread end once it has read the pipe's rest. `descriptor` belongs to curses.
  func close() { Glibc.close(writing) }

  /// The thread's body.
  private func carry() {
    // Signals belong to the main thread.
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

  /// Writes bytes to the terminal; drops them once `wayBack` is set.
  private func send(_ bytes: ArraySlice<UInt8>) {
    var rest = bytes
    while !rest.isEmpty {
      let written = rest.prefix(Self.piece).withUnsafeBytes { write(terminal, $0.baseAddress, $0.count) }
      // The terminal is gone, so the bytes count as taken.
      if written < 0 && errno != EINTR { return }
      taken.add(max(written, 0), ordering: .relaxed)
      rest = rest.dropFirst(max(written, 0))
      if let way = wayBack.withLock({ $0.take() }) {
        drain()
        rest = way[...]
      }
    }
  }

  /// Drops the content of the pipe.
  private func drain() {
    var waiting: CInt = 0
    var bytes = [UInt8](repeating: 0, count: 1 << 16)
    while ioctl(reading, UInt(FIONREAD), &waiting) == 0, waiting > 0, read(reading, &bytes, bytes.count) > 0 {}
  }
}
