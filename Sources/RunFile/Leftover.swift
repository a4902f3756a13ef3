// A file that is not finished yet, taken away when the process is told to end; and those of processes that were killed.
import Foundation
import Run

/// What the signal handler removes: set while a file is being written aside.
nonisolated(unsafe) private var unfinished: UnsafeMutablePointer<CChar>?

/// A file aside, while it is being written.
enum Leftover {
  /// Writes a file, and removes it when that fails, or INT, TERM or HUP ends the process meanwhile. What is ignored stays so.
  /// What killed processes have left of the same file is removed before.
  /// - Parameters:
  ///   - path: `FOLDER/.NAME.newPID`; one at a time.
  ///   - body: writes it and gives it another name.
  static func removing(_ path: String, _ body: () throws -> Void) throws {
    removeAbandoned(path)
    unfinished = strdup(path)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      if let unfinished { unlink(unfinished) }
      signal(number, SIG_DFL)
      raise(number)
    }
    var before: [(signal: CInt, action: sigaction)] = []
    for signal in [SIGINT, SIGTERM, SIGHUP] {
      var old = sigaction()
      sigaction(signal, nil, &old)
      // The default action is the null pointer.
      guard unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) == 0 else { continue }
      before.append((signal, old))
      sigaction(signal, &action, nil)
    }
    defer {
      for (signal, action) in before {
        var old = action
        sigaction(signal, &old, nil)
      }
      let name = unfinished
      unfinished = nil
      free(name)
    }
    do {
      try body()
    } catch {
      unlink(path)
      throw error
    }
  }

  private static func removeAbandoned(_ path: String) {
    unlink(path)
    guard let end = path.range(of: ".new", options: .backwards) else { return }
    let start = (path[..<end.upperBound] as NSString).lastPathComponent
    let folder = path.parentFolder
    // A folder that may not be listed may still be written to.
    for name in (try? Folder.names(in: folder.isEmpty ? "." : folder)) ?? [] where name.hasPrefix(start) {
      guard let process = pid_t(name.dropFirst(start.count)), kill(process, 0) != 0, errno == ESRCH else { continue }
      unlink((folder as NSString).appendingPathComponent(name))
    }
  }
}
