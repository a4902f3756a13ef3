// Files that this process did not write are first opened by a separate process, since damaged or malicious files may
// crash or hang libhdf5 and libsentencepiece. Only the separate process dies then; this process reads its answers.
import CHDF5
import Foundation
import Run
import Synchronization

/// A request to the process that examines files.
package enum SandboxedFile: Sendable, Hashable {
  /// A run's file or a checkpoint: see `SandboxAnswer`.
  case hdf5(String)
  /// A run's file whose overview is going to be read as well. Only long runs are read by it.
  case overview(String)
  /// A SentencePiece model file, or a tokenizer.json.
  case tokenizer(String)
  /// A run's folder; the answer is its row in the list of runs.
  case run(String)

  package var path: String {
    switch self {
    case .hdf5(let path), .overview(let path), .tokenizer(let path): path
    case .run(let folder): RunFolder(folder).file
    }
  }

  /// The request as it is sent: a letter and the path.
  var request: String {
    switch self {
    case .hdf5(let path): "h\(path)"
    case .overview(let path): "o\(path)"
    case .tokenizer(let path): "t\(path)"
    case .run(let folder): "r\(folder)"
    }
  }

  init?(request: String) {
    switch request.first {
    case "h": self = .hdf5(String(request.dropFirst()))
    case "o": self = .overview(String(request.dropFirst()))
    case "t": self = .tokenizer(String(request.dropFirst()))
    case "r": self = .run(String(request.dropFirst()))
    default: return nil
    }
  }
}

