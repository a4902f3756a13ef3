// A run in the background, begun with --detach or sent there from its screen. The run writes its lines to a file of bounded size.
import ArgumentParser
import Glibc
import Run
import RunFile
import Session
import Training

/// Whether a run goes on in the background.
struct BackgroundOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Trains in the background, in a session of its own; “foretop attach NAME” shows the screen.",
      discussion: """
        The command returns when the first step is taken, or with the error and the status of a run that cannot begin. \
        The run has no terminal and survives the end of this one; its lines are in runs/NAME/log.
        """))
  var detach = false

  /// Forks into the front process and the trainer's process, which goes on here. Call this before the first thread.
  /// - Returns: how the run is shown, and the link to the front process.
  /// - Throws: `UserError` if --detach excludes another option, or fork fails.
  func begin(_ screen: ScreenOptions) throws -> (ScreenOptions, FrontLink?) {
    guard detach else {
      return (screen, screen.headless || screen.json ? nil : FrontProcess.divide())
    }
    guard !screen.json else {
      throw UserError(
        .usage,
        "--detach and --json exclude each other: “foretop watch NAME --json” prints the events of a run in the background"
      )
    }
    var screen = screen
    screen.headless = true
    return (screen, try FrontProcess.divideDetached())
  }
}

/// How a run of this process is shown and watched.
struct SessionOptions: ParsableArguments {
  @OptionGroup var screen: ScreenOptions
  @OptionGroup var alerts: AlertOptions
  @OptionGroup var background: BackgroundOptions

  /// Forks if the run gets a screen or goes to the background; from then on, signals are requests. Call this before the first
  /// thread.
  /// - Returns: see `BackgroundOptions.begin`.
  func begin() throws -> (ScreenOptions, FrontLink?) {
    let (screen, front) = try background.begin(screen)
    Signals.expectRequests()
    return (screen, front)
  }

  /// The same for the first of several ranks, whose terminal is that of mpirun.
  /// - Parameter ranks: nil for a process alone.
  /// - Throws: `UserError` if an option does not suit several ranks.
  func begin(besides ranks: Ranks?) throws -> (ScreenOptions, FrontLink?) {
    guard ranks != nil else { return try begin() }
    guard !background.detach else {
      throw UserError(
        .usage,
        "--detach does not suit mpirun, which waits for its processes: put mpirun itself into the background, such as "
          + "“nohup mpirun -n 4 foretop train … &”, and leave --detach out")
    }
    var screen = screen
    // mpirun gives its processes a terminal to write to, and none to read from.
    let hasKeys = isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1
    screen.headless = screen.headless || (!screen.json && !hasKeys)
    Signals.expectRequests()
    return (screen, nil)
  }

  /// Runs a session to its end.
  /// - Parameters:
  ///   - screen, front: what `begin` returned.
  /// - Returns: the process's exit status.
  func follow(_ request: RunRequest, on screen: ScreenOptions, _ front: FrontLink?) throws -> Int32 {
    var loop = ForegroundLoop(request, options: screen, alerts: alerts, front: front)
    return try loop.run()
  }
}

/// The file for standard output and error of a run in the background.
struct BackgroundLog {
  private let folder: RunFolder

  /// Bytes of a file beyond which a new one is begun.
  private static let most = 1 << 20

  /// Redirects standard output and error to the file.
  /// - Parameter folder: `runs/NAME`.
  init(folder: String) {
    self.folder = RunFolder(folder)
    point()
  }

  /// Begins a new file if the present one is large, and keeps the present one beside it.
  func turnOverIfLarge() {
    var status = stat()
    guard fstat(STDOUT_FILENO, &status) == 0, status.st_size > Self.most else { return }
    rename(folder.log, folder.oldLog)
    point()
  }

  /// If the disk refuses the file, the lines are lost, but the run goes on.
  private func point() {
    fflush(nil)
    var file = open(folder.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0o644)
    if file < 0 { file = open("/dev/null", O_WRONLY | O_CLOEXEC) }
    guard file >= 0 else { return }
    dup2(file, STDOUT_FILENO)
    dup2(file, STDERR_FILENO)
    close(file)
  }
}
