// Output files for the user: each appears when it is complete, and replaces an existing file only if asked to.
import Foundation
import Run

/// Writes output files atomically: a file appears under its name only when it is complete.
package enum AtomicFile {
  /// Writes a file under a temporary name, waits until it is on the disk, and renames it.
  /// - Parameters:
  ///   - isReplacing: whether an existing file may be replaced.
  ///   - body: writes a new file at the path `aside`.
  /// - Throws: `UserError` when the file exists already or cannot be written; no temporary file is left then.
  package static func write(_ path: String, isReplacing: Bool, _ body: (_ aside: String) throws -> Void) throws {
    guard !path.isEmpty, !path.hasSuffix("/") else {
      throw UserError(.usage, "“\(path)” cannot be the name of a file: give one, such as \(path)out")
    }
    let folder = path.parentFolder.isEmpty ? "." : path.parentFolder
    try requireOutsideOfRuns(folder)
    try requireFree(path, isReplacing: isReplacing)
    try TemporaryFile.writing(beside: path) { aside in
      try body(aside)
      try FileDescriptor(opening: aside, O_RDWR).sync()
      try requireFree(path, isReplacing: isReplacing)
      try FileSystem.rename(aside, path)
    }
    try FileSystem.sync(folder)
  }

  /// Writes a file piece by piece.
  /// - Parameter body: passes the pieces on, in order.
  package static func writePieces(
    _ path: String, isReplacing: Bool, _ body: (_ take: (UnsafeRawBufferPointer) throws -> Void) throws -> Void
  ) throws {
    try write(path, isReplacing: isReplacing) { aside in
      let file = try FileDescriptor(opening: aside, O_RDWR | O_CREAT | O_EXCL, mode: 0o644)
      var end = 0
      try body { bytes in
        try file.write(bytes, at: end)
        end += bytes.count
      }
    }
  }

  /// Makes a folder for files that belong together, if it does not exist.
  /// - Throws: `UserError` when the folder has files that may not be replaced.
  package static func prepareFolder(_ path: String, isReplacing: Bool) throws {
    guard !path.isEmpty else { throw UserError(.usage, "the name of a folder is empty: give one") }
    try requireOutsideOfRuns(path)
    try FileSystem.createAll(path)
    let names = try FileSystem.names(in: path)
    guard isReplacing || names.isEmpty else {
      throw UserError(.cannotCreate, "\(path) is not empty (\(names[0])): give another folder, or --force")
    }
  }

  /// Refuses a folder of a run: output files there could replace the run's files.
  private static func requireOutsideOfRuns(_ folder: String) throws {
    let place = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
    for path in [place, place.parentFolder] {
      // A copy of run.h5 elsewhere makes no run.
      let run = RunFolder(path)
      let isRun =
        FileSystem.exists(run.lock) || FileSystem.exists(run.file) && FileSystem.exists(run.checkpoints)
      guard isRun else { continue }
      throw UserError(
        .usage, "\(folder) lies in the folder of a run, where foretop keeps its files: choose another folder")
    }
  }

  private static func requireFree(_ path: String, isReplacing: Bool) throws {
    var status = stat()
    guard stat(path, &status) == 0 else { return }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw UserError(.cannotCreate, "\(path) is not a file: give the name of one")
    }
    guard isReplacing else {
      throw UserError(.cannotCreate, "\(path) exists already: give another name, or --force to replace it")
    }
  }
}
