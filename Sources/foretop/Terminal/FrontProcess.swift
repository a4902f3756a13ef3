// A run on a terminal is two processes: the front process, which the shell waits for, and the trainer's. A process with threads
// cannot leave its shell, so the program forks before its first thread: the front process keeps the shell waiting, passes on
// signals and the exit status, and ends when the run is to go on in the background.
import Glibc
import Run

/// `prctl` with a fixed number of arguments.
@_silgen_name("prctl")
private func controlProcess(_ option: CInt, _ value: CUnsignedLong) -> CInt

/// The trainer's link to the front process.
struct FrontLink: Sendable {
  /// The front process.
  fileprivate let process: pid_t
  /// The front process prints what is written here.
  fileprivate let channel: CInt
  /// True if the trainer has a session of its own from the beginning: `--detach`.
  let isDetached: Bool

  /// Ends the front process with a sentence and status 0; this process goes on in a session of its own, without a terminal.
  /// - Parameter turn: redirects the output of this process before the shell continues.
  /// - Returns: false if the kernel does not take this process off its terminal; nothing has changed then.
  func leave(saying sentence: String, after turn: () -> Void) -> Bool {
    if !isDetached {
      // Otherwise this process would be killed when the front process ends.
      FrontProcess.dieWithParent(of: 0)
      // A group leader cannot begin a session, so this process joins the front process's group first.
      guard setpgid(0, getpgid(process)) == 0, setsid() >= 0 else {
        FrontProcess.dieWithParent(of: SIGKILL)
        return false
      }
    }
    turn()
    let bytes = Array((sentence + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(channel, $0.baseAddress, $0.count) }
    close(channel)
    kill(process, FrontProcess.call)
    return true
  }
}

enum FrontProcess {
  /// The signal that makes the front process read the channel; its default action is to do nothing.
  fileprivate static let call = SIGURG
  /// Signals that the front process does not pass on.
  private static let own = [SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTTIN, SIGTTOU, SIGPIPE, SIGURG, SIGWINCH]

  /// Sets the signal that the kernel sends to this process when its parent ends; 0 for none.
  static func dieWithParent(of signal: CInt) {
    // `PR_SET_PDEATHSIG`.
    _ = controlProcess(1, CUnsignedLong(signal))
  }

  /// Names this process in lists of processes: one that was started as /proc/self/exe would be “exe” there. To be called on
  /// the main thread.
  static func takeName() {
    // `PR_SET_NAME`.
    _ = "foretop".withCString { controlProcess(15, CUnsignedLong(UInt(bitPattern: $0))) }
  }

  /// The variable by which the process of an experiment says that its cells end with it.
  static let parentKey = "FORETOP_PARENT"

  /// Has the kernel tell this process to save and stop when the process of its experiment ends, whatever ends that one. Call it
  /// before anything else.
  static func followParent() {
    guard let text = getenv(parentKey), let parent = pid_t(String(cString: text)) else { return }
    unsetenv(parentKey)
    dieWithParent(of: SIGTERM)
    // It may have ended already.
    if getppid() != parent { exit(128 + SIGTERM) }
  }

  /// Forks if the program is in the foreground of a terminal. Only the trainer's process returns.
  /// - Returns: nil if the program is not in the foreground of a terminal or fork fails; then a single process goes on.
  static func divide() -> FrontLink? {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, tcgetpgrp(STDIN_FILENO) == getpgrp() else {
      return nil
    }
    return divide(detached: false)
  }

  /// Forks; the trainer's process returns, in a session of its own and without a terminal.
  /// - Throws: `UserError` if fork fails.
  static func divideDetached() throws -> FrontLink {
    guard let link = divide(detached: true) else {
      throw UserError(.unavailable, "no process can be made: \(ProcessLimit.words(for: errno))")
    }
    return link
  }

