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
  /// A SentencePiece model file, or a tokenizer.json.
  case tokenizer(String)
  /// A run's folder; the answer is its row in the list of runs.
  case run(String)

  package var path: String {
    switch self {
    case .hdf5(let path), .tokenizer(let path): path
    case .run(let folder): RunFolder(folder).file
    }
  }

  /// The request as it is sent: a letter and the path.
  var request: String {
    switch self {
    case .hdf5(let path): "h\(path)"
    case .tokenizer(let path): "t\(path)"
    case .run(let folder): "r\(folder)"
    }
  }

  init?(request: String) {
    switch request.first {
    case "h": self = .hdf5(String(request.dropFirst()))
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

  /// Size and times, which change when a file changes in place.
  private struct FileVersion: Hashable {
    var size, modified, changed: Int
  }

  private struct SandboxState {
    var command: [String] = []
    /// Files that were examined and are good, or that this process wrote.
    var good: Set<Identity> = []
    /// Files that were examined and are bad, with their version at that time.
    var bad: [Identity: (moment: FileVersion, error: UserError)] = [:]
  }

  private static let state = Mutex(SandboxState())

  /// Sets the command that starts the examining process: a path and its arguments. The program calls this before it
  /// opens any file. Without it, files are opened unexamined, which is for tests of the readers.
  package static func use(_ command: [String]) { state.withLock { $0.command = command } }

  /// Examines many files at once; the results are remembered for `require`.
  package static func prepare(_ files: [SandboxedFile]) { _ = examined(files) }

  /// - Returns: the error, if some files could not be examined because no process could be started.
  private static func examined(_ files: [SandboxedFile]) -> UserError? {
    let unknown = files.filter { file in
      guard let (identity, moment) = look(file.path) else { return false }
      return state.withLock { !$0.command.isEmpty && !$0.good.contains(identity) && $0.bad[identity]?.moment != moment }
    }
    return unknown.isEmpty ? nil : examine(unknown)
  }

  /// Makes sure that a file may be opened. A missing file passes: its opener reports the error.
  /// - Throws: `UserError` if the file cannot be read as requested, or the process that opened it died.
  package static func require(_ file: SandboxedFile) throws {
    guard let (identity, moment) = look(file.path) else { return }
    let missed = examined([file])
    let error: UserError? = state.withLock { state in
      if state.command.isEmpty || state.good.contains(identity) { return nil }
      // What changed meanwhile is examined next time.
      return missed ?? state.bad[identity]?.error
        ?? UserError(.unavailable, "\(file.path) changed while it was examined: try again (\(moment.size) bytes)")
    }
    if let error { throw error }
  }

  /// Marks a file as good that this process has just written.
  static func trust(_ path: String) {
    guard let (identity, _) = look(path) else { return }
    state.withLock { _ = $0.good.insert(identity) }
  }

  /// Gives a copy the same mark as its original.
  static func trust(_ copy: String, as original: String) {
    guard let (identity, _) = look(original), state.withLock({ $0.good.contains(identity) }) else { return }
    trust(copy)
  }

  private static func look(_ path: String) -> (Identity, FileVersion)? {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    func nanoseconds(_ time: timespec) -> Int { time.tv_sec &* 1_000_000_000 &+ time.tv_nsec }
    return (
      Identity(device: UInt64(status.st_dev), node: UInt64(status.st_ino), birth: file_birth(path)),
      FileVersion(
        size: Int(status.st_size), modified: nanoseconds(status.st_mtim), changed: nanoseconds(status.st_ctim))
    )
  }

  /// Reads runs for the list of runs in separate processes, one per core if so many can be started. This process does
  /// not open their files.
  /// - Returns: the summary or the error of each run; nil if no command was set with `use`.
  /// - Throws: `UserError` when no process can be started.
  static func summaries(of folders: [String]) throws(UserError) -> [Result<RunSummary, UserError>]? {
    let command = state.withLock { $0.command }
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
          result = summary(try asked.ask(.run(folders[index]), bytes: bytes))
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
  /// - Returns: the error because of which files were left unexamined; it says nothing about the files.
  private static func examine(_ files: [SandboxedFile]) -> UserError? {
    let command = state.withLock { $0.command }
    var process: SandboxProcess?
    var missed: UserError?
    for file in files {
      guard let (identity, moment) = look(file.path) else { continue }
      let verdict: UserError?
      do {
        if process == nil { process = try SandboxProcess.started(command) }
        verdict = try process?.ask(file, bytes: moment.size).error
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
          state.good.insert(identity)
        }
      }
    }
    return missed
  }
}
