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

  @OptionGroup var place: FolderOptions

  func run() throws {
    let folder = try StoredRun.folder(name, in: place)
    if try Archive.isClosed(folder) {
      print("run “\(name)” was closed as it should be: there is nothing to recover")
      return
    }
    try Recorder.recover(folder)
    let summary = try Archive(opening: folder).summary()
    print("run “\(name)” is recovered up to step \(Figure.grouped(summary.step)): any HDF5 tool opens \(folder)/run.h5")
  }
}
