// The process that the shell waits for, and the one that trains. A process that computes has threads and cannot leave its shell,
// so that the program divides before the first thread: the front process keeps the shell waiting, hands on signals and the exit
// status, and ends when the run is to go on in the background.
import Glibc
import Run

/// Swift has no name for it, since threads are not copied: here there are none yet.
@_silgen_name("fork")
private func divideProcess() -> pid_t

/// Glibc's, without its list of any length.
@_silgen_name("prctl")
private func controlProcess(_ option: CInt, _ value: CUnsignedLong) -> CInt

/// The trainer's side: what leads back to the process that the user started.
struct FrontLink: Sendable {
  /// The process that waits.
  fileprivate let process: pid_t
  /// What is written here is said by it.
  fileprivate let channel: CInt
  /// Whether the trainer has a session of its own from the beginning: `--detach`.
  let isDetached: Bool

  /// Ends the waiting process with a sentence and status 0; this one goes on in a session of its own, without a terminal.
  /// - Parameter turn: has what this process prints go elsewhere, before the shell goes on.
  /// - Returns: False if the kernel does not take this process off its terminal; nothing has changed then.
  func leave(saying sentence: String, after turn: () -> Void) -> Bool {
    if !isDetached {
      // Without this, the end of the other process would be the end of this one.
      FrontProcess.dieWithParent(of: 0)
      // A leader of a group cannot begin a session: it joins the other process's group first.
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
  /// What calls the waiting process to the channel: by default, it does nothing.
  fileprivate static let call = SIGURG
  /// What the waiting process leaves to the kernel.
  private static let own = [SIGCHLD, SIGCONT, SIGKILL, SIGSTOP, SIGTTIN, SIGTTOU, SIGPIPE, SIGURG, SIGWINCH]

  /// Which signal the kernel sends to this process when the one that made it ends; 0 for none.
  fileprivate static func dieWithParent(of signal: CInt) {
    // `PR_SET_PDEATHSIG`.
    _ = controlProcess(1, CUnsignedLong(signal))
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

  /// Divides the program where it is in the foreground of a terminal. The trainer's process returns.
  /// - Returns: nil where there is no such terminal, or the system gives no process: then one process is all.
  static func divide() -> FrontLink? {
    guard isatty(STDIN_FILENO) == 1, isatty(STDOUT_FILENO) == 1, tcgetpgrp(STDIN_FILENO) == getpgrp() else {
      return nil
    }
    return divide(detached: false)
  }

  /// Divides the program; the trainer's process, in a session of its own and without a terminal, returns.
  /// - Throws: `UserError` where the system gives no process.
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
    // Between the division and the first wait no signal is lost.
    pthread_sigmask(SIG_BLOCK, &all, &before)
    let front = getpid()
    fflush(nil)
    let trainer = divideProcess()
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

  // MARK: The waiting process

  /// Waits for the trainer's process, and ends as it does. Signals are looked at one by one: all of them are blocked.
  private static func wait(for trainer: pid_t, _ channel: CInt, detached: Bool) -> Never {
    if !detached {
      setpgid(trainer, trainer)
      tcsetpgrp(STDIN_FILENO, trainer)
    }
    var all = sigset_t()
    sigfillset(&all)
    while true {
      // A shell may give the terminal to this process without a word, after `bg`.
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

  /// The terminal is for the process that shows something on it, where it is this one's to give.
  private static func giveTerminal(to trainer: pid_t) {
    if tcgetpgrp(STDIN_FILENO) == getpgrp() { tcsetpgrp(STDIN_FILENO, trainer) }
  }

  /// Gives the terminal back to whoever it was given by.
  private static func takeTerminal(from trainer: pid_t) {
    if tcgetpgrp(STDIN_FILENO) == trainer { tcsetpgrp(STDIN_FILENO, getpgrp()) }
  }

  /// Stops and ends as the trainer's process does.
  private static func follow(_ trainer: pid_t, _ channel: CInt) {
    var status: CInt = 0
    while waitpid(trainer, &status, WNOHANG | WUNTRACED) == trainer {
      if status & 0xff == 0x7f {
        // Ctrl-Z: the shell has to see it, and so has a script between the two.
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

  /// Ends with the sentence that the trainer's process has sent, if it has sent one.
  private static func endIfCalled(_ trainer: pid_t, _ channel: CInt) {
    var bytes = [UInt8](repeating: 0, count: 8192)
    let count = read(channel, &bytes, bytes.count)
    guard count > 0 else { return }
    // The trainer's group is empty now: the terminal is nobody's.
    takeTerminal(from: trainer)
    _ = write(STDOUT_FILENO, bytes, count)
    _exit(0)
  }
}
