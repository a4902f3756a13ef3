// A long session starts a new journal from time to time: another thread copies run.h5, and the new journal begins with
// the events since then. Until the new journal has its name, the old one has everything.
import Foundation
import Run

/// A copy of run.h5 that another thread makes while the file is not written.
final class Rotation: @unchecked Sendable {
  // Unchecked: touched only while `condition` is locked.
  private var outcome: Result<Void, UserError>?
  private var isCancelled = false
  private let condition = NSCondition()

  /// Starts the copy, after libhdf5 has handed everything to the kernel. If no thread can be made, the copy fails.
  init(of folder: String) {
    do throws(UserError) {
      _ = try WorkerThread("rotation") { [self] in
        let result = Result { try Recovery.keepCopy(folder, while: { [self] in !cancelled }) }
        settle(result.mapError { UserError($0, while: "copying \(RunFolder(folder).file)") })
      }
    } catch {
      settle(.failure(error))
    }
  }

  private func settle(_ result: Result<Void, UserError>) {
    condition.lock()
    outcome = result
    condition.broadcast()
    condition.unlock()
  }

  /// True if the journal is large enough for a rotation: so large that copying run.h5 is cheap compared with what was
  /// written, so small that it can be read quickly.
  static func isDue(journal: Int, file: Int, least: Int) -> Bool { journal > max(least, file / 2) }

  private var cancelled: Bool {
    condition.lock()
    defer { condition.unlock() }
    return isCancelled
  }

  /// The result of the copy; nil while it is being made.
  var result: Result<Void, UserError>? {
    condition.lock()
    defer { condition.unlock() }
    return outcome
  }

  /// Cancels the copy, and waits until the thread has stopped.
  func cancel() {
    condition.lock()
    isCancelled = true
    while outcome == nil { condition.wait() }
    condition.unlock()
  }
}

extension Recorder {
  /// True while run.h5 is being copied.
  var isRotating: Bool { rotation.map { $0.result == nil } ?? false }

  func beginRotationIfDue() {
    guard journal.size > rotatesFrom, !hasFailed, !isClosed,
      Rotation.isDue(journal: journal.size, file: HDF5.alone { Int(store.file.end) }, least: leastRotation)
    else { return }
    rotation = Rotation(of: folder)
  }

  /// Starts the new journal with the events that the copy does not have.
  /// - Returns: as `record`.
  func finishRotation(_ result: Result<Void, UserError>) -> Occurrence? {
    rotation = nil
    do {
      try result.get()
      let new = try Journal(creating: RunFolder(folder).journal, of: created, with: store.entries)
      store.attach(new)
      journal = new
      try FileSystem.sync(folder)
      return nil
    } catch {
      // It is tried again when as much again has come.
      rotatesFrom = journal.size * 2
      let warning = notice(.warning, "\(error); run.journal goes on growing until a copy of run.h5 can be made")
      keep(warning)
      return warning
    }
  }
}
