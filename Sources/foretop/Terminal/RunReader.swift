// Stored runs are read, and removed, on a thread of their own, so that no screen waits for a disk: jobs go in, answers come out.
import Dashboard
import Foundation
import Run
import RunFile
import Session

/// Reads stored runs for screens. All that opens run files in the process goes through its one thread.
final class RunReader: Sendable {
  enum Job: Sendable {
    /// What lies in the folder of all runs.
    case folders
    /// The files of some runs, as they lie there now.
    case entries([String])
    /// The rows of some runs in the list.
    case summaries([String])
    /// A run as a screen begins with it.
    case history(String)
    /// What came since.
    case news(String, StoredRun.Bookmark)
    /// Takes a run away; its lock refuses that where a process writes it. What was asked before is read before.
    case remove(String)
    /// Tensors of a run's checkpoints.
    case tensors(String, TensorsScreen.TensorsReading)
    /// A run that another process trains, to be followed and steered: what came since a bookmark, or all, and a connection.
    case attach(String, StoredRun.Bookmark?, after: Int)
  }

  /// A run, read.
  struct StoredReading: Sendable {
    let name: String
    let events: [Event]
    let recipe: Recipe
    let state: RunStatus
    let checkpoints: [Int]
    let bookmark: StoredRun.Bookmark
  }

  enum Answer: Sendable {
    case folders([RunFolderEntry])
    case entries([RunFolderEntry])
    case summaries([RunSummary])
    case history(StoredReading)
    case news(StoredReading)
    /// A run is gone; the sentence for the user.
    case removed(name: String, String)
    case tensors(name: String, TensorsAnswer)
    /// With a connection, or the reason why there is none.
    case attached(StoredReading, Result<AttachedRun, UserError>)
    case failed(name: String, UserError)
  }

  private let jobs = Mailbox<Job>()
  private let answers = Mailbox<Answer>()
  private let thread: WorkerThread

  /// - Parameter place: the folder of all runs.
  /// - Throws: `UserError` where the system gives no thread.
  init(_ place: FolderOptions) throws {
    thread = try WorkerThread("reader") { [jobs, answers] in
      while !jobs.isOver {
        for job in jobs.takeAll(waitingUntil: .distantFuture) { answers.send(Self.answer(job, in: place)) }
      }
    }
  }

  /// Its thread ends after the job that it is at.
  deinit { jobs.close() }

  func send(_ job: Job) { jobs.send(job) }

  func take() -> [Answer] { answers.takeAll() }

  private static func answer(_ job: Job, in place: FolderOptions) -> Answer {
    let folder = place.runs
    switch job {
    case .folders:
      return attempt("") { .folders(try StoredRun.folders(in: folder)) }
    case .entries(let names): return .entries(names.compactMap { StoredRun.entry($0, in: folder) })
    case .summaries(let names): return .summaries(StoredRun.summaries(of: names, in: folder))
    case .history(let name):
      return attempt(name) {
        let run = try StoredRun(opening: "\(folder)/\(name)")
        let (events, bookmark) = try run.historyToFollow()
        return .history(try reading(run, as: name, events, bookmark))
      }
    case .tensors(let name, let reading):
      return .tensors(name: name, TensorsAnswer(reading, of: "\(folder)/\(name)"))
    case .news(let name, var bookmark):
      return attempt(name) {
        let run = try StoredRun(opening: "\(folder)/\(name)")
        let events = try run.news(since: &bookmark)
        return .news(try reading(run, as: name, events, bookmark))
      }
    case .remove(let name):
      return attempt(name) {
        let folder = try RunLookup.folder(name, in: place)
        return .removed(name: name, try Removal(ofRun: folder).carryOut(name: name, folder: folder))
      }
    case .attach(let name, let bookmark, let number):
      return attempt(name) { try attach(to: name, in: folder, bookmark, after: number) }
    }
  }

  /// Connects first: what happens while the files are read comes by the connection.
  private static func attach(
    to name: String, in folder: String, _ bookmark: StoredRun.Bookmark?, after number: Int
  ) throws -> Answer {
    let connection = Result { try AttachedRun(ControlClient(folder: "\(folder)/\(name)", name: name), after: number) }
      .mapError { UserError($0, .unavailable, while: "connecting to run “\(name)”") }
    let run = try StoredRun(opening: "\(folder)/\(name)")
    guard var bookmark else {
      let (events, bookmark) = try run.historyToFollow()
      return .attached(try reading(run, as: name, events, bookmark), connection)
    }
    let events = try run.news(since: &bookmark)
    return .attached(try reading(run, as: name, events, bookmark), connection)
  }

  /// - Parameter name: as it was asked for.
  private static func reading(
    _ run: StoredRun, as name: String, _ events: [Event], _ bookmark: StoredRun.Bookmark
  ) throws -> StoredReading {
    StoredReading(
      name: name, events: events, recipe: run.recipe, state: run.state,
      checkpoints: try run.checkpoints().map(\.step), bookmark: bookmark)
  }

  private static func attempt(_ name: String, _ body: () throws -> Answer) -> Answer {
    do { return try body() } catch { return .failed(name: name, UserError(error, while: "reading run “\(name)”")) }
  }
}
