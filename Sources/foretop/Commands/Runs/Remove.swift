// foretop rm and foretop prune: remove runs or old checkpoints, after a question.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Remove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm", abstract: "Removes runs, after asking.",
    discussion: """
      Only files that foretop wrote in the run's folder are removed; others stay. A live run is never removed. Without \
      a terminal, --yes is required.
      """)

  @OptionGroup var which: RunsArgument

  @OptionGroup var consent: ConsentOptions
  @OptionGroup var place: FolderOptions

  func run() throws {
    // All names are looked up before anything is removed.
    let folders = try which.names.map { (name: $0, folder: try RunLookup.folder($0, in: place)) }
    for (name, folder) in folders {
      let removal = try Removal(ofRun: folder)
      let checkpoints = "\(removal.steps.count) \(removal.steps.count == 1 ? "checkpoint" : "checkpoints")"
      let size = Figure.bytes(Double(removal.bytes))
      if let remark = removal.remark { Output.warn("run “\(name)”: \(remark)".harmlessLine) }
      guard try consent.agrees("Remove run “\(name)” for good: \(checkpoints), \(size)?") else {
        print("run “\(name)” stays")
        continue
      }
      print(try removal.carryOut(name: name, folder: folder))
    }
  }
}

extension Removal {
  /// Removes a run.
  /// - Returns: the sentence for the user.
  consuming func carryOut(name: String, folder: String) throws -> String {
    let size = Figure.bytes(Double(bytes))
    let strangers = try carryOut()
    let rest =
      strangers.isEmpty
      ? ""
      : "; its folder \(folder) stays, and its name with it, since foretop did not write \(strangers.joined(separator: ", "))"
    return "run “\(name)” is removed: \(size)\(rest)".harmlessLine
  }
}

struct Prune: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Removes old checkpoints of a run, after asking.",
    discussion: """
      These checkpoints are kept: the newest undamaged ones (--keep), the one with the lowest held-out loss, those at \
      multiples of save.keepEvery steps, and without --saved those that were saved by hand. Metrics and events are kept, \
      too. A live run removes old checkpoints itself, as save.keep in its recipe says. Without a terminal, --yes is \
      required.
      """)

  @OptionGroup var which: RunArgument

  @Option(value: "n", "The number of newest checkpoints to keep, besides the best.")
  var keep = 1

  @Flag(help: "Removes checkpoints that were saved by hand, too.")
  var saved = false

  @OptionGroup var consent: ConsentOptions
  @OptionGroup var place: FolderOptions

  func validate() throws {
    guard (1...1_000_000).contains(keep) else {
      throw ValidationError("--keep must be from 1 to 1000000, and \(keep) is not")
    }
  }

  func run() throws {
    let removal = try Removal(ofCheckpoints: RunLookup.folder(which.name, in: place), keeping: keep, takesKept: saved)
    for warning in removal.warnings { Output.warn(warning.harmlessLine) }
    let kept = removal.kept.map(String.init).joined(separator: ", ")
    let isOne = removal.kept.count == 1
    let stay =
      kept.isEmpty
      ? "no checkpoint stays" : isOne ? "the checkpoint of step \(kept) stays" : "the checkpoints of steps \(kept) stay"
    guard removal.count > 0 else {
      print("run “\(which.name)” has nothing to prune: \(stay)")
      return
    }
    let gone =
      removal.steps.isEmpty ? "files of killed writers" : removal.steps.map(String.init).joined(separator: ", ")
    let size = Figure.bytes(Double(removal.bytes))
    if let remark = removal.remark { Output.warn("run “\(which.name)”: \(remark)".harmlessLine) }
    guard try consent.agrees("Remove checkpoints of run “\(which.name)”: \(gone), \(size)? Then \(stay).")
    else {
      print("all checkpoints of run “\(which.name)” stay")
      return
    }
    _ = try removal.carryOut()
    print("removed \(size); \(stay)")
  }
}
