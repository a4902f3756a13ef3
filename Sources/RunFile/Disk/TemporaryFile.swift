// Temporary files: they are removed when a signal ends the process, and those of killed processes later.
import Foundation
import Run
import Synchronization

/// The paths of temporary files, which the signal handler removes.
nonisolated(unsafe) private let unfinished = UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>.allocate(capacity: 16)
nonisolated(unsafe) private let remove: @convention(c) (CInt) -> Void = { number in
  for place in 0..<16 { if let path = unfinished[place] { unlink(path) } }
  signal(number, SIG_DFL)
  raise(number)
}

/// A temporary file, which is being written.
enum TemporaryFile {
  /// Writes a temporary file, and removes it when that fails or a signal ends the process. Temporary files of killed
  /// processes for the same file are removed before.
  /// - Parameters:
  ///   - path: the final path of the file.
  ///   - body: writes the new file `FOLDER/.NAME.newPID` and renames it.
  static func writing(beside path: String, _ body: (_ aside: String) throws -> Void) throws {
    let folder = path.parentFolder
    let start = ".\((path as NSString).lastPathComponent).new"
    for name in FileSystem.abandonedNames(in: folder.isEmpty ? "." : folder, start: start) {
      unlink((folder as NSString).appendingPathComponent(name))
    }
    let aside = (folder as NSString).appendingPathComponent(start + String(getpid()))
    unlink(aside)
    try removing([aside]) {
      do {
        try body(aside)
      } catch {
        unlink(aside)
        throw error
      }
    }
  }

  /// The number of running bodies and the former action of each signal; protected by a lock.
  private struct Registry {
    var count = 0
    var before: [(signal: CInt, action: sigaction)] = []
    var used = [Bool](repeating: false, count: 16)
    var isPrepared = false
  }

  private static let state = Mutex(Registry())
  /// Signals that end a process by default.
  private static let signals = [SIGHUP, SIGINT, SIGTERM, SIGUSR1] + EndingSignal.requests

  /// Runs `body`; its files are removed when a signal ends the process meanwhile. Signals that are ignored or have
  /// another handler are left alone.
  static func removing<Result>(_ paths: [String], _ body: () throws -> Result) throws -> Result {
    let places = state.withLock { state in
      if state.count == 0 { listen(&state) }
      state.count += 1
      var places: [Int] = []
      for path in paths {
        guard let place = state.used.firstIndex(of: false) else { break }
        state.used[place] = true
        unfinished[place] = strdup(path)
        places.append(place)
      }
      return places
    }
    defer {
      state.withLock { state in
        for place in places {
          let path = unfinished[place]
          unfinished[place] = nil
          free(path)
          state.used[place] = false
        }
        state.count -= 1
        if state.count == 0 { stopListening(&state) }
      }
    }
    return try body()
  }

  private static func listen(_ state: inout Registry) {
    if !state.isPrepared {
      unfinished.initialize(repeating: nil, count: 16)
      state.isPrepared = true
    }
    var action = sigaction()
    action.__sigaction_handler.sa_handler = remove
    action.sa_flags = CInt(SA_ONSTACK)
    for signal in signals {
      var old = sigaction()
      sigaction(signal, nil, &old)
      // The default action is the null pointer.
      guard unsafeBitCast(old.__sigaction_handler.sa_handler, to: Int.self) == 0 else { continue }
      state.before.append((signal, old))
      sigaction(signal, &action, nil)
    }
  }

  private static func stopListening(_ state: inout Registry) {
    for (signal, action) in state.before {
      var now = sigaction()
      sigaction(signal, nil, &now)
      // Whoever has begun to listen meanwhile goes on.
      guard let handler = now.__sigaction_handler.sa_handler,
        unsafeBitCast(handler, to: Int.self) == unsafeBitCast(remove, to: Int.self)
      else { continue }
      var old = action
      sigaction(signal, &old, nil)
    }
    state.before = []
  }
}
