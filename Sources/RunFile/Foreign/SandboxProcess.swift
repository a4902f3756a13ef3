// A process that examines files for this one, and the exchange of questions and answers with it.
import CHDF5
import Foundation
import Run
import Synchronization

/// A running process that examines files.
final class SandboxProcess: @unchecked Sendable {
  // Unchecked: one thread has it at a time.
  private let number: pid_t
  private let socket: Int32
  private var isReaped = false

  /// The number of tries to start a process, and the microseconds between tries.
  private static let (tries, pause): (Int, UInt32) = (10, 100_000)

  /// Starts a process; tries again for a second if the kernel refuses.
  static func started(_ command: [String]) throws(UserError) -> SandboxProcess {
    for _ in 1..<tries {
      if let process = try? SandboxProcess(command) { return process }
      usleep(pause)
    }
    return try SandboxProcess(command)
  }

  /// The two ends of the connection.
  private static func sockets() throws(UserError) -> [Int32] {
    var ends: [Int32] = [-1, -1]
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
      throw Failure("make a socket for", "the process that examines files", .unavailable).error
    }
    return ends
  }

  /// Divides this process, which must have no threads yet, since the other process would not have them.
  /// - Parameter serve: what the other process does.
  init(dividing serve: () -> Never) throws(UserError) {
    let ends = try Self.sockets()
    fflush(nil)
    let divided = ChildProcess.divide()
    if divided == 0 {
      dup2(ends[1], STDIN_FILENO)
      let nothing = open("/dev/null", O_WRONLY | O_CLOEXEC)
      for descriptor in [STDOUT_FILENO, STDERR_FILENO] { dup2(nothing, descriptor) }
      // This process's end of the connection must be its only one: it ends with the other process.
      for descriptor in ends + [nothing] { close(descriptor) }
      serve()
    }
    close(ends[1])
    guard divided > 0 else {
      close(ends[0])
      throw UserError(
        .unavailable, "cannot start the process that examines files: \(ProcessLimit.words(for: errno))")
    }
    number = divided
    socket = ends[0]
  }

  private init(_ command: [String]) throws(UserError) {
    let ends = try Self.sockets()
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // The thread that starts it may block signals, and its limit of time ends it by one.
    ChildProcess.resetSignals(&attributes)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var started = pid_t()
    let failure = ChildProcess.withWords(command) {
      posix_spawn(&started, command[0], &actions, &attributes, $0, environ)
    }
    close(ends[1])
    guard failure == 0 else {
      close(ends[0])
      throw UserError(
        .unavailable, "cannot start the process that examines files: \(ProcessLimit.words(for: failure))")
    }
    number = started
    socket = ends[0]
  }

  deinit {
    close(socket)
    if !isReaped { _ = reaped() }
  }

  /// True if the process does not wait for a question any more.
  var hasEnded: Bool {
    var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
    return poll(&waiting, 1, 0) != 0
  }

  /// Asks about one file.
  /// - Parameters:
  ///   - bytes: the file's size; a large file may take longer.
  ///   - patience: how often the time that the file may take may pass without the process computing anything.
  /// - Returns: the error of a bad file, nil for a good one; and the text of the answer.
  /// - Throws: `UserError` when the process died, or does not go on; it cannot be used any more then.
  func ask(_ file: SandboxedFile, bytes: Int, patience: Double) throws(UserError) -> (error: UserError?, text: String) {
    guard SandboxAnswer.sent(Array(file.request.utf8) + [0], to: socket) else { throw death(of: file) }
    var answer: [UInt8] = []
    // The process ends itself once it has computed for too long. How long it waits for a processor says nothing of the file.
    let pause = UInt64(Double(SandboxAnswer.seconds(bytes)) * patience * 1e9)
    var (deadline, computed) = (DispatchTime.now().uptimeNanoseconds + pause, processorTime)
    var buffer = [UInt8](repeating: 0, count: 4096)
    while answer.last != 0 {
      let now = DispatchTime.now().uptimeNanoseconds
      var waiting = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      let ready = now < deadline ? poll(&waiting, 1, Int32(clamping: (deadline - now) / 1_000_000 + 1)) : 0
      if ready < 0 && errno == EINTR { continue }
      guard ready > 0 else {
        let latest = processorTime
        guard latest > computed || isRunnable else {
          kill(number, SIGKILL)
          _ = reaped()
          throw UserError(
            .unavailable,
            "\(file.path) could not be examined: the process that opened it has been waiting for \(pause / 1_000_000_000) s, "
              + "for a disk or a machine that does not answer: try again")
        }
        (deadline, computed) = (now + pause, latest)
        continue
      }
      let count = recv(socket, &buffer, buffer.count, 0)
      if count < 0 && errno == EINTR { continue }
      guard count > 0, answer.count < 1 << 20 else { throw death(of: file) }
      answer += buffer[..<count]
    }
    let words = String(decoding: answer.dropLast(), as: UTF8.self).split(separator: " ", maxSplits: 1)
    let status = words.first.flatMap { Int32($0) } ?? UserError.Status.data.rawValue
    let text = words.count > 1 ? String(words[1]) : ""
    return status == 0 ? (nil, text) : (UserError(UserError.Status(rawValue: status) ?? .data, text), "")
  }

  /// The error for a file at which the process died.
  private func death(of file: SandboxedFile) -> UserError {
    let status = reaped()
    let signal = status & 0x7f
    if let space = ProcessLimit.addressSpace {
      return UserError(
        .unavailable,
        "\(file.path) could not be examined: the process that opened it ended, perhaps for lack of memory, since "
          + "ulimit -v (RLIMIT_AS) allows \(space.most >> 20) MiB: raise the limit and try again")
    }
    let how =
      signal == SIGXCPU || signal == SIGKILL
      ? "reading it never ends, or takes too much memory"
      : signal != 0 ? "reading it crashes the library (signal \(signal))" : "reading it ends the library"
    return UserError(
      .data, "\(file.path) is damaged, or was made to do harm: \(how); foretop opened the file in a separate process")
  }

  /// The processor time that the process has taken so far, in nanoseconds; 0 once it has ended.
  private var processorTime: UInt64 {
    var clock = clockid_t()
    var time = timespec()
    guard clock_getcpuclockid(number, &clock) == 0, clock_gettime(clock, &time) == 0 else { return 0 }
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// Whether the process computes, or could if it had a processor.
  private var isRunnable: Bool {
    // pid (name) state …, where the name may have brackets itself.
    let line = (try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8)) ?? ""
    return line.split(separator: ")").last?.dropFirst().first == "R"
  }

  private func reaped() -> Int32 {
    guard !isReaped else { return 0 }
    isReaped = true
    var status: Int32 = 0
    while waitpid(number, &status, 0) < 0 && errno == EINTR {}
    return status
  }
}
