// The time before a run begins: text, tokenizer and memory. The run has its folder and its control socket then, and can be stopped.
import Run
import RunFile
import Synchronization

/// How far a session is in being set up.
final class SessionSetup: Sendable {
  private enum Stage { case underWay, finished, cancelled }

  private let stage = Mutex(Stage.underWay)
  private let place = Mutex<RunReservation?>(nil)

  /// What a run ends with that was stopped before it began.
  static let cancelled = UserError(.interrupted, "the run was stopped before its first step")

  /// Takes the run's folder.
  /// - Returns: the folder; nil for a branch, which has its own already.
  /// - Throws: `UserError` when the folder cannot be had, or the run was stopped.
  func begin(_ request: RunRequest) throws -> RunReservation? {
    guard request.past?.branch == nil else { return nil }
    let reserved = try RunReservation(request)
    place.withLock { $0 = reserved }
    guard stage.withLock({ $0 == .underWay }) else {
      reserved.giveBack()
      throw Self.cancelled
    }
    return reserved
  }

  /// The run begins now, and cannot be stopped this way any more.
  /// - Throws: `UserError` where it was stopped.
  func finish() throws {
    let isUnderWay = stage.withLock { stage in
      guard stage == .underWay else { return false }
      stage = .finished
      return true
    }
    guard isUnderWay else { throw Self.cancelled }
  }

  /// - Returns: false if the run has begun.
  func cancel() -> Bool {
    stage.withLock { stage in
      guard stage != .finished else { return false }
      stage = .cancelled
      return true
    }
  }

  /// Gives the folder back, where no recorder has it.
  func giveBack() { place.withLock { $0.take() }?.giveBack() }
}

extension RunReservation {
  fileprivate convenience init(_ request: RunRequest) throws {
    if request.past == nil { try self.init(new: request.folder) } else { try self.init(resuming: request.folder) }
  }
}
