// Finds runs and checkpoints by name, for the commands that read them.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile

enum RunLookup {
  /// Opens a run.
  /// - Throws: `UserError` that names the nearest run if there is none of this name.
  static func archive(_ name: String, in place: FolderOptions) throws -> StoredRun {
    try opened(name, in: place, \.self) { try StoredRun(opening: $0) }
  }

  /// Opens a run, and reads what a screen begins with.
  /// - Throws: `UserError` like `archive`.
  static func toFollow(_ name: String, in place: FolderOptions) throws -> StoredRun.FollowedReading {
    try opened(name, in: place, \.run) { try StoredRun.toFollow($0) }
  }

  private static func opened<Result>(
    _ name: String, in place: FolderOptions, _ run: KeyPath<Result, StoredRun>, by opening: (String) throws -> Result
  ) throws -> Result {
    let folder = try folder(name, in: place)
    do {
      let result = try opening(folder)
      let strangers = result[keyPath: run].strangers
      if !strangers.isEmpty {
        say([
          "foretop did not write \(strangers.joined(separator: ", ")) in \(RunFolder(folder).file), and does not read it"
        ])
      }
      return result
    } catch let error as UserError where error.status == .data || error.status == .inputOutput {
      let files = RunFolder(folder)
      let checkpoints = (try? FileManager.default.contentsOfDirectory(atPath: files.checkpoints)) ?? []
      let isReadable = access(files.file, R_OK) == 0
      guard isReadable, checkpoints.contains(where: { RunFolder.step(ofCheckpoint: $0) != nil }) else { throw error }
      throw UserError(
        error.status,
        "\(error.message); put the file back from a copy, or let “foretop recover \(name) --from-checkpoint” begin "
          + "a new run.h5 at the newest of \(files.checkpoints), without the metrics and events of the old one"
      )
    }
  }

  /// A run's newest undamaged checkpoint, or that of a step, for commands that need only the checkpoint. A damaged or missing
  /// run.h5 is reported on standard error.
  static func checkpoint(_ name: String, in place: FolderOptions, step: Int? = nil) throws -> Checkpoint {
    let folder = try folder(name, in: place)
    let archive: StoredRun
    do {
      archive = try StoredRun(opening: folder)
    } catch let error as UserError where [.data, .inputOutput, .noInput].contains(error.status) {
      guard let (checkpoint, warnings) = try? StoredRun.checkpoint(in: folder, step: step) else { throw error }
      let problem = StoredRun.isThere(folder) ? error.message : "\(RunFolder(folder).file) is missing"
      say([problem + "; the checkpoint of step \(checkpoint.state.step) is used without it"] + warnings)
      return checkpoint
    }
    return try checkpoint(of: archive, step: step)
  }

  /// A run's newest undamaged checkpoint, or the chosen one.
  static func checkpoint(_ name: String, in place: FolderOptions, step choice: CheckpointChoice?) throws -> Checkpoint {
    try checkpoint(name, in: place, step: choice.map { try $0.step(in: folder(name, in: place)) })
  }

  private static func say(_ warnings: [String]) {
    for warning in warnings { Output.warn(warning.harmlessLine) }
  }

  /// The name of the run that changed last.
  /// - Throws: `UserError` where there is no run.
  static func newest(in place: FolderOptions) throws -> String {
    guard let run = try StoredRun.folders(in: place.runs).max(by: { $0.changed ?? 0 < $1.changed ?? 0 }) else {
      throw UserError(.noInput, "there are no runs in \(place.runs) yet: “foretop train” begins one")
    }
    return run.name
  }

  /// True if there is a run of this name, which may be damaged.
  static func has(_ name: String, in place: FolderOptions) -> Bool {
    FileManager.default.fileExists(atPath: "\(place.runs)/\(name)")
  }

  /// The folder of a run, which may be damaged.
  /// - Throws: `UserError` that names the nearest run where there is none of this name.
  static func folder(_ name: String, in place: FolderOptions) throws -> String {
    let address = RunAddress(name: name, runs: place.runs)
    // Of `EXPERIMENT/RUN` both are names.
    if address.runs != place.runs { try RunName.checkFolder(String(name.prefix { $0 != "/" })) }
    try RunName.checkFolder(address.name)
    let folder = address.folder
    var status = stat()
    if stat(folder, &status) != 0, lstat(folder, &status) == 0 {
      throw UserError(
        .noInput, "\(folder) is a link to a folder that is not there: put the folder back, or remove the link")
    }
    guard status.st_mode & S_IFMT == S_IFDIR || !FileManager.default.fileExists(atPath: folder) else {
      throw UserError(.noInput, "\(folder) is a file, but a run is a folder: choose another name or another --runs")
    }
    guard FileManager.default.fileExists(atPath: folder) else {
      if stat(folder, &status) != 0, errno != ENOENT, errno != ENOTDIR {
        throw UserError(.inputOutput, "\(folder) cannot be examined: \(String(cString: strerror(errno)))")
      }
      let names = ((try? FileManager.default.contentsOfDirectory(atPath: address.runs)) ?? []).filter {
        !$0.hasPrefix(".")
      }
      let meant =
        names.nearest(to: address.name).map { "; did you mean \($0)?" }
        ?? ": “\(RunAddress.listing(address.runs))” lists all runs"
      throw UserError(.noInput, "there is no run \(address.name.quotation) in \(address.runs)\(meant)")
    }
    return folder
  }

  /// A run's newest undamaged checkpoint, or that of a step. Checkpoints that were skipped are reported on standard error.
  static func checkpoint(of archive: StoredRun, step: Int? = nil) throws -> Checkpoint {
    let (checkpoint, warnings) = try archive.checkpoint(step: step)
    say(warnings)
    return checkpoint
  }
}

/// A checkpoint as a user names it: by its step, by the name that “save as” gave it, `best` or `last`.
enum CheckpointChoice: ExpressibleByArgument, Equatable {
  case step(Int)
  case name(String)
  case best, last

  init?(argument: String) {
    if argument == "best" {
      self = .best
    } else if argument == "last" {
      self = .last
    } else if let step = Int(argument) {
      self = .step(step)
    } else if let name = try? CommandText.checkedName(argument) {
      self = .name(name)
    } else {
      return nil
    }
  }

  /// Its step.
  /// - Parameter folder: the run's.
  /// - Throws: `UserError` where the run has no such checkpoint.
  func step(in folder: String) throws -> Int {
    switch self {
    case .step(let step): step
    case .name(let name): try StoredRun.step(ofCheckpoint: name, in: folder)
    case .best: try StoredRun.bestStep(in: folder)
    case .last: try StoredRun.checkpoint(in: folder).checkpoint.state.step
    }
  }
}
