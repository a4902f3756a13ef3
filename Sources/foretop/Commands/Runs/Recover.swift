// foretop recover: repairs the files of a killed run.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Recover: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Repairs the files of a run after a crash, without continuing the run.",
    discussion: """
      Afterwards any HDF5 tool can open run.h5. “foretop resume” repairs the files by itself, and foretop's other \
      commands read a killed run without a repair.
      """)

  @OptionGroup var which: RunArgument

  @Flag(
    name: .customLong("from-checkpoint"),
    help: "Makes a new run.h5 from the newest checkpoint, and renames the damaged run.h5.")
  var isFromCheckpoint = false

  @OptionGroup var place: FolderOptions

  func run() throws {
    let folder = try RunLookup.folder(which.name, in: place)
    if isFromCheckpoint {
      let (step, aside, notes) = try Recorder.rebuild(folder)
      let words = aside.isEmpty ? "" : "; the old files are kept as \(aside.joined(separator: ", "))"
      let kept = notes == 0 ? "" : "; \(notes) of its notes and tags \(notes == 1 ? "is" : "are") in it"
      print(
        "run “\(which.name)” has a new run.h5, which begins at the checkpoint of step \(Figure.grouped(step))\(kept)\(words): "
          + "“foretop resume” goes on from there")
      return
    }
    if try StoredRun.isClosed(folder), !StoredRun.hasWaitingNotes(folder) {
      // Opening finds damage since then.
      _ = try RunLookup.archive(which.name, in: place)
      print(
        "run “\(which.name)” was closed properly: there is nothing to recover; “foretop verify \(which.name)” checks it for damage"
      )
      return
    }
    try Recorder.recover(folder)
    let summary = try StoredRun(opening: folder).summary()
    print(
      "run “\(which.name)” is recovered up to step \(Figure.grouped(summary.step)): any HDF5 tool opens \(RunFolder(folder).file)"
    )
  }
}
