// With a limited address space (ulimit -v), a failed allocation ends Swift's runtime and most libraries with a signal. Planned
// allocations are refused before; for all others, the handler here prints the reason.
import Glibc
import Run

/// Prepared in advance, since a signal handler must not allocate.
private struct LastWords {
  var limit: Int
  var pageSize: Int
  var bytes: UnsafeMutablePointer<UInt8>
  var count: Int
}

nonisolated(unsafe) private var lastWords: UnsafeMutablePointer<LastWords>?

enum MemoryLimit {
  /// Installs the handler for the signals of a failed allocation, if the address space is limited.
  static func watch() {
    _ = ProcessLimit.spaceAtStart
    guard let space = ProcessLimit.addressSpace, lastWords == nil else { return }
    Allocator.useOneHeap()
    let text =
      "foretop: memory ran out: ulimit -v (RLIMIT_AS) allows \(space.most >> 20) MiB: raise it, or make the recipe "
      + "smaller\n"
    let bytes = UnsafeMutablePointer<UInt8>.allocate(capacity: text.utf8.count)
    for (index, byte) in text.utf8.enumerated() { bytes[index] = byte }
    lastWords = .allocate(capacity: 1)
    lastWords?.initialize(
      to: LastWords(limit: space.most, pageSize: Int(getpagesize()), bytes: bytes, count: text.utf8.count))
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { signal in
      MemoryLimit.speak()
      Glibc.signal(signal, SIG_DFL)
      raise(signal)
    }
    action.sa_flags = CInt(SA_NODEFER)
    for signal in [SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGABRT] { sigaction(signal, &action, nil) }
  }

  /// Async-signal-safe: calls open, read, write and _exit only.
  private static func speak() {
    guard let words = lastWords?.pointee else { return }
    let file = open("/proc/self/statm", O_RDONLY)
    var pages = 0
    var byte: UInt8 = 0
    while file >= 0, read(file, &byte, 1) == 1, (48...57).contains(byte) { pages = pages &* 10 &+ Int(byte) - 48 }
    // With much address space free, the signal has another cause.
    guard pages &* words.pageSize > words.limit / 4 * 3 else { return }
    _ = write(STDERR_FILENO, words.bytes, words.count)
    _exit(69)
  }
}
