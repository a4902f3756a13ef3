// Standard output and error when nobody takes what is written: a terminal stopped with ctrl-S, a pipe whose reader sleeps.
import Glibc

enum Output {
  /// What a descriptor that can be written to takes without waiting, at least: terminals and pipes alike.
  static let portion = 1024

  /// Whether a descriptor takes output within this time; `portion` bytes of it.
  static func isTaken(by descriptor: CInt, within milliseconds: CInt) -> Bool {
    var descriptors = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&descriptors, 1, milliseconds) != 0
  }

  /// From now on, what is said to these descriptors goes nowhere.
  static func silence(where isMeant: (CInt) -> Bool) {
    let nowhere = open("/dev/null", O_RDWR)
    guard nowhere >= 0 else { return }
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where isMeant(descriptor) {
      dup2(nowhere, descriptor)
    }
    close(nowhere)
  }

  /// Silences what takes no output for a second, so that a process told to end does.
  static func silenceWhatIsStuck() {
    silence { $0 != STDIN_FILENO && !isTaken(by: $0, within: 1000) }
  }
}
