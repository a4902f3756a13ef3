// A run's folder before the run has begun: how a process makes it, and what a process that is killed meanwhile leaves.
// Such leftovers have no data, and the name stays free.
import Foundation
import Run

enum UnstartedRun {
  /// True if a folder has only leftovers of a process that ended before its run began: no step, no event, no
  /// checkpoint, and no other files.
  static func isLeft(in folder: String) -> Bool {
    var status = stat()
    guard lstat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
      let names = try? FileSystem.names(in: folder),
      names.allSatisfy({
        (RunFolder.namesBeforeStart + [RunFolder.checkpointsName, RunFolder.branchingName]).contains($0)
      }),
      let inner = try? FileSystem.names(in: RunFolder(folder).checkpoints)
    else { return false }
    // The checkpoint of a branch in the making is its parent's.
    guard inner.isEmpty || names.contains(RunFolder.branchingName) && inner.allSatisfy(RunFolder.isOwnCheckpoint) else {
      return false
    }
    let journal = RunFolder(folder).journal
    guard names.contains(RunFolder.journalName) else { return true }
    guard let reader = try? JournalReader(journal) else { return false }
    do {
      while let entry = try reader.next() {
        switch entry {
        case .run, .row(Journal.Number.beginnings, _), .record(Journal.Number.sessions, _): continue
        case .row, .record: return false
        }
      }
      return try !reader.isFollowed()
    } catch { return false }
  }

  /// Makes a run's folder, or takes over a leftover one, and locks it. The folder is empty then except for the lock.
  /// - Throws: `UserError` when the folder holds anything else, cannot be made, or another process begins this run.
  static func lock(_ folder: String) throws -> RunLock {
    let isNew = !FileSystem.exists(folder)
    guard isNew || isLeft(in: folder) else { throw taken(folder) }
    if isNew {
      try FileSystem.createAll(folder.parentFolder)
      try FileSystem.create(folder)
    }
    do {
      let lock = try RunLock(folder: folder)
      if !isNew {
        // Somebody may have begun the run before the lock was there to be had.
        guard isLeft(in: folder) else { throw taken(folder) }
        empty(folder)
      }
      return lock
    } catch {
      // Whoever has the lock may have begun.
      if isNew, (error as? UserError)?.status != .unavailable {
        unlink(RunFolder(folder).lock)
        rmdir(folder)
      }
      throw error
    }
  }

  private static func taken(_ folder: String) -> UserError {
    let name = (folder as NSString).lastPathComponent
    return UserError(
      .cannotCreate,
      "\(folder) exists already: choose another name with --name, or go on with “foretop resume \(name)”")
  }

  /// Removes the folder of a run that could not begin, so that the next try succeeds. The caller holds the lock.
  static func clear(_ folder: String) {
    unlink(RunFolder(folder).file)
    empty(folder)
    unlink(RunFolder(folder).lock)
    rmdir(folder)
  }

  /// Removes all files except the lock.
  private static func empty(_ folder: String) {
    for name in RunFolder.namesBeforeStart where name != RunFolder.lockName { unlink(folder + "/" + name) }
    let files = RunFolder(folder)
    if FileSystem.exists(files.branching) {
      for name in (try? FileSystem.names(in: files.checkpoints)) ?? [] where RunFolder.isOwnCheckpoint(name) {
        unlink(files.checkpoints + "/" + name)
      }
    }
    rmdir(files.checkpoints)
    // Last: it says that the others are nothing of the run's own.
    unlink(files.branching)
  }
}
