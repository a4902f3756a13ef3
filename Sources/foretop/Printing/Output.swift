// Standard output and error when nobody takes what is written: a terminal stopped with ctrl-S, a pipe whose reader sleeps, a
// full disk, a stream that was closed before the program began.
@preconcurrency import Glibc
import Run

/// What all commands print with: text that may quote a file or a name, on its way to a terminal. What is data and must not be
/// changed, as generated text for a pipe is, goes through `Output.put`.
func print(_ text: String, terminator: String = "\n") { Swift.print(text.harmless, terminator: terminator) }

enum Output {
  /// Takes the places of standard streams that are closed, so that no file or pipe of the program's own gets their numbers.
  /// Reading from them gives nothing, and writing to them fails as before.
  static func holdClosedStreams() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest number that is free is this one.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// A line on standard error, if somebody hears it.
  static func warn(_ line: String, from speaker: String = "foretop") {
    fflush(stdout)
    fputs("\(speaker): \(line)\n".harmless, stderr)
  }

  /// Rings the bell of the terminal that standard error is, and shows a notification where the terminal has them.
  static func ring(_ text: String) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    fflush(stdout)
    fputs("\u{7}\u{1B}]9;\(text.harmlessLine)\u{7}", stderr)
  }

  /// Everything that was printed, written out.
  /// - Returns: why it could not be written, where somebody wants it. A reader that has gone, such as head, has had enough.
  static func loss() -> String? {
    if fflush(nil) != 0 { return errno == EPIPE ? nil : String(cString: strerror(errno)) }
    return ferror(stdout) != 0 ? "a part of the output is lost" : nil
  }

  /// Bytes on standard output, now.
  /// - Throws: `UserError` when they cannot be written.
  static func put(_ bytes: [UInt8]) throws {
    guard fwrite(bytes, 1, bytes.count, stdout) == bytes.count, fflush(stdout) == 0 else {
      throw UserError(.inputOutput, "standard output cannot be written: \(String(cString: strerror(errno)))")
    }
  }

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
