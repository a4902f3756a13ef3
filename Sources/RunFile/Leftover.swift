// A file that is not finished yet, taken away when the process is told to end; and those of processes that were killed.
import Foundation
import Run

/// What the signal handler removes: set while a file is being written aside.
nonisolated(unsafe) private var unfinished: UnsafeMutablePointer<CChar>?

/// A file aside, while it is being written.
enum Leftover {
  /// Writes a file, and removes it when that fails, or a signal ends the process meanwhile: INT,
  /// TERM, HUP, USR1, USR2 or XCPU. What is ignored stays so.
  /// What killed processes have left of the same file is removed before.
  /// - Parameters:
  ///   - path: of what it is to become; one at a time.
  ///   - body: writes `FOLDER/.NAME.newPID`, where nothing is yet, and gives it its name.
  static func writing(beside path: String, _ body: (_ aside: String) throws -> Void) throws {
    let folder = path.parentFolder
    let start = ".\((path as NSString).lastPathComponent).new"
    removeAbandoned(in: folder.isEmpty ? "." : folder, start: start)
    let aside = (folder as NSString).appendingPathComponent(start + String(getpid()))
    unlink(aside)
    unfinished = strdup(aside)
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { number in
      if let unfinished { unlink(unfinished) }
      signal(number, SIG_DFL)
      raise(number)
    }
    var before: [(signal: CInt, action: sigaction)] = []
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU] {
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
      try body(aside)
    } catch {
      unlink(aside)
      throw error
    }
  }

  private static func removeAbandoned(in folder: String, start: String) {
    // A folder that may not be listed may still be written to.
    for name in (try? Folder.names(in: folder)) ?? [] where name.hasPrefix(start) {
      guard let process = pid_t(name.dropFirst(start.count)), kill(process, 0) != 0, errno == ESRCH else { continue }
      unlink(folder + "/" + name)
    }
  }
}
