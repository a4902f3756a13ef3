// A run that was killed, made whole without going on with it: for those who open it with other tools.
import Foundation
import Run

extension Archive {
  /// Whether the last session of a run closed its file: nothing is left to be recovered.
  package static func isClosed(_ folder: String) throws -> Bool {
    guard isThere(folder) else { throw missing(folder) }
    guard !RunLock.isHeld(folder: folder), Folder.exists(Recovery.file(folder)) else { return false }
    let path = Recovery.file(folder)
    let block = try FileDescriptor(opening: path, O_RDONLY).read(at: 0, count: Superblock.size)
    return try !Folder.exists(Recovery.journal(folder)) && !Superblock(block, path: path).isMarkedOpen
  }
}

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
