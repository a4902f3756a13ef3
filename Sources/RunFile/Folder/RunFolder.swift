// The one place where the names of a run's files are spelled.
import Foundation

/// The folder of a run, `runs/NAME`: the name and the path of everything that foretop writes in it.
package struct RunFolder: Sendable {
  static let fileName = "run.h5"
  static let journalName = "run.journal"
  static let lockName = "run.lock"
  static let notesName = "notes.jsonl"
  /// The name of the control socket.
  package static let socketName = "control.sock"
  static let checkpointsName = "checkpoints"
  /// In a folder that is being made a branch, until its run.h5 has its name.
  static let branchingName = "branch.new"
  /// Lines of a run that trains in the background.
  private static let logName = "log"
  private static let oldLogName = "log.old"

  /// `runs/NAME`, as the user gave it.
  package let path: String

  package init(_ path: String) { self.path = path }

  /// Metrics, events, samples and sessions: HDF5.
  package var file: String { path(of: Self.fileName) }
  /// The journal: rows and events that run.h5 may not have yet.
  var journal: String { path(of: Self.journalName) }
  /// The lock file, which the process that writes the run holds.
  var lock: String { path(of: Self.lockName) }
  /// Notes and tags that wait until the file can be written.
  var notes: String { path(of: Self.notesName) }
  /// Says that the folder is being made a branch: what is in it is the parent's too.
  var branching: String { path(of: Self.branchingName) }
  /// What steers a live run: a socket.
  package var socket: String { path(of: Self.socketName) }
  /// The lines of a run that trains in the background, and the ones before these.
  package var log: String { path(of: Self.logName) }
  package var oldLog: String { path(of: Self.oldLogName) }
  /// The folder of checkpoints.
  package var checkpoints: String { path(of: Self.checkpointsName) }
  /// Backup of run.h5 from when the journal began.
  var before: String { file + ".before" }
  /// The copy that replaces run.h5 when the copy is complete.
  var copy: String { Self.copy(of: file) }

  private func path(of name: String) -> String { path + "/" + name }

  /// True if the folder has one of the files that make it a run.
  func has(anyOf names: [String]) -> Bool { names.contains { FileSystem.exists(path(of: $0)) } }

  // MARK: Names before and after

  private static let newEnd = ".new"
  private static let copyEnd = ".copy"
  private static let replacedEnd = ".replaced"
  private static let damagedEnd = ".damaged"

  /// The temporary name of a file until it is complete.
  package static func unfinished(_ path: String) -> String { path + newEnd }

  /// The final name of a file with a temporary name.
  static func finished(_ path: String) -> String { path.hasSuffix(newEnd) ? String(path.dropLast(newEnd.count)) : path }

  static func copy(of path: String) -> String { path + copyEnd }

  /// The names under which damaged files are kept for a later rescue; the first free one is used.
  /// - Parameter number: from 1 on.
  static func damaged(_ path: String, _ number: Int) -> String {
    path + damagedEnd + (number == 1 ? "" : "-\(number)")
  }

  /// True if a name is that of an unfinished file.
  static func isUnfinished(_ name: String) -> Bool { name.hasSuffix(newEnd) || name.hasSuffix(copyEnd) }

  /// The paths of files that a killed writer may have left unfinished, except checkpoints.
  var unfinished: [String] {
    [Self.unfinished(file), copy] + [copy, before, journal].map(Self.unfinished) + [branching]
  }

  /// The files in the folder before run.h5 has its name; there is also the empty folder of checkpoints.
  static let namesBeforeStart = [
    unfinished(fileName), journalName, unfinished(journalName), lockName, socketName, unfinished(socketName),
  ]

  /// True if foretop makes a file of this name in the folder; false for the lock, which is removed last.
  static func isOwn(_ name: String) -> Bool {
    let folder = RunFolder("")
    let kept = [folder.file, folder.journal, folder.before]
    let path = folder.path(of: name)
    return
      (kept + folder.unfinished + [folder.notes, folder.log, folder.oldLog]
      + [socketName, unfinished(socketName)].map(folder.path)).contains(
        path)
      || kept.contains { path.hasPrefix(damaged($0, 1)) }
  }

  // MARK: Checkpoints

  private static let checkpointEnd = ".h5"
  /// The fewest digits of a step in a file name.
  private static let digits = 9

  /// `000001000.h5`.
  static func checkpoint(of step: Int) -> String {
    let text = String(step)
    return String(repeating: "0", count: max(0, digits - text.count)) + text + checkpointEnd
  }

  /// `checkpoints/000001000.h5`, for messages.
  static func checkpointPath(of step: Int) -> String { checkpointsName + "/" + checkpoint(of: step) }

  /// The step of a checkpoint with this name; nil if this is not a checkpoint's name.
  package static func step(ofCheckpoint name: String) -> Int? {
    guard name.hasSuffix(checkpointEnd), let step = Int(name.dropLast(checkpointEnd.count)), step >= 0,
      checkpoint(of: step) == name
    else { return nil }
    return step
  }

  /// `.000001000.h5.new`: the temporary name of a checkpoint until it is verified.
  static func unfinishedCheckpoint(of step: Int) -> String { "." + unfinished(checkpoint(of: step)) }

  /// True if a name begins and ends like a temporary name of a checkpoint.
  static func isUnfinishedCheckpoint(_ name: String) -> Bool { name.hasPrefix(".") && name.hasSuffix(newEnd) }

  /// `000001000.h5.replaced`: a checkpoint of a replaced history.
  static func replaced(_ checkpoint: String) -> String { checkpoint + replacedEnd }

  static func isReplaced(_ name: String) -> Bool { name.hasSuffix(replacedEnd) }

  private static let keptEnd = ".kept"

  /// `000001000.kept`: says that the checkpoint stays, and its name.
  static func keptMark(of step: Int) -> String { checkpoint(of: step).dropLast(checkpointEnd.count) + keptEnd }

  /// Whether a name is that of such a mark, finished or not.
  private static func isKeptMark(_ name: String) -> Bool {
    let number = finished(name).dropLast(keptEnd.count)
    return finished(name).hasSuffix(keptEnd) && number.count >= digits && number.allSatisfy(\.isNumber)
  }

  /// True if foretop makes a file of this name in the folder of checkpoints.
  static func isOwnCheckpoint(_ name: String) -> Bool {
    if isOwnUnfinishedCheckpoint(name) || isKeptMark(name) { return true }
    let plain = name.hasSuffix(replacedEnd) ? String(name.dropLast(replacedEnd.count)) : name
    let number = plain.dropLast(checkpointEnd.count)
    return plain.hasSuffix(checkpointEnd) && number.count >= digits && number.allSatisfy(\.isNumber)
  }

  /// True if a name is `unfinishedCheckpoint` of some step.
  static func isOwnUnfinishedCheckpoint(_ name: String) -> Bool {
    let end = unfinished(checkpointEnd)
    return name.hasPrefix(".") && name.hasSuffix(end) && name.dropFirst().dropLast(end.count).allSatisfy(\.isNumber)
  }
}
