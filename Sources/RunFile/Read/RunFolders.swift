// The runs of a directory without reading them: a list of ten thousand is there at once, and each is read when it is looked at.
import Foundation
import Run

/// A run's folder, as it lies on the disk.
package struct RunFolderEntry: Sendable, Equatable {
  package let name: String
  /// What changes when the run does: sizes and times of its numbers.
  package let version: RunVersion
  /// When run.h5 was changed last, Unix time in seconds; nil where there is none.
  package var changed: Double? { version.modified > 0 ? Double(version.modified) / 1e9 : nil }
}

/// A run's numbers as they lie on the disk: as long as these are equal, the run is as it was read.
package struct RunVersion: Sendable, Hashable {
  /// Nanoseconds of Unix time, of run.h5 and its journal; 0 where there is no such file.
  var modified = 0
  var journalModified = 0
  /// Bytes of both.
  var size = 0
  /// Whether a process writes the run.
  package var isLive = false
}

extension StoredRun {
  /// All folders of a directory that may be runs, in no order. Nothing of them is opened but the lock of those that a process
  /// writes or was killed at.
  /// - Throws: `UserError` when the directory cannot be listed. One that does not exist has no runs.
  package static func folders(in directory: String) throws -> [RunFolderEntry] {
    try FileSystem.names(in: directory).compactMap { name in
      guard !name.hasPrefix("."), !name.hasForeignBytes else { return nil }
      return entry(name, in: directory)
    }
  }

  /// A run's folder as it is now; nil where there is none.
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

  /// The rows of some runs in the list, in this order.
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
