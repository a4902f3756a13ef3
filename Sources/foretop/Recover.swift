// foretop recover: a killed run, made whole for other tools.
import ArgumentParser
import Run
import RunFile

struct Recover: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Repairs what a crash left of a run, without going on with it.",
    discussion: """
      The commands of foretop do this by themselves. After it, every HDF5 tool opens the run's file. A run that ended \
      well stays as it is.
      """)

  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String

  @OptionGroup var place: PlaceOptions

  func run() throws {
    let folder = try StoredRun.folder(name, in: place)
    try Recorder.recover(folder)
    print("\(folder)/run.h5 is whole")
  }
}
