// Standard output and error where writing may block or fail: a terminal stopped with ctrl-S, a pipe whose reader sleeps, a full
// disk, a stream that was closed before the program began.
@preconcurrency import Glibc
import Run

/// Prints text for a terminal, made harmless, since it may quote files and names. Data that must not change, such as generated
/// text for a pipe, goes through `Output.put`.
func print(_ text: String, terminator: String = "\n") { Swift.print(text.harmless, terminator: terminator) }

enum Output {
  /// Opens placeholders for standard streams that are closed, so that no file of the program gets their numbers. Reading from
  /// them gives nothing, and writing to them fails as before.
  static func holdClosedStreams() {
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where fcntl(descriptor, F_GETFD) < 0 {
      // open() returns the lowest free number, which is this one.
      _ = open("/dev/null", O_RDONLY)
    }
  }

  /// Prints a line on standard error, unless that would block.
  static func warn(_ line: String, from speaker: String = "foretop") {
    fflush(stdout)
    fputs("\(speaker): \(line)\n".harmless, stderr)
  }

  /// Writes a line on standard error from the beginning of the cursor's line on, where the cursor stays.
  static func overwrite(_ line: String) {
    fflush(stdout)
    fputs("\r\(line.harmlessLine)", stderr)
  }

  /// Rings the bell if standard error is a terminal, and shows a notification if the terminal supports them.
  static func ring(_ text: String) {
    guard isatty(STDERR_FILENO) == 1 else { return }
    fflush(stdout)
    fputs("\u{7}\u{1B}]9;\(text.harmlessLine)\u{7}", stderr)
  }

  /// Flushes standard output.
  /// - Returns: the reason why output could not be written; nil if all was written, or the reader has gone, as `head` does.
  static func loss() -> String? {
    if fflush(nil) != 0 { return errno == EPIPE ? nil : String(cString: strerror(errno)) }
    return ferror(stdout) != 0 ? "a part of the output is lost" : nil
  }

  /// Writes bytes to standard output at once.
  /// - Throws: `UserError` when they cannot be written.
  static func put(_ bytes: [UInt8]) throws {
    guard fwrite(bytes, 1, bytes.count, stdout) == bytes.count, fflush(stdout) == 0 else {
      throw UserError(.inputOutput, "standard output cannot be written: \(String(cString: strerror(errno)))")
    }
  }

  /// Bytes that a writable terminal or pipe takes without blocking, at least.
  static let portion = 1024

  /// True if a descriptor can take `portion` bytes within this time.
  static func isTaken(by descriptor: CInt, within milliseconds: CInt) -> Bool {
    var descriptors = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    return poll(&descriptors, 1, milliseconds) != 0
  }

  /// From now on, output to these descriptors is discarded.
  static func silence(where isMeant: (CInt) -> Bool) {
    let nowhere = open("/dev/null", O_RDWR)
    guard nowhere >= 0 else { return }
    for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] where isMeant(descriptor) {
      dup2(nowhere, descriptor)
    }
    close(nowhere)
  }

  /// Discards output to streams that take nothing for a second, so that a process that was told to end can end.
  static func silenceWhatIsStuck() {
    silence { $0 != STDIN_FILENO && !isTaken(by: $0, within: 1000) }
  }
}
