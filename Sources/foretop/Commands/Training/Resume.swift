// foretop resume: a run goes on from its last checkpoint.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile
import Session
import Training

struct Resume: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Continues a run from its last checkpoint.",
    discussion: """
      Steps that were taken after the checkpoint are computed again and compared with the stored ones. Recipe keys that \
      define the network, its tokens or its data cannot change. Keys that can: steps, schedule, optimizer, batch, the \
      weights of losses, and how often the run is saved, evaluated and sampled. A weight given with --set has the \
      same effect as one typed after the key w. After a change of the batch, training continues at the next unseen \
      row, and the schedule still counts steps.

      \(Signals.help)
      """)

  @OptionGroup var which: RunArgument

  @OptionGroup var changes: RecipeOptions

  @Option(parsing: .unconditional, help: .hidden)
  var seed: String?

  @OptionGroup var place: PlaceOptions
  @OptionGroup var showing: SessionOptions

  @Option(
    value: "n|best",
    "Continues from the checkpoint of a step, or the best one, instead of the last. If later steps are "
      + "stored, this makes a branch: a new run.")
  var step: String?

  func run() throws { try RankStart.computing { ranks in try run(with: ranks) } }

  private func run(with ranks: Ranks?) throws {
    let (screen, front) = try showing.begin(besides: ranks)
    let folder = try RunLookup.folder(which.name, in: place.folder)
    let target = try step.map { try BackTarget(typed: $0) }
    let request: RunRequest
    do {
      var place = place
      let name: String
      (name, place.folder) = place.folder.located(which.name)
      let continuation = Continuation(
        name: name, changes: changes, seed: seed, place: place, screen: screen, ranks: ranks)
      request = try continuation.request(from: target)
    } catch let error as UserError
      where ![.usage, .unavailable].contains(error.status) && StoredRun.isBeingWritten(folder)
    {
      // The other process may just have removed the file that was to be read.
      throw UserError(
        .unavailable,
        "run “\(which.name)” is being trained by another process: stop that process first (\(error.message))")
    }
    throw Ended(status: try showing.follow(request, on: screen, front))
  }
}
