// foretop generate: text from a stored network.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile
import Training

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generates text with a run's last checkpoint.",
    discussion: """
      The prompt is printed first, then the generated text, token by token. On a terminal, · replaces control \
      characters (escape sequences, direction marks); a pipe or a file gets the bytes unchanged.
      """)

  @OptionGroup var which: RunArgument

  @Option(parsing: .unconditional, help: ArgumentHelp("The text to continue.", valueName: "text"))
  var prompt: String

  @Option(parsing: .unconditional, help: ArgumentHelp("The number of tokens to generate.", valueName: "n"))
  var tokens = 100

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Sampling temperature: 0 takes the likeliest token, 1 samples from the network's probabilities.", valueName: "x"))
  var temperature = 0.8

  @Option(parsing: .unconditional, help: ArgumentHelp("Seed of the sampling.", valueName: "n"))
  var seed: UInt64 = 1

  @OptionGroup var place: PlaceOptions

  func validate() throws {
    guard (0...1_000_000).contains(tokens) else {
      throw ValidationError("--tokens must be from 0 to 1000000, and \(tokens) is not")
    }
    guard temperature.isFinite, (0...100).contains(temperature) else {
      throw ValidationError("--temperature must be from 0 to 100, and \(temperature) is not")
    }
  }

  func run() throws {
    try Computation.prepare()
    let checkpoint = try RunLookup.checkpoint(which.name, in: place.folder)
    let tokenizer = try Tokenizer(checkpoint.tokenizer)
    // The prompt may have bytes that are not UTF-8.
    let bytes = prompt.fileNameBytes
    let start = tokenizer.tokens(of: bytes)
    if tokenizer.kind == .tokens, start.isEmpty || !tokenizer.takesAll(of: prompt) {
      throw UserError(
        .usage, "--prompt must be numbers of tokens, such as “17 4”, each below \(tokenizer.vocabulary), for this run")
    }
    guard !start.isEmpty else {
      throw UserError(.usage, "--prompt is empty: give at least one character to begin with")
    }
    let reader = try TrainedNetwork(checkpoint, threads: try place.threads(before: checkpoint.state.threads))
    try reader.requireText()
    // Tokens that are numbers are separated by spaces.
    var shown = HarmlessStream()
    try Self.put(tokenizer.kind == .tokens ? Array(tokenizer.text(of: start).utf8) : bytes, &shown)
    var failure: (any Error)?
    try reader.write(after: start, tokens: tokens, temperature: temperature, seed: seed) { token in
      do {
        try Self.put(tokenizer.bytes(of: [token], continuing: true), &shown)
        return true
      } catch {
        failure = error
        return false
      }
    }
    if let failure { throw failure }
    try Output.put(Array((shown.finish() + "\n").utf8))
  }

  /// Writes bytes unchanged to a pipe or a file. A terminal gets complete characters, and no control characters.
  private static func put(_ bytes: [UInt8], _ shown: inout HarmlessStream) throws {
    try Output.put(isTerminal ? Array(shown.take(bytes).utf8) : bytes)
  }

  private static let isTerminal = isatty(STDOUT_FILENO) == 1
}