  private static func divide(detached: Bool) -> FrontLink? {
    var ends: [CInt] = [-1, -1]
    guard pipe(&ends) == 0 else { return nil }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
    var all = sigset_t()
    var before = sigset_t()
    sigfillset(&all)
    // No signal is lost between fork and the first wait.
    pthread_sigmask(SIG_BLOCK, &all, &before)
    let front = getpid()
    fflush(nil)
    let trainer = ChildProcess.divide()
    if trainer > 0 {
      close(ends[1])
      wait(for: trainer, ends[0], detached: detached)
    }
    close(ends[0])
    guard trainer == 0 else {
      close(ends[1])
      pthread_sigmask(SIG_SETMASK, &before, nil)
      return nil
    }
    if detached {
      setsid()
      let nothing = open("/dev/null", O_RDONLY)
      if nothing >= 0 {
        dup2(nothing, STDIN_FILENO)
        close(nothing)
      }
    } else {
      FrontProcess.dieWithParent(of: SIGKILL)
      if getppid() != front { _exit(128 + SIGKILL) }
      setpgid(0, 0)
      tcsetpgrp(STDIN_FILENO, getpid())
    }
    pthread_sigmask(SIG_SETMASK, &before, nil)
    return FrontLink(process: front, channel: ends[1], isDetached: detached)
  }

  // MARK: The front process

  /// Waits for the trainer's process, and ends with its status. All signals are blocked and taken one by one.
  private static func wait(for trainer: pid_t, _ channel: CInt, detached: Bool) -> Never {
    if !detached {
      setpgid(trainer, trainer)
      tcsetpgrp(STDIN_FILENO, trainer)
    }
    var all = sigset_t()
    sigfillset(&all)
    while true {
      // After `bg`, a shell may give the terminal to this process without a signal.
      var pause = timespec(tv_sec: 0, tv_nsec: 200_000_000)
      let isWatching = !detached && tcgetpgrp(STDIN_FILENO) != trainer
      let signal = isWatching ? sigtimedwait(&all, nil, &pause) : sigwaitinfo(&all, nil)
      if isWatching { giveTerminal(to: trainer) }
      switch signal {
      case SIGCHLD: follow(trainer, channel)
      case SIGCONT: kill(trainer, SIGCONT)
      case call: endIfCalled(trainer, channel)
      case _ where signal < 0 || own.contains(signal): continue
      default: kill(trainer, signal)
      }
    }
  }

  /// Makes the trainer's group the foreground group, if this process's group is.
  private static func giveTerminal(to trainer: pid_t) {
    if tcgetpgrp(STDIN_FILENO) == getpgrp() { tcsetpgrp(STDIN_FILENO, trainer) }
  }

  /// Makes this process's group the foreground group again, if the trainer's is.
  private static func takeTerminal(from trainer: pid_t) {
    if tcgetpgrp(STDIN_FILENO) == trainer { tcsetpgrp(STDIN_FILENO, getpgrp()) }
  }

  /// Stops or ends in the same way as the trainer's process.
  private static func follow(_ trainer: pid_t, _ channel: CInt) {
    var status: CInt = 0
    while waitpid(trainer, &status, WNOHANG | WUNTRACED) == trainer {
      if status & 0xff == 0x7f {
        // Ctrl-Z: both the shell and a script between shell and program must see the stop.
        takeTerminal(from: trainer)
        kill(0, SIGTSTP)
        kill(getpid(), SIGSTOP)
        continue
      }
      takeTerminal(from: trainer)
      let signal = status & 0x7f
      guard signal != 0 else {
        endIfCalled(trainer, channel)
        _exit(status >> 8 & 0xff)
      }
      var nothing = rlimit(rlim_cur: 0, rlim_max: 0)
      setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &nothing)
      Glibc.signal(signal, SIG_DFL)
      kill(getpid(), signal)
      var one = sigset_t()
      sigemptyset(&one)
      sigaddset(&one, signal)
      pthread_sigmask(SIG_UNBLOCK, &one, nil)
      _exit(128 + signal)
    }
  }

  /// Prints the sentence that the trainer's process has sent and ends; returns if there is none.
  private static func endIfCalled(_ trainer: pid_t, _ channel: CInt) {
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = read(channel, &bytes, bytes.count)
    guard count > 0 else { return }
    // The trainer has left its group, which was the foreground group.
    takeTerminal(from: trainer)
    _ = write(STDOUT_FILENO, bytes, count)
    _exit(0)
  }
}
