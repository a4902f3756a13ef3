// This program once more, on the same terminal: for commands that a screen gives the terminal to.
import Foundation
import Run

enum TerminalProcess {
  /// Options with which commands that have a screen print lines instead.
  private static let printing: Set = ["--headless", "--json", "--text", "--detach", "--dry-run", "--help", "-h"]

  /// True if a command line may take the terminal for a screen.
  static func mayShowScreen(_ words: [String]) -> Bool {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, printing.isDisjoint(with: words) else { return false }
    guard words.first?.hasPrefix("-") == false else { return true }
    return hasScreen(words)
  }

  private static func hasScreen(_ words: [String]) -> Bool { CommandStart.of(words)?.hasScreen ?? false }

  /// Runs a command line of this program, and waits until its words were read: a screen of its own was read already. Signals that
  /// ask for an end are passed on to the command.
  /// - Returns: the first such signal, which means this process too; nil where none came.
  static func run(_ words: [String], passing signals: borrowing Signals) -> CInt? {
    print("$ foretop \(words.joined(separator: " "))".harmlessLine)
    do {
      let process = try start(words)
      let (ending, signal) = wait(for: process, passing: signals)
      if let signal { return signal }
      let hasScreen = Self.hasScreen(words) && printing.isDisjoint(with: words)
      if ending != 0 || !hasScreen { return waitForEnter(after: ending, or: signals) }
    } catch {
      Output.warn(UserError.sentence(of: error).harmlessLine)
      return waitForEnter(after: 0, or: signals)
    }
    return nil
  }

  /// - Returns: a signal that came instead.
  private static func waitForEnter(after ending: CInt, or signals: borrowing Signals) -> CInt? {
    print(
      ending == 0 ? "enter goes back to the list" : "ended with status \(ending); enter goes back to the list",
      terminator: "")
    fflush(nil)
    while true {
      var descriptors = [STDIN_FILENO, signals.descriptor].map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
      _ = poll(&descriptors, 2, -1)
      if let signal = signals.taken().first(where: isPassedOn) { return signal }
      guard descriptors[0].revents == 0 else { break }
    }
    _ = readLine()
    return nil
  }

  /// True for a signal to this process alone. Those of ctrl-C and ctrl-\ are for the command, which has them from the terminal.
  private static func isPassedOn(_ signal: CInt) -> Bool {
    signal != SIGINT && signal != SIGQUIT && (signal == SIGHUP || Signals.isStop(signal))
  }

  /// Waits until a command has ended.
  /// - Returns: its exit status, as a shell counts it, and the first signal that was passed on.
  private static func wait(for process: pid_t, passing signals: borrowing Signals) -> (ending: CInt, signal: CInt?) {
    // The thread wakes this one when the command has ended, and leaves the reaping to this one.
    let thread = try? WorkerThread("command") {
      var information = siginfo_t()
      while waitid(P_PID, id_t(process), &information, WEXITED | WNOWAIT) < 0 && errno == EINTR {}
      Signals.wake()
    }
    defer { thread?.join() }
    var first: CInt?
    while true {
      for signal in signals.taken() where isPassedOn(signal) {
        kill(process, signal)
        first = first ?? signal
      }
      var status: CInt = 0
      if waitpid(process, &status, WNOHANG) != 0 {
        let signal = status & 0x7F
        return (signal != 0 ? 128 + signal : (status >> 8) & 0xFF, first)
      }
      signals.wait(milliseconds: 1000)
    }
  }

  /// - Returns: the number of the process.
  /// - Throws: `UserError` where the system gives no process.
  private static func start(_ words: [String]) throws -> pid_t {
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The command handles signals itself.
    ChildProcess.resetSignals(&attributes)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
    var process: pid_t = 0
    let failure = ChildProcess.withWords(["foretop"] + words) {
      posix_spawn(&process, "/proc/self/exe", nil, &attributes, $0, environ)
    }
    guard failure == 0 else {
      throw UserError(.unavailable, "no process for the command can be made: \(ProcessLimit.words(for: failure))")
    }
    return process
  }
}
