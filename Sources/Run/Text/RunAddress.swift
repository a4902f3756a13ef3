// Where a run is, and how one speaks of it in a shell.
import Foundation

/// A run's name in a folder of runs.
package struct RunAddress: Sendable, Equatable {
  package var name: String
  /// The folder of all runs, as the user gave it.
  package var runs: String

  /// - Parameter name: of the run; `EXPERIMENT/RUN` is a run in the folder `runs/EXPERIMENT`, in which all are of one experiment.
  package init(name: String, runs: String) {
    self.name = name
    self.runs = runs
    guard let slash = name.firstIndex(of: "/"), slash > name.startIndex else { return }
    self.runs = RunAddress(name: String(name[..<slash]), runs: runs).folder
    self.name = String(name[name.index(after: slash)...])
  }

  /// - Parameter before: where it was when its session began: a folder that is still there keeps the user's words.
  package init(folder: String, before: RunAddress) {
    self =
      folder == before.folder
      ? before : RunAddress(name: (folder as NSString).lastPathComponent, runs: folder.parentFolder)
  }

  /// The run's folder.
  package var folder: String { runs.hasSuffix("/") ? runs + name : "\(runs)/\(name)" }

  /// The shell command for this run, such as `foretop resume NAME`.
  package func command(_ verb: String) -> String {
    "foretop \(verb) \(Self.quoted(name))\(Self.option(runs))"
  }

  /// The shell command that lists the runs of a folder.
  package static func listing(_ runs: String) -> String {
    "foretop runs" + option(runs)
  }

  /// The option for a folder of runs, with a space before it; empty for the folder that commands take without it.
  package static func option(_ runs: String) -> String { runs == "runs" ? "" : " --runs \(quoted(runs))" }

  private static func quoted(_ word: String) -> String {
    // As bash and zsh read what nobody should see as it is.
    if word.unicodeScalars.contains(where: \.steersTerminals) {
      let words = word.unicodeScalars.map { scalar in
        scalar.steersTerminals
          ? scalar.escapedForYAML : "'\\".unicodeScalars.contains(scalar) ? "\\\(scalar)" : "\(scalar)"
      }
      return "$'\(words.joined())'"
    }
    let isPlain = !word.isEmpty && word.allSatisfy { $0.isLetter || $0.isNumber || "-_./+:@,".contains($0) }
    return isPlain ? word : "'" + word.replacing("'", with: #"'\''"#) + "'"
  }
}
