// foretop branch: a run of its own that goes on from an earlier checkpoint of another one.
import ArgumentParser
import Foundation
import Run
import RunFile

struct BranchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "branch",
    abstract: "Begins a run that continues a checkpoint of another run.",
    discussion: """
      The branch is called NAME~2, NAME~3 and so on. Its folder has the parent's rows up to the checkpoint, the \
      checkpoint itself (a hard link where the disk allows it) and everything that comes after it; run.h5 says in its \
      attributes parent and parentStep where it is from. The parent is not changed, may be trained by another process \
      meanwhile, and may be removed: the branch is complete by itself.

      Without a change, the branch's losses are the parent's, to the bit. Changes of rate, weights and settings that \
      the parent made after the checkpoint are not made again. The keys that can change are those of “foretop resume”.

      \(Signals.help)
      """)

  @Argument(help: ArgumentHelp("The parent's name.", valueName: "name"))
  var name: String

  @Option(value: "n|best|last", "The step or the name of a checkpoint, best, or last.")
  var step: String

  @Option(name: .customLong("name"), help: ArgumentHelp("The branch's name, instead of NAME~N.", valueName: "name"))
  var branch: String?

  @OptionGroup var changes: RecipeOptions
  @OptionGroup var place: PlaceOptions
  @OptionGroup var showing: SessionOptions

  func run() throws {
    try Computation.prepare()
    let (screen, front) = try showing.begin()
    let target = try BackTarget(typed: step)
    _ = try RunLookup.folder(name, in: place.folder)
    var place = place
    let parent: String
    (parent, place.folder) = place.folder.located(name)
    if let branch {
      try RunName.check(branch)
      guard RunName.isFree("\(place.runs)/\(branch)") else {
        throw UserError(
          .cannotCreate, "there is a run “\(branch)” already in \(place.runs): choose another --name, or leave it out")
      }
    }
    let continuation = Continuation(name: parent, changes: changes, seed: nil, place: place, screen: screen)
    let request = try continuation.branch(from: target, named: branch)
    throw Ended(status: try showing.follow(request, on: screen, front))
  }
}
