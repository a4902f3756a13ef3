// A long session's journal begins anew now and then: run.h5 is copied as it is, beside the recorder, and what came meanwhile
// is what the new journal begins with. Until that has its name the old one has everything.
import Foundation
import Run

/// A copy of run.h5 that a thread of its own makes while nobody writes the file.
final class Rotation: @unchecked Sendable {
  // Unchecked: touched only while `condition` is locked.
  private var outcome: Result<Void, UserError>?
  private var isCancelled = false
  private let condition = NSCondition()

  /// Begins to copy. What libhdf5 has is with the kernel. Where no thread can be made for it, that is how it went.
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

  /// From what size on a journal begins anew: so large that copying costs little beside what was written, so small that
  /// it is read again in an instant.
  static func isDue(journal: Int, file: Int, least: Int) -> Bool { journal > max(least, file / 2) }

  private var cancelled: Bool {
    condition.lock()
    defer { condition.unlock() }
    return isCancelled
  }

  /// How it went; nil while it goes on.
  var result: Result<Void, UserError>? {
    condition.lock()
    defer { condition.unlock() }
    return outcome
  }

  /// Leaves off, and waits until nothing is copied any more.
  func cancel() {
    condition.lock()
    isCancelled = true
    while outcome == nil { condition.wait() }
    condition.unlock()
  }
}

extension Recorder {
  /// Whether run.h5 is being copied at this moment.
  var isRotating: Bool { rotation.map { $0.result == nil } ?? false }

  func beginRotationIfDue() {
    guard journal.size > rotatesFrom, !hasFailed, !isClosed,
      Rotation.isDue(journal: journal.size, file: HDF5.alone { Int(store.file.end) }, least: leastRotation)
    else { return }
    rotation = Rotation(of: folder)
  }

  /// Lets the new journal begin with what the copy does not have.
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
