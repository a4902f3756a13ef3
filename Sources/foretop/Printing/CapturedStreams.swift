// Captures standard output and error while the screen is shown, since lines that libraries print would damage the screen.
import Glibc
import Run

/// Redirects both streams, and restores them at the end. Lines that were not taken by then are printed.
struct CapturedStreams: ~Copyable {
  /// The terminal; only the screen writes to it.
  let terminal: CInt
  private let savedError: CInt
  /// The captured output of the program and its libraries. Reading from it never waits.
  let overheard: CInt
  private var rest: [UInt8] = []

  /// Nil if no descriptor is available.
  init?() {
    let output = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3)
    let error = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3)
    guard output >= 0, error >= 0, let ends = PipeEnds() else { return nil }
    terminal = output
    savedError = error
    overheard = ends.reading
    fflush(nil)
    dup2(ends.writing, STDOUT_FILENO)
    dup2(ends.writing, STDERR_FILENO)
    close(ends.writing)
  }

  deinit {
    fflush(nil)
    dup2(terminal, STDOUT_FILENO)
    dup2(savedError, STDERR_FILENO)
    let unsaid = rest + Self.bytes(from: overheard)
    if !unsaid.isEmpty, Output.isTaken(by: STDERR_FILENO, within: 1000) {
      // A library may quote a file's name or its content.
      let shown = Array(String(decoding: unsaid, as: UTF8.self).harmless.utf8)
      _ = shown.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
    close(overheard)
    close(savedError)
    close(terminal)
  }

  /// Whole lines printed since the last call.
  mutating func lines() -> [String] {
    rest += Self.bytes(from: overheard)
    guard let end = rest.lastIndex(of: UInt8(ascii: "\n")) else { return [] }
    let lines = rest[..<end].split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    rest.removeSubrange(...end)
    return lines
  }

  private static func bytes(from descriptor: CInt) -> [UInt8] {
    var all: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    // A library that prints without end must not keep the screen from being drawn.
    while all.count < 1 << 16 {
      let count = read(descriptor, &buffer, buffer.count)
      guard count > 0 else { break }
      all += buffer[..<count]
    }
    return all
  }
}
