// foretop branch: a run of its own that goes on from an earlier checkpoint of another one.
import ArgumentParser
import Foundation
import Run
import RunFile
import Training

struct BranchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "branch",
    abstract: "Begins a run that continues a checkpoint of another run.",
    discussion: """
      The branch is called NAME~2, NAME~3 and so on. Its folder has the parent's rows up to the checkpoint, the \
      checkpoint itself (a hard link where the disk allows it) and all later rows and checkpoints. The attributes parent \
      and parentStep of run.h5 name the parent and the step. The parent is not changed; another process may train or \
      remove it, since the branch is complete by itself.

      Without a change, the branch's losses are the parent's, to the bit. Changes of rate, weights and settings that \
      were made in the parent after the checkpoint are not repeated. The keys that can change are those of “foretop \
      resume”.

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

  func run() throws { try RankStart.computing { ranks in try run(with: ranks) } }

  private func run(with ranks: Ranks?) throws {
    let (screen, front) = try showing.begin(besides: ranks)
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
    let continuation = Continuation(
      name: parent, changes: changes, seed: nil, place: place, screen: screen, ranks: ranks)
    let request = try continuation.branch(from: target, named: branch)
    throw Ended(status: try showing.follow(request, on: screen, front))
  }
}
