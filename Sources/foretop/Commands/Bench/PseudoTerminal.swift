// A terminal without a person: a program runs in it, keys are sent to it, and the time of what it answers is taken.
import Foundation
import Glibc
import Run
import Synchronization

/// The process that ends with this one; 0 where nothing runs. A run outlives its terminal: the loss of it alone would leave it training.
private let startedProcess = Atomic<pid_t>(0)

/// A program on a pseudo-terminal of its own. What it prints is read as it comes; letting go of it ends the program.
final class PseudoTerminal {
  /// The process that was started.
  let process: pid_t
  private let master: CInt
  /// Bytes that have come so far.
  private(set) var bytes = 0
  private var status: CInt?

  /// Starts a program.
  /// - Parameters:
  ///   - arguments: the program's path first.
  ///   - environment: added to that of this process.
  ///   - absent: variables that are taken away.
  /// - Throws: `UserError` where the system gives no terminal or no process.
  init(_ arguments: [String], columns: Int, rows: Int, environment: [String: String], without absent: [String]) throws {
    // As glibc's openpty does; Swift does not see the functions for it. `TIOCSPTLCK` unlocks, `TIOCGPTN` gives the number.
    master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var (lock, number) = (CInt(0), CUnsignedInt(0))
    guard master >= 0, ioctl(master, 0x4004_5431, &lock) == 0, ioctl(master, 0x8004_5430, &number) == 0 else {
      throw UserError(.unavailable, "the system gives no pseudo-terminal: \(String(cString: strerror(errno)))")
    }
    let name = "/dev/pts/\(number)"
    var size = winsize(ws_row: UInt16(rows), ws_col: UInt16(columns), ws_xpixel: 0, ws_ypixel: 0)
    _ = ioctl(master, UInt(TIOCSWINSZ), &size)
    _ = fcntl(master, F_SETFL, O_NONBLOCK)
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    // In the session of its own that the process begins, the first terminal that is opened is the controlling one.
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, name, O_RDWR, 0)
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, STDIN_FILENO, STDERR_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    ChildProcess.resetSignals(&attributes)
    // `POSIX_SPAWN_SETSID`.
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | 0x80))
    var variables = ProcessInfo.processInfo.environment
    for (name, value) in environment { variables[name] = value }
    for name in absent { variables[name] = nil }
    var child: pid_t = 0
    Self.endWithThisProcess()
    // A signal that comes meanwhile finds the process that is being started.
    var (all, before) = (sigset_t(), sigset_t())
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, &before)
    let failure = ChildProcess.withWords(arguments) { words in
      ChildProcess.withWords(variables.map { "\($0)=\($1)" }) {
        posix_spawn(&child, arguments[0], &actions, &attributes, words, $0)
      }
    }
    if failure == 0 { startedProcess.store(child, ordering: .sequentiallyConsistent) }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    guard failure == 0 else {
      close(master)
      throw UserError(.unavailable, "cannot start \(arguments[0]): \(String(cString: strerror(failure)))")
    }
    // Last: only what is complete is let go of, and a process 0 would be this process's whole group.
    process = child
  }

  /// Ends what runs on the terminal when a signal ends this process.
  private static func endWithThisProcess() {
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in
      let process = startedProcess.load(ordering: .sequentiallyConsistent)
      if process > 0 { kill(process, SIGKILL) }
      _exit(128 + signal)
    }
    Signals.take(Signals.ends, by: action)
  }

  deinit {
    startedProcess.store(0, ordering: .sequentiallyConsistent)
    if status == nil {
      kill(process, SIGKILL)
      waitpid(process, nil, 0)
    }
    close(master)
  }

  // MARK: Keys and answers

  func send(_ keys: String) {
    var keys = keys
    keys.withUTF8 { _ = write(master, $0.baseAddress, $0.count) }
  }

  /// Reads until a text has come.
  /// - Parameter text: must not have come before; parts of it that came before this call do not count.
  /// - Returns: seconds that it took.
  /// - Throws: `UserError` where the program ends before, or says nothing of the kind for a minute.
  @discardableResult func wait(for text: String) throws -> Double {
    let start = Clock.now
    let wanted = Array(text.utf8)
    var seen: [UInt8] = []
    while Clock.now - start < 60 {
      let piece = try read(for: 1)
      seen += piece
      if seen.contains(wanted) { return Clock.now - start }
      // The beginning of the text may be at the end of what came.
      seen = Array(seen.suffix(wanted.count - 1))
    }
    throw UserError(.unavailable, "the program on the pseudo-terminal has not shown “\(text)” for a minute")
  }

  /// Reads for some time, whatever comes.
  func read(throughout seconds: Double) throws {
    let end = Clock.now + seconds
    while case let left = end - Clock.now, left > 0 { _ = try read(for: left) }
  }

  /// Reads what comes next.
  /// - Returns: nothing where nothing comes within so many seconds.
  private func read(for seconds: Double) throws -> ArraySlice<UInt8> {
    var descriptor = pollfd(fd: master, events: Int16(POLLIN), revents: 0)
    guard poll(&descriptor, 1, CInt(max(seconds, 0) * 1000) + 1) > 0 else { return [] }
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = Glibc.read(master, &buffer, buffer.count)
    if count > 0 {
      bytes += count
      return buffer[..<count]
    }
    guard count < 0, errno == EAGAIN || errno == EINTR else {
      throw UserError(.unavailable, "the program on the pseudo-terminal has ended")
    }
    return []
  }

  /// Sends a signal, and reads until the program has ended; one that has not after a minute is killed.
  /// - Returns: its status.
  @discardableResult func end(by signal: CInt) -> CInt {
    kill(process, signal)
    let start = Clock.now
    while status == nil {
      if Clock.now - start > 60 { kill(process, SIGKILL) }
      var status: CInt = 0
      if waitpid(process, &status, WNOHANG) == process {
        startedProcess.store(0, ordering: .sequentiallyConsistent)
        self.status = status
      }
      _ = try? read(for: 0.02)
    }
    return status ?? 0
  }

  /// The process that trains: the one that was started, or the one that it waits for.
  var trainer: pid_t {
    let children = try? String(contentsOfFile: "/proc/\(process)/task/\(process)/children", encoding: .utf8)
    return children?.split(separator: " ").first.flatMap { pid_t($0) } ?? process
  }
}
