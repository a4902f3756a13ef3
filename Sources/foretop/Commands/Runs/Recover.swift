// foretop recover: a run that was killed, closed by hand.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Recover: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Repairs what a crash left of a run, without going on with it.",
    discussion: """
      After it, any HDF5 tool opens run.h5. “foretop resume” does the same by itself, and foretop's other commands read a \
      run that was killed as it is.
      """)

  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String

  @Flag(
    name: .customLong("from-checkpoint"),
    help: "Makes a new run.h5 from the newest checkpoint; what the damaged one recorded is set aside.")
  var isFromCheckpoint = false

  @OptionGroup var place: FolderOptions

  func run() throws {
    let folder = try StoredRun.folder(name, in: place)
    if isFromCheckpoint {
      let (step, aside, notes) = try Recorder.rebuild(folder)
      let words = aside.isEmpty ? "" : "; what was recorded before is kept in \(aside.joined(separator: ", "))"
      let kept = notes == 0 ? "" : "; \(notes) of its notes and tags \(notes == 1 ? "is" : "are") in it"
      print(
        "run “\(name)” has a new run.h5, which begins at the checkpoint of step \(Figure.grouped(step))\(kept)\(words): "
          + "“foretop resume” goes on from there")
      return
    }
    if try Archive.isClosed(folder), !Archive.hasWaitingNotes(folder) {
      // It may have been damaged since.
      _ = try StoredRun.archive(name, in: place)
      print(
        "run “\(name)” was closed as it should be: there is nothing to recover; “foretop verify \(name)” says whether it is whole"
      )
      return
    }
    try Recorder.recover(folder)
    let summary = try Archive(opening: folder).summary()
    print("run “\(name)” is recovered up to step \(Figure.grouped(summary.step)): any HDF5 tool opens \(folder)/run.h5")
  }
}
