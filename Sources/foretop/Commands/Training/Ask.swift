// foretop ask: prints the tokens that the heads of a stored network expect after a text.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile
import Training

struct Ask: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Prints the tokens that a run's checkpoint predicts after a text.",
    discussion: """
      The answer has NTP's likeliest next tokens with their probabilities, the likeliest token of each MTP head, and the \
      first tokens of TOP's ranking. Of a long text, the network reads the last tokens that fit into its context. \
      “foretop tell NAME ask TEXT” asks a run that another process trains.
      """)

  @OptionGroup var which: RunArgument

  @Argument(help: ArgumentHelp("The text.", valueName: "text"))
  var text: String

  @OptionGroup var choice: CheckpointOption

  @OptionGroup var output: JSONOption

  @OptionGroup var place: PlaceOptions

  func run() throws {
    try Computation.prepare()
    let checkpoint = try RunLookup.checkpoint(which.name, in: place.folder, step: choice.step)
    let tokenizer = try Tokenizer(checkpoint.tokenizer)
    let tokens = try tokenizer.tokens(ofQuestion: text)
    let network = try TrainedNetwork(checkpoint, threads: try place.threads(before: checkpoint.state.threads), rows: 1)
    let expectation = try network.expectation(after: tokens, by: tokenizer)
    guard !output.json else {
      print(JSON.object([JSON.Member("step", .integer(checkpoint.state.step))] + (expectation.json.members ?? [])).line)
      return
    }
    print(expectation.line.replacing(" · ", with: "\n"))
  }
}
