// foretop snapshot: copies a run's numbers into a plain HDF5 file.
import ArgumentParser
import Foundation
import Run
import RunFile
import TerminalUI

struct Snapshot: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Copies a run's run.h5, live or stored, into a plain HDF5 file.",
    discussion: """
      The copy has every row that the run has at this moment. HDF5 1.8 and later can open the copy for reading and \
      writing. A live run is not interrupted.
      """)

  @OptionGroup var which: RunArgument

  @Argument(help: ArgumentHelp("The file to write.", valueName: "out.h5"))
  var file: String

  @Flag(help: "Replaces an existing file.")
  var force = false

  @OptionGroup var place: FolderOptions

  func run() throws {
    let archive = try RunLookup.archive(which.name, in: place)
    let steps = try archive.snapshot(to: file, isReplacing: force)
    let rest = archive.strangers.isEmpty ? "" : "; objects that foretop did not write are left out"
    print("\(file): run “\(which.name)” with \(Figure.grouped(steps)) \(steps == 1 ? "step" : "steps")\(rest)")
  }
}
