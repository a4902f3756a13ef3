// Removes files that foretop wrote in a run's folder: the whole run, or old checkpoints. Other files stay, and no link
// is followed.
import Foundation
import Run

/// Files of a run that can be removed. The run's lock is held as long as this value exists, so that no writer begins.
package struct Removal: ~Copyable {
  /// The files in order of removal: run.h5 comes last, so that an interrupted removal leaves a run that can be removed.
  private let files: [String]
  private let folders: [String]
  private let lock: RunLock
  /// The number of files.
  package var count: Int { files.count }
  /// The bytes that the files take on the disk.
  package let bytes: Int
  /// A remark if the files claim far more bytes than are on the disk.
  package let remark: String?
  /// Steps of the checkpoints to remove.
  package let steps: [Int]
  /// Steps of the checkpoints that are kept.
  package let kept: [Int]
  /// A sentence for each damaged checkpoint, which does not count towards those that are kept.
  package let warnings: [String]

  /// All of a run.
  /// - Throws: `UserError` when a process writes the run, or the folder is not a run.
  package init(ofRun folder: String) throws {
    let lock = try Self.locked(folder)
    let checkpoints = RunFolder(folder).checkpoints
    let inner =
      try Self.isFolder(checkpoints) ? FileSystem.names(in: checkpoints).filter(RunFolder.isOwnCheckpoint) : []
    let last = [RunFolder.fileName, RunFolder.lockName]
    let own = try FileSystem.names(in: folder).filter { RunFolder.isOwn($0) && !last.contains($0) } + last
    let steps = try CheckpointFolder(folder).list().map(\.step)
    files = inner.map { "\(checkpoints)/\($0)" } + own.map { "\(folder)/\($0)" }
    folders = [checkpoints, folder]
    (bytes, remark) = Self.sizes(files)
    self.steps = steps
    kept = []
    warnings = []
    self.lock = lock
  }

  /// Old checkpoints of a run, and leftovers of killed writers. The newest undamaged checkpoints, the best one, and
  /// those at multiples of `save.keepEvery` are kept.
  /// - Parameters:
  ///   - count: the number of newest checkpoints to keep, at least 1.
  ///   - takesKept: true if checkpoints that were saved by hand are removed, too.
  /// - Throws: `UserError` when a process writes the run.
  package init(ofCheckpoints folder: String, keeping count: Int, takesKept: Bool = false) throws {
    precondition(count >= 1, "the newest checkpoint always stays")
    let checkpoints = CheckpointFolder(folder)
    let every = Self.keptEvery(folder, checkpoints)
    let lock = try Self.locked(folder)
    var kept: [Int] = []
    var candidates: [Int] = []
    var warnings: [String] = []
    for step in try checkpoints.list().map(\.step).reversed() {
      guard kept.count < count else {
        candidates.append(step)
        continue
      }
      do {
        _ = try CheckpointFile.Trailer(verifying: checkpoints.path(of: step))
        // Spoilt weights take the place of no sound ones.
        if checkpoints.isSpoilt(step) == true { candidates.append(step) } else { kept.append(step) }
      } catch let error as UserError {
        // It stays for whoever wants to look at it; it does not count.
        warnings.append(error.message)
      }
    }
    // Where all are spoilt, the newest is what there is.
    if kept.isEmpty, let newest = candidates.first { kept.append(newest) }
    if let best = (kept + candidates).first(where: { checkpoints.isBest($0) == true }), !kept.contains(best) {
      kept.append(best)
    }
    kept += candidates.filter { checkpoints.keptName(of: $0) != nil && !takesKept && !kept.contains($0) }
    kept += candidates.filter { every > 0 && $0 % every == 0 && !kept.contains($0) }
    for step in candidates where !kept.contains(step) && checkpoints.isBest(step) == nil {
      warnings.append("\(checkpoints.path(of: step)) stays: it cannot be read, and may be the best")
      kept.append(step)
    }
    let steps = candidates.filter { !kept.contains($0) }
    let left = try FileSystem.names(in: checkpoints.path).filter {
      RunFolder.isReplaced($0) || RunFolder.isOwnUnfinishedCheckpoint($0)
    }
    let marks = steps.filter { checkpoints.keptName(of: $0) != nil }.map(RunFolder.keptMark)
    files = steps.reversed().map(checkpoints.path) + (left + marks).map { "\(checkpoints.path)/\($0)" }
    folders = []
    // As checkpoints are listed: a file system may have reserved more for them.
    (bytes, remark) = Self.sizes(files, isAsListed: true)
    self.steps = steps.sorted()
    self.kept = kept.sorted()
    self.warnings = warnings
    self.lock = lock
  }

  /// The recipe's `save.keepEvery`: from the newest session, or, if run.h5 cannot be read, from the newest checkpoint.
  private static func keptEvery(_ folder: String, _ checkpoints: CheckpointFolder) -> Int {
    if let archive = try? StoredRun(opening: folder) { return archive.recipe.save.keepEvery }
    let steps = (try? checkpoints.list().map(\.step)) ?? []
    for step in steps.reversed() {
      let contents = try? CheckpointFile.CheckpointContents(of: File(opening: checkpoints.path(of: step), .still))
      if let contents { return contents.recipe.save.keepEvery }
    }
    return 0
  }

  /// Removes the files.
  /// - Returns: names of files that foretop did not write, because of which the folder stays.
  package consuming func carryOut() throws -> [String] {
    for file in files { try FileSystem.remove(file) }
    var strangers: [String] = []
    for folder in folders where rmdir(folder) != 0 && errno != ENOENT {
      guard errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR else { throw Failure("remove", folder).error }
      strangers = (try? FileSystem.names(in: folder)) ?? []
    }
    return strangers
  }

  // MARK: What is foretop's

  private static func locked(_ folder: String) throws -> RunLock {
    guard try isFolder(folder) else {
      throw UserError(.usage, "\(folder) is a link, or not a folder: remove it by hand")
    }
    let marks = [RunFolder.fileName, RunFolder.journalName, RunFolder.lockName, RunFolder.checkpointsName]
    guard RunFolder(folder).has(anyOf: marks) else {
      throw UserError(.usage, "\(folder) stays: it has no run.h5, and is not a run")
    }
    return try RunLock(folder: folder)
  }

  private static func isFolder(_ path: String) throws -> Bool {
    var status = stat()
    return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  private static func sizes(_ files: [String], isAsListed: Bool = false) -> (bytes: Int, remark: String?) {
    let sizes = files.map(StoredSize.onDisk)
    let stored = sizes.reduce(0) { $0 + (isAsListed ? min($1.stored, $1.claimed) : $1.stored) }
    return (stored, StoredSize.remark(stored: stored, claimed: sizes.reduce(0) { $0 + $1.claimed }))
  }
}