/// The client: the process that wants to open files.
package enum Sandbox {
  /// A file as the kernel knows it.
  private struct Identity: Hashable {
    var device, node: UInt64
    var birth: Int64
  }

  private struct SandboxState {
    var command: [String] = []
    /// How often the time that a file may take to be read may pass without the examining process computing anything.
    var patience = 10.0
    /// Files that were examined and are good, or that this process wrote.
    var good: Set<Identity> = []
    /// Those of them whose overview was examined, too.
    var goodOverviews: Set<Identity> = []
    /// Files that were examined and are bad, with their version at that time.
    var bad: [Identity: (moment: FileVersion, error: UserError)] = [:]
    /// A process that has nothing to do: one that was started before there was a file for it, or that is kept.
    var idle: SandboxProcess?
    /// Files that another thread is going to examine: whoever needs one waits for it.
    var ahead: Set<Identity> = []
    /// True if a process that has examined files stays for the next ones.
    var keepsProcess = false

    /// True if a file need not be examined any more.
    func isGood(_ file: SandboxedFile, _ identity: Identity) -> Bool {
      if case .overview = file { return goodOverviews.contains(identity) }
      return good.contains(identity)
    }

    mutating func trust(_ identity: Identity, withOverview: Bool) {
      good.insert(identity)
      if withOverview { goodOverviews.insert(identity) }
    }
  }

  private static let state = Mutex(SandboxState())

  /// Sets the command that starts the examining process: a path and its arguments. The program calls this before it
  /// opens any file. Without it, files are opened unexamined, which is for tests of the readers.
  /// - Parameter patience: how often the time that a file may take to be read may pass without that process computing anything; less
  ///   than the default is for tests.
  package static func use(_ command: [String], patience: Double = 10) {
    state.withLock { state in
      (state.command, state.patience) = (command, patience)
      // One that another command has started would answer in its place.
      (state.idle, state.keepsProcess) = (nil, false)
    }
  }

  /// Divides this process for the first files, which is faster than to start the program again. Where that fails, the process is
  /// started when there is a file for it, and the failure is said then. Call this before the first thread.
  /// - Parameter serve: answers the requests on standard input, in the other process.
  package static func startEarly(serving serve: () -> Never) {
    let process = try? SandboxProcess(dividing: serve)
    state.withLock { ($0.idle, $0.keepsProcess) = (process, true) }
  }

  /// Keeps the process that examines files for the next ones: starting it takes longer than a file does. For programs that open
  /// files again and again.
  package static func keepProcess() { state.withLock { $0.keepsProcess = true } }

  /// Told each time a file has been examined ahead.
  private static let settled = NSCondition()

  /// Examines many files, one after the other, while the caller reads those that are done; the results are remembered for `require`.
  package static func prepare(_ files: [SandboxedFile]) {
    let coming = files.compactMap { file in isUnknown(file) ? look(file.path).map { (file, $0.0) } : nil }
    guard coming.count > 1 else { return }
    state.withLock { $0.ahead.formUnion(coming.map(\.1)) }
    let thread = try? WorkerThread("examiner") {
      _ = examine(coming.map(\.0)) { settle([$0]) }
      settle(coming.map(\.1))
    }
    // Without a thread, each file is examined when it is needed.
    if thread == nil { settle(coming.map(\.1)) }
  }

  private static func settle(_ identities: [Identity]) {
    settled.lock()
    state.withLock { $0.ahead.subtract(identities) }
    settled.broadcast()
    settled.unlock()
  }

  /// Waits until no other thread has a file to examine.
  private static func waitFor(_ identity: Identity) {
    settled.lock()
    while state.withLock({ $0.ahead.contains(identity) }) { settled.wait() }
    settled.unlock()
  }

  /// True if a file must be examined before this process opens it.
  private static func isUnknown(_ file: SandboxedFile) -> Bool {
    guard let (identity, moment) = look(file.path) else { return false }
    return state.withLock { !$0.command.isEmpty && !$0.isGood(file, identity) && $0.bad[identity]?.moment != moment }
  }

  /// Makes sure that a file may be opened. A missing file passes: its opener reports the error.
  /// - Throws: `UserError` if the file cannot be read as requested, or the process that opened it died.
  package static func require(_ file: SandboxedFile) throws {
    guard let (identity, moment) = look(file.path) else { return }
    waitFor(identity)
    let missed = isUnknown(file) ? examine([file]) : nil
    let error: UserError? = state.withLock { state in
      if state.command.isEmpty || state.isGood(file, identity) { return nil }
      // What changed meanwhile is examined next time.
      return missed ?? state.bad[identity]?.error
        ?? UserError(.unavailable, "\(file.path) changed while it was examined: try again (\(moment.size) bytes)")
    }
    if let error { throw error }
  }

  /// Marks a file as good that this process has just written.
  static func trust(_ path: String) {
    guard let (identity, _) = look(path) else { return }
    state.withLock { $0.trust(identity, withOverview: true) }
  }

  /// Gives a copy the same mark as its original.
  static func trust(_ copy: String, as original: String) {
    guard let (identity, _) = look(original), let (own, _) = look(copy) else { return }
    state.withLock { state in
      guard state.good.contains(identity) else { return }
      state.trust(own, withOverview: state.goodOverviews.contains(identity))
    }
  }

  private static func look(_ path: String) -> (Identity, FileVersion)? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    let identity = Identity(device: UInt64(status.st_dev), node: UInt64(status.st_ino), birth: file_birth(path))
    return (identity, FileVersion(status))
  }

  /// Reads runs for the list of runs in separate processes, one per core if so many can be started. This process does
  /// not open their files.
  /// - Returns: the summary or the error of each run; nil if no command was set with `use`.
  /// - Throws: `UserError` when no process can be started.
  static func summaries(of folders: [String]) throws(UserError) -> [Result<RunSummary, UserError>]? {
    let (command, patience) = state.withLock { ($0.command, $0.patience) }
    guard !command.isEmpty else { return nil }
    struct List {
      var next = 0
      var results: [Result<RunSummary, UserError>?]
      var refusal: UserError?
    }
    let list = Mutex(List(results: [Result<RunSummary, UserError>?](repeating: nil, count: folders.count)))
    WorkerThread.each(max(1, min(folders.count, Processors.helpers))) { _ in
      var process: SandboxProcess?
      while true {
        do throws(UserError) {
          if process == nil { process = try SandboxProcess.started(command) }
        } catch {
          // The other workers' processes go through the list.
          return list.withLock { $0.refusal = error }
        }
        let index = list.withLock { list in
          defer { list.next += 1 }
          return list.next
        }
        guard index < folders.count, let asked = process else { return }
        let result: Result<RunSummary, UserError>
        do throws(UserError) {
          let bytes = look(RunFolder(folders[index]).file)?.1.size ?? 0
          result = summary(try asked.ask(.run(folders[index]), bytes: bytes, patience: patience))
        } catch {
          process = nil
          result = .failure(error)
        }
        list.withLock { $0.results[index] = result }
      }
    }
    let (results, refusal) = list.withLock { ($0.results, $0.refusal) }
    if let refusal, results.contains(where: { $0 == nil }) { throw refusal }
    return results.compactMap { $0 }
  }

  private static func summary(_ answer: (error: UserError?, text: String)) -> Result<RunSummary, UserError> {
    if let error = answer.error { return .failure(error) }
    return Result {
      try StoredJSON.decoded(RunSummary.self, Array(answer.text.utf8), "the answer of the process that examines files")
    }
    .mapError { UserError($0, .data, while: "reading the answer of the process that examines files") }
  }

  /// Examines files one after the other. If the process dies, another one continues with the next file.
  /// - Parameter done: is called after each file.
  /// - Returns: the error because of which files were left unexamined; it says nothing about the files.
  private static func examine(_ files: [SandboxedFile], done: (Identity) -> Void = { _ in }) -> UserError? {
    let (command, patience, idle) = state.withLock { state in
      defer { state.idle = nil }
      return (state.command, state.patience, state.idle)
    }
    // A signal to all processes of a terminal may have ended one that waits: this says nothing about the next file.
    var process = idle?.hasEnded == true ? nil : idle
    defer { state.withLock { if $0.keepsProcess, $0.idle == nil { $0.idle = process } } }
    var missed: UserError?
    for file in files {
      guard let (identity, moment) = look(file.path) else { continue }
      defer { done(identity) }
      let verdict: UserError?
      var told = ""
      do {
        if process == nil { process = try SandboxProcess.started(command) }
        guard let answer = try process?.ask(file, bytes: moment.size, patience: patience) else { continue }
        (verdict, told) = (answer.error, answer.text)
      } catch {
        process = nil
        verdict = error
      }
      if let verdict, verdict.status == .unavailable {
        missed = verdict
        continue
      }
      state.withLock { state in
        if let verdict {
          state.bad[identity] = (moment, verdict)
        } else {
          state.trust(identity, withOverview: file == .overview(file.path) || told == SandboxAnswer.overviewWord)
        }
      }
    }
    return missed
  }
}
