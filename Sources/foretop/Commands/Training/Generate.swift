// foretop generate: text from a stored network.
import ArgumentParser
import Corpus
import Foundation
import Run
import RunFile
import Training
import Transformer

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generates text with a run's last checkpoint.",
    discussion: """
      The prompt is printed first, then the generated text, token by token. On a terminal, · replaces control characters \
      (escape sequences, direction marks); a pipe or a file gets the bytes unchanged. The rules of sampling are applied \
      in the order of transformers: repetition penalty, temperature, top-k, top-p, min-p. An interrupt ends the text \
      after the current token, with the exit status 130.

      --speculative writes the same tokens as --temperature 0, but faster: MTP's heads or TOP's ranking guess the tokens \
      after the next one, and one pass verifies all of them. Standard error gets the number of tokens per verification \
      and the speed-up over plain greedy decoding, which is measured afterwards.
      """)

  @OptionGroup var which: RunArgument

  @Option(value: "text", "The text to continue.")
  var prompt: String

  @Option(value: "n", "The number of tokens to generate.")
  var tokens = 100

  @OptionGroup var sampling: SamplingOptions

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("Ends a text before this string; can be repeated.", valueName: "text"))
  var stop: [String] = []

  @Option(
    value: "n",
    "Generates n texts in one batch, which is faster than one after the other. They are printed one after "
      + "the other, each below a line with its number.")
  var count = 1

  @OptionGroup var speculation: DraftOptions

  @OptionGroup var output: JSONOption

  @OptionGroup var place: PlaceOptions

  func validate() throws {
    guard (0...1_000_000).contains(tokens) else {
      throw ValidationError("--tokens must be from 0 to 1000000, and \(tokens) is not")
    }
    guard (1...256).contains(count) else {
      throw ValidationError("--count must be from 1 to 256, and \(count) is not")
    }
    guard !stop.contains("") else {
      throw ValidationError("--stop is empty: give at least one character, or leave it out")
    }
    if speculation.speculative != nil {
      guard sampling.isGreedy else {
        throw ValidationError(
          "--speculative writes the likeliest tokens: leave out --temperature (or give 0), --top-k, --top-p, --min-p and "
            + "--repetition-penalty")
      }
      guard count == 1 else { throw ValidationError("--speculative writes one text: leave out --count") }
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
    let plan = try speculation.plan(for: reader)
    let interrupt = Interrupt()
    // Tokens that are numbers are separated by spaces.
    let shown = tokenizer.kind == .tokens ? Array(tokenizer.text(of: start).utf8) : bytes
    var page = TextPage(
      prompt: shown, texts: count, stops: stop.map(\.fileNameBytes),
      form: output.json ? .json : count > 1 ? .numbered : .plain)
    try page.begin()
    var failure: (any Error)?
    func take(_ text: Int, _ token: Int32) -> Bool {
      do {
        try page.put(tokenizer.bytes(of: [token], continuing: true), of: text)
      } catch {
        failure = error
        return false
      }
      return !interrupt.came && !page.hasStopped(text)
    }
    var counted: SpeculationCount?
    if let plan {
      counted = try reader.write(after: start, tokens: tokens, speculating: plan) { take(0, $0) }
    } else {
      try reader.write(
        after: start, texts: count, tokens: tokens, rules: sampling.rules, seed: sampling.seed, each: take)
    }
    if let failure { throw failure }
    try page.end(isInterrupted: interrupt.came)
    if interrupt.came { throw Ended(status: UserError.Status.interrupted.rawValue) }
    if let plan, var counted {
      counted.plainSeconds = try reader.plainSeconds(after: start, tokens: page.tokens) { _ in !interrupt.came }
      if interrupt.came { throw Ended(status: UserError.Status.interrupted.rawValue) }
      Output.warn(counted.words(plan))
    }
  }
}
