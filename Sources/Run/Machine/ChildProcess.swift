// What every start of a child process needs.
import Foundation

/// `fork`. Swift does not offer it, since fork copies no threads.
@_silgen_name("fork")
private func fork() -> pid_t

package enum ChildProcess {
  /// Divides this process by `fork`. It must have no threads yet, since the other process would not have them.
  /// - Returns: 0 in the new process; its number in this one, or -1 with `errno` if there is none.
  package static func divide() -> pid_t { fork() }

  /// Texts as `posix_spawn` takes them, for the duration of `body`.
  package static func withWords<Result>(
    _ texts: [String], _ body: ([UnsafeMutablePointer<CChar>?]) throws -> Result
  ) rethrows -> Result {
    let words: [UnsafeMutablePointer<CChar>?] = texts.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    return try body(words)
  }

  /// Gives a child no blocked signals, and each its default action: what this process ignores or blocks is its own affair.
  /// - Parameter attributes: the flags `POSIX_SPAWN_SETSIGMASK` and `POSIX_SPAWN_SETSIGDEF` make it so.
  package static func resetSignals(_ attributes: inout posix_spawnattr_t) {
    var (none, all) = (sigset_t(), sigset_t())
    sigemptyset(&none)
    sigfillset(&all)
    posix_spawnattr_setsigmask(&attributes, &none)
    posix_spawnattr_setsigdefault(&attributes, &all)
  }
}
