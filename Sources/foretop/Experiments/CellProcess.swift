// A process that trains a cell. It ends with the process that runs the experiment: after saving, as when it is told to.
import Foundation
import Run

/// A child process.
struct CellProcess {
  private let process: pid_t
  /// What it says on standard error, in a file without a name.
  private let words: CInt

  /// Starts this program once more.
  /// - Throws: `UserError` where the system gives no process.
  init(_ arguments: [String]) throws {
    let words = try OtherProgram.namelessFile(for: "a cell's messages")
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, words, STDERR_FILENO)
    // A group of its own: ctrl-C is for the experiment, which tells its cells.
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
    let environment =
      ProcessInfo.processInfo.environment.map { "\($0.key)=\($0.value)" } + ["\(FrontProcess.parentKey)=\(getpid())"]
    var started: pid_t = 0
    let failure = ChildProcess.withWords(["foretop"] + arguments) { words in
      ChildProcess.withWords(environment) {
        posix_spawn(&started, "/proc/self/exe", &actions, &attributes, words, $0)
      }
    }
    guard failure == 0 else {
      close(words)
      throw UserError(.unavailable, "no process for a cell can be made: \(ProcessLimit.words(for: failure))")
    }
    process = started
    self.words = words
  }

  /// How it ended: nil while it goes on, empty where it ended as asked, else what it said last.
  func ending() -> String? {
    var status: CInt = 0
    let found = waitpid(process, &status, WNOHANG)
    guard found != 0 else { return nil }
    defer { close(words) }
    let (signal, code) = (status & 0x7F, (status >> 8) & 0xFF)
    guard found == process, signal != 0 || code != 0 else { return "" }
    if signal != 0 { return "its process was ended by signal \(signal)" }
    return lastWords.isEmpty ? "its process ended with status \(code)" : lastWords
  }

  private var lastWords: String {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let size = lseek(words, 0, SEEK_END)
    let count = pread(words, &bytes, bytes.count, max(0, size - off_t(bytes.count)))
    let text = String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
    return (text.split(separator: "\n").last.map(String.init) ?? "").harmlessLine
  }

  /// Tells it to save and stop.
  func stop() { kill(process, SIGTERM) }
}
