// Reads and removes stored runs on a thread of its own, so that no screen waits for a disk: jobs go in, answers come out.
import Dashboard
import Foundation
import Run
import RunFile
import Session

/// Reads stored runs for screens. Only its thread opens run files in this process.
final class RunReader: Sendable {
  enum Job: Sendable {
    /// The names of all runs and the versions of their files.
    case folders
    /// The present versions of the files of some runs.
    case entries([String])
    /// The rows of some runs for the list.
    case summaries([String])
    /// A run's history, for a screen that opens the run.
    case history(String)
    /// A run's events after a bookmark.
    case news(String, StoredRun.Bookmark)
    /// Removes a run, unless another process writes the run. Earlier jobs are done first.
    case remove(String)
    /// Tensors of a run's checkpoints.
    case tensors(String, TensorsScreen.TensorsReading)
    /// Connects to a run that another process trains, and reads the events after a bookmark, or all of them.
    case attach(String, StoredRun.Bookmark?, after: Int)
    /// What the heads of a run's checkpoint expect after a text; without a step, of the newest.
    case ask(String, step: Int?, text: String)
    /// What the machine does for the process that trains a run.
    case machine(String)
  }

  /// What was read of a run.
  struct StoredReading: Sendable {
    let name: String
    let events: [Event]
    let recipe: Recipe
    let state: RunStatus
    let checkpoints: [Int]
    let bookmark: StoredRun.Bookmark
  }

  enum ReaderAnswer: Sendable {
    case folders([RunFolderEntry])
    case entries([RunFolderEntry])
    case summaries([RunSummary])
    case history(StoredReading)
    case news(StoredReading)
    /// A run was removed; the sentence for the user.
    case removed(name: String, String)
    case tensors(name: String, TensorsAnswer)
    /// The reading, and a connection or the reason why there is none.
    case attached(StoredReading, Result<AttachedRun, UserError>)
    case answered(name: String, Result<TextAnswer, UserError>)
    /// The load since the last answer, nil the first time; or the reason why it cannot be measured.
    case machine(name: String, Result<MachineUse?, UserError>)
    case failed(name: String, UserError)
  }

  private let jobs = Mailbox<Job>()
  private let answers = Mailbox<ReaderAnswer>()
  private let thread: WorkerThread

  /// - Parameter place: the folder of all runs.
  /// - Throws: `UserError` where the system gives no thread.
  init(_ place: FolderOptions) throws {
    Sandbox.keepProcess()
    LibraryExit.watch()
    LibraryExit.tell { [answers] in answers.send(.answered(name: "", .failure($0))) }
    thread = try WorkerThread("reader") { [jobs, answers] in
      var network: AskedNetwork?
      var tensors: StoredTensors?
      var sampler: MachineSampler?
      while !jobs.isOver {
        for job in jobs.takeAll(waitingUntil: .distantFuture) {
          switch job {
          case .ask(let name, let step, let text):
            answers.send(.answered(name: name, Self.answer(text, of: name, step, in: place, keeping: &network)))
          case .tensors(let name, let reading):
            let folder = "\(place.runs)/\(name)"
            if tensors?.folder != folder { tensors = StoredTensors(of: folder) }
            answers.send(.tensors(name: name, TensorsAnswer(reading, of: &tensors!)))
          case .machine(let name):
            answers.send(.machine(name: name, Self.machine(of: "\(place.runs)/\(name)", by: &sampler)))
          default: answers.send(Self.answer(job, in: place))
          }
          // Whoever waits for keys looks at once.
          Signals.wake()
        }
      }
    }
  }

  private static func answer(
    _ text: String, of name: String, _ step: Int?, in place: FolderOptions, keeping network: inout AskedNetwork?
  ) -> Result<TextAnswer, UserError> {
    do {
      return .success(try AskedNetwork.answer(text, of: name, in: place, step: step, keeping: &network))
    } catch {
      return .failure(UserError(error, while: "asking run “\(name)”"))
    }
  }

  /// Measures the machine of the process that trains a run.
  /// - Parameter sampler: the one of the last measurement, and then of this one.
  private static func machine(
    of folder: String, by sampler: inout MachineSampler?
  ) -> Result<MachineUse?, UserError> {
    func failure(_ sentence: String) -> Result<MachineUse?, UserError> { .failure(UserError(.unavailable, sentence)) }
    guard let writer = StoredRun.writer(of: folder) else { return failure("no process trains this run now") }
    guard writer.isHere else {
      return failure("host \(writer.host) trains this run: only a screen on that host can measure its machine")
    }
    if sampler?.folder != folder || sampler?.process != writer.process {
      sampler = MachineSampler(folder: folder, process: writer.process)
    }
    let use = sampler?.next()
    guard sampler?.isProcessHidden == false else {
      return failure("process \(writer.process) trains this run, but its numbers in /proc cannot be read")
    }
    return .success(use)
  }

  /// Ends the thread after its present job.
  deinit { jobs.close() }

  func send(_ job: Job) { jobs.send(job) }

  func take() -> [ReaderAnswer] { answers.takeAll() }

  private static func answer(_ job: Job, in place: FolderOptions) -> ReaderAnswer {
    let folder = place.runs
    switch job {
    case .folders:
      return attempt("") { .folders(try StoredRun.folders(in: folder)) }
    case .entries(let names): return .entries(names.compactMap { StoredRun.entry($0, in: folder) })
    case .summaries(let names): return .summaries(StoredRun.summaries(of: names, in: folder))
    case .history(let name):
      return attempt(name) {
        .history(try reading(try StoredRun.toFollow("\(folder)/\(name)"), as: name))
      }
    case .news(let name, let bookmark):
      return attempt(name) {
        .news(try reading(try StoredRun.news("\(folder)/\(name)", since: bookmark), as: name))
      }
    case .ask, .tensors, .machine: preconditionFailure("their answers keep something from one job to the next")
    case .remove(let name):
      return attempt(name) {
        let folder = try RunLookup.folder(name, in: place)
        return .removed(name: name, try Removal(ofRun: folder).carryOut(name: name, folder: folder))
      }
    case .attach(let name, let bookmark, let number):
      return attempt(name) { try attach(to: name, in: folder, bookmark, after: number) }
    }
  }

  /// Connects first, so that events during the reading arrive by the connection.
  private static func attach(
    to name: String, in folder: String, _ bookmark: StoredRun.Bookmark?, after number: Int
  ) throws -> ReaderAnswer {
    let connection = Result { try AttachedRun(ControlClient(folder: "\(folder)/\(name)", name: name), after: number) }
      .mapError { UserError($0, .unavailable, while: "connecting to run “\(name)”") }
    let folder = "\(folder)/\(name)"
    let followed = try bookmark.map { try StoredRun.news(folder, since: $0) } ?? StoredRun.toFollow(folder)
    return .attached(try reading(followed, as: name), connection)
  }

  /// - Parameter name: as it was asked for.
  private static func reading(_ followed: StoredRun.FollowedReading, as name: String) throws -> StoredReading {
    StoredReading(
      name: name, events: followed.events, recipe: followed.run.recipe, state: followed.run.state,
      checkpoints: try followed.run.checkpoints().map(\.step), bookmark: followed.bookmark)
  }

  private static func attempt(_ name: String, _ body: () throws -> ReaderAnswer) -> ReaderAnswer {
    do { return try body() } catch { return .failed(name: name, UserError(error, while: "reading run “\(name)”")) }
  }
}
