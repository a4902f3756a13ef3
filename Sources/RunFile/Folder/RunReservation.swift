// A run's folder and its lock while the run is being set up: the name is taken, and others can find who has it.
import Foundation
import Run
import Synchronization

/// The place of a run that has not begun. It is kept until a recorder takes it over, or is given back; a new run's folder is removed
/// then.
package final class RunReservation: Sendable {
  /// `runs/NAME`.
  package let folder: String
  /// Whether the folder is this run's own, with nothing in it yet.
  private let isNew: Bool
  private let lock: Mutex<HeldLock>

  /// Takes the folder of a new run, which is made.
  /// - Throws: `UserError` when the name cannot be had, or the folder cannot be made.
  package init(new folder: String) throws {
    try RunName.check((folder as NSString).lastPathComponent)
    self.folder = folder
    isNew = true
    lock = Mutex(HeldLock(try UnstartedRun.lock(folder)))
  }

  /// Takes the folder of a run that goes on.
  /// - Throws: `UserError` when there is no such run, or another process writes it.
  package init(resuming folder: String) throws {
    guard StoredRun.isThere(folder) else { throw StoredRun.missing(folder) }
    self.folder = folder
    isNew = false
    lock = Mutex(HeldLock(try RunLock(folder: folder)))
  }

  deinit { giveBack() }

  /// The lock, for the recorder of the run: from now on the folder is the recorder's.
  /// - Throws: `UserError` when the place was given back before.
  func takeLock() throws -> RunLock {
    guard let lock = lock.withLock({ $0.take() }) else {
      throw UserError(.unavailable, "the place of \(folder) was released: the run does not begin")
    }
    return lock
  }

  /// Gives the place back. Nothing happens where a recorder has it.
  package func giveBack() {
    let held = lock.withLock { $0.take() }
    guard held != nil, isNew else { return }
    UnstartedRun.clear(folder)
  }
}

/// A lock, until it is taken out.
private struct HeldLock: ~Copyable {
  private var lock: RunLock?

  init(_ lock: consuming RunLock) { self.lock = consume lock }

  mutating func take() -> RunLock? { lock.take() }
}
