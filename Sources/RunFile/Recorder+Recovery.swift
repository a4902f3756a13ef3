// A run that was killed, made whole without going on with it: for those who open it with other tools.
import Foundation
import Run

extension Recorder {
  /// Repairs what a crash left of a run, so that any HDF5 tool opens it. A run that ended well stays as it is.
  /// - Throws: `UserError` when a process writes the run, or nothing can be made of its files.
  package static func recover(_ folder: String) throws {
    guard Archive.isThere(folder) else { throw Archive.missing(folder) }
    let lock = try RunLock(folder: folder)
    try CheckpointFolder(folder).removeLeftovers()
    let (store, _) = try Recovery.resume(folder)
    try store.write()
    store.close()
    try Recovery.settle(folder, like: store)
    // The lock is held until here.
    _ = consume lock
  }
}
