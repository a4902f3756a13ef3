// Lists the runs of a directory without reading them: even ten thousand are listed at once, and each is read only when
// it is shown.
import Foundation
import Run

/// A run's folder, with its version on the disk.
package struct RunFolderEntry: Sendable, Equatable {
  package let name: String
  /// Sizes and times of the files, which change when the run changes.
  package let version: RunVersion
  /// When run.h5 was last changed, Unix time in seconds; nil if there is no run.h5.
  package var changed: Double? { version.modified > 0 ? Double(version.modified) / 1e9 : nil }
}

/// The version of a run's files on the disk: while it is equal, the run has not changed.
package struct RunVersion: Sendable, Hashable {
  /// Time of change of run.h5, Unix time in nanoseconds; 0 if there is no such file.
  var modified = 0
  /// The same of the journal.
  var journalModified = 0
  /// Total size of both files in bytes.
  var size = 0
  /// True if a process writes the run.
  package var isLive = false
}

extension StoredRun {
  /// All folders of a directory that may be runs, in no particular order. Only lock files are opened.
  /// - Throws: `UserError` when the directory cannot be listed. A directory that does not exist has no runs.
  package static func folders(in directory: String) throws -> [RunFolderEntry] {
    try FileSystem.names(in: directory).compactMap { name in
      guard !name.hasPrefix("."), !name.hasForeignBytes else { return nil }
      return entry(name, in: directory)
    }
  }

  /// A run's folder as it is now; nil if there is none.
  package static func entry(_ name: String, in directory: String) -> RunFolderEntry? {
    let folder = RunFolder("\(directory)/\(name)")
    func look(_ path: String) -> (modified: Int, size: Int)? {
      var status = stat()
      guard stat(path, &status) == 0 else { return nil }
      return (status.st_mtim.tv_sec &* 1_000_000_000 &+ status.st_mtim.tv_nsec, Int(status.st_size))
    }
    let file = look(folder.file)
    let journal = look(folder.journal)
    // A folder without numbers is listed where a run began in it, as the list of runs does.
    guard file != nil || folder.has(anyOf: [RunFolder.lockName, RunFolder.checkpointsName]) else {
      return nil
    }
    let version = RunVersion(
      modified: file?.modified ?? 0, journalModified: journal?.modified ?? 0,
      size: (file?.size ?? 0) + (journal?.size ?? 0),
      isLive: (journal != nil || file == nil) && RunLock.isHeld(folder: folder.path))
    return RunFolderEntry(name: name, version: version)
  }

  /// The summaries of some runs, in this order.
  package static func summaries(of names: [String], in directory: String) -> [RunSummary] {
    let folders = names.map { "\(directory)/\($0)" }
    do {
      return try summaries(of: zip(names, folders).map { ($0, $1) })
    } catch {
      // No process that reads them: each says so.
      return names.map { name in
        var summary = RunSummary(name: name)
        summary.error = "\(error)"
        return summary
      }
    }
  }
}
