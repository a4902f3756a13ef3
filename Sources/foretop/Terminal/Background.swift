// A run in the background: begun there with --detach, or sent there from its screen. It writes lines to a file of bounded size.
import ArgumentParser
import Glibc
import Run
import RunFile
import Session

/// Where a run goes on that nobody looks at.
struct BackgroundOptions: ParsableArguments {
  @Flag(
    help: ArgumentHelp(
      "Trains in the background, in a session of its own; “foretop attach NAME” shows the screen.",
      discussion: """
        The command returns when the first step is taken, or with the error and the status of a run that cannot begin. \
        The run has no terminal and survives the end of this one; its lines are in runs/NAME/log.
        """))
  var detach = false

  /// Divides the program into the process that the shell waits for and the one that trains, which goes on here. No thread may be
  /// there yet.
  /// - Returns: how the run is shown, and what leads back to the process that waits.
  /// - Throws: `UserError` where --detach does not fit the other options, or the system gives no process.
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

/// How a run that this process trains is shown and watched.
struct SessionOptions: ParsableArguments {
  @OptionGroup var screen: ScreenOptions
  @OptionGroup var alerts: AlertOptions
  @OptionGroup var background: BackgroundOptions

  /// Divides the program where it gets a screen or goes to the background; from then on signals are requests. No thread may be
  /// there yet.
  /// - Returns: see `BackgroundOptions.begin`.
  func begin() throws -> (ScreenOptions, FrontLink?) {
    let (screen, front) = try background.begin(screen)
    Signals.expectRequests()
    return (screen, front)
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

/// The file that a run in the background writes its lines to: standard output and error.
struct BackgroundLog {
  private let folder: RunFolder

  /// Bytes of the file after which it is set aside, and a new one is begun.
  private static let most = 1 << 20

  /// From now on, standard output and error go to the file.
  /// - Parameter folder: `runs/NAME`.
  init(folder: String) {
    self.folder = RunFolder(folder)
    point()
  }

  /// Begins a new file where this one is large; the one before it stays beside it.
  func turnOverIfLarge() {
    var status = stat()
    guard fstat(STDOUT_FILENO, &status) == 0, status.st_size > Self.most else { return }
    rename(folder.log, folder.oldLog)
    point()
  }

  /// A disk that does not take the file costs lines, and not the run.
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
