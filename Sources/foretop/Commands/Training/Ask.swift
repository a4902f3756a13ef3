// foretop ask: what the heads of a stored network expect after a text.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile
import Training

struct Ask: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Says which tokens a run's checkpoint expects after a text.",
    discussion: """
      NTP's likeliest next tokens with their probabilities, the likeliest token of each MTP head, and TOP's first choices \
      among the tokens that come soon. The network reads as many of the last tokens as its context holds. “foretop tell \
      NAME ask TEXT” asks a run that another process trains.
      """)

  @Argument(help: ArgumentHelp("The run's name.", valueName: "name"))
  var name: String

  @Argument(help: ArgumentHelp("The text.", valueName: "text"))
  var text: String

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The checkpoint's step or name; without it, the last one.", valueName: "step"))
  var step: CheckpointChoice?

  @Flag(help: "Prints the answer as a JSON object.")
  var json = false

  @OptionGroup var place: PlaceOptions

  func run() throws {
    try Computation.prepare()
    let checkpoint = try RunLookup.checkpoint(name, in: place.folder, step: step)
    let tokenizer = try Tokenizer(checkpoint.tokenizer)
    let tokens = try tokenizer.tokens(ofQuestion: text)
    let network = try TrainedNetwork(checkpoint, threads: try place.threads(before: checkpoint.state.threads), rows: 1)
    let expectation = try network.expectation(after: tokens, by: tokenizer)
    guard !json else {
      print(JSON.object([JSON.Member("step", .integer(checkpoint.state.step))] + (expectation.json.members ?? [])).line)
      return
    }
    print(expectation.line.replacing(" · ", with: "\n"))
  }
}
