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

  /// Runs a command line of this program, and waits until its words were read: a screen of its own was read already.
  static func run(_ words: [String]) {
    print("$ foretop \(words.joined(separator: " "))".harmlessLine)
    do {
      let ending = try ending(of: words)
      let hasScreen = Self.hasScreen(words) && printing.isDisjoint(with: words)
      if ending != 0 || !hasScreen { waitForEnter(after: ending) }
    } catch {
      Output.warn(UserError.sentence(of: error).harmlessLine)
      waitForEnter(after: 0)
    }
  }

  private static func waitForEnter(after ending: CInt) {
    print(
      ending == 0 ? "enter goes back to the list" : "ended with status \(ending); enter goes back to the list",
      terminator: "")
    fflush(nil)
    _ = readLine()
  }

  /// - Returns: the exit status, as a shell counts it.
  /// - Throws: `UserError` where the system gives no process.
  private static func ending(of words: [String]) throws -> CInt {
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
    var status: CInt = 0
    while waitpid(process, &status, 0) < 0 && errno == EINTR {}
    let signal = status & 0x7F
    return signal != 0 ? 128 + signal : (status >> 8) & 0xFF
  }
}
