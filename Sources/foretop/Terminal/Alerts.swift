// Alerts: the terminal's bell, its notifications, and a command of the user's. Only the command line can name the command, so that
// neither a recipe nor a run can start programs.
import ArgumentParser
import Foundation
import Glibc
import Run
import Session

/// The reactions to alerts, as options.
struct AlertOptions: ParsableArguments {
  @Flag(help: "Rings the terminal's bell at an alert, and sends it as a notification (OSC 9).")
  var bell = false

  @Option(
    help: ArgumentHelp(
      "A shell command that is run at an alert, with the event as JSON on its standard input.",
      discussion: """
        Alerts are: a loss above 3 times its average or more than 6 standard deviations above it, a gradient above 30 \
        times its usual norm, a held-out loss that is not finite, less than a third of the usual tokens per second for a \
        minute, room for less than two checkpoints, no step for 10 times the usual time, half of a memory table's \
        rows without a pick in 1 000 steps, and a run that diverged. While \
        the cause of an alert lasts, the alert is not repeated.
        """, valueName: "command"))
  var onAlert: String?

  func validate() throws {
    if let onAlert, onAlert.trimmingSpaces.isEmpty {
      throw ValidationError("--on-alert is empty: give a command, such as --on-alert 'mail -s foretop me'")
    }
  }
}

/// Watches a session for alerts, for the main loop.
struct AlertWatch {
  private let options: AlertOptions
  private var detector: AlertDetector?
  private var lastLook = 0.0
  /// The commands that are still running.
  private var children: [pid_t] = []
  private static let mostChildren = 8

  init(_ options: AlertOptions) { self.options = options }

  /// Takes an event of the session.
  /// - Returns: the alerts that follow from it.
  mutating func take(_ event: Event) -> [Occurrence] {
    if case .began(let beginning) = event, detector == nil { detector = AlertDetector(beginning) }
    return detector?.take(event, now: Clock.now) ?? []
  }

  /// Looks at the clock and the disk, once a second.
  mutating func look(folder: String) -> [Occurrence] {
    let now = Clock.now
    guard detector != nil, now - lastLook >= 1 else { return [] }
    lastLook = now
    children.removeAll { waitpid($0, nil, WNOHANG) != 0 }
    var status = statvfs()
    let free = statvfs(folder, &status) == 0 ? Int(status.f_bavail) * Int(status.f_frsize) : nil
    return detector!.look(now: now, time: Date().timeIntervalSince1970, freeDisk: free)
  }

  /// Reacts to an event that is an alert.
  /// - Returns: the text for the terminal's notification, if a bell is asked for, and the error of the command, if it failed.
  mutating func tell(_ event: NumberedEvent) -> (bell: String?, problem: String?) {
    guard event.event.isAlarm, case .occurred(let occurrence) = event.event else { return (nil, nil) }
    return (options.bell ? "foretop: \(occurrence.text.harmlessLine)" : nil, start(for: event))
  }

  /// Starts the command for an alert.
  /// - Returns: the error, if the command cannot be started.
  private mutating func start(for event: NumberedEvent) -> String? {
    guard let command = options.onAlert else { return nil }
    children.removeAll { waitpid($0, nil, WNOHANG) != 0 }
    guard children.count < Self.mostChildren else {
      return "--on-alert is left out for this alert: \(children.count) of its commands still run"
    }
    do {
      children.append(try Self.run(command, input: event.json + "\n"))
      return nil
    } catch {
      return "--on-alert \(command.excerpt) cannot be run: \(error.message)"
    }
  }

  /// Starts a shell command that inherits only the environment and standard error.
  private static func run(_ command: String, input: String) throws(UserError) -> pid_t {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { throw UserError(.unavailable, String(cString: strerror(errno))) }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], STDIN_FILENO)
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0)
    // The command must not hold a lock or a file of the run after the end of this process.
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? [] {
      if let descriptor = CInt(name), descriptor > STDERR_FILENO {
        posix_spawn_file_actions_addclose(&actions, descriptor)
      }
    }
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    ChildProcess.resetSignals(&attributes)
    posix_spawnattr_setpgroup(&attributes, 0)
    // A process group of its own, since ctrl-C is meant for the run.
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
    var child: pid_t = 0
    let status = ChildProcess.withWords(["sh", "-c", command]) {
      posix_spawn(&child, "/bin/sh", &actions, &attributes, $0, environ)
    }
    guard status == 0 else {
      close(ends[1])
      throw UserError(.unavailable, String(cString: strerror(status)))
    }
    // A pipe holds 64 KiB, more than an event has, so that a command that reads nothing delays nothing.
    _ = fcntl(ends[1], F_SETFL, O_NONBLOCK)
    var text = input
    text.withUTF8 { _ = write(ends[1], $0.baseAddress, $0.count) }
    close(ends[1])
    return child
  }
}
