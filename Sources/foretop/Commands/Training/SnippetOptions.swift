// foretop eval --speculative: speculative decoding over snippets of a text, beside plain greedy decoding.
import ArgumentParser
import Corpus
import Dashboard
import Foundation
import Run
import TerminalUI
import Training

struct SnippetOptions: ParsableArguments {
  @OptionGroup var drafts: DraftOptions

  @Option(value: "n", "Number of evenly spread snippets of the text that --speculative continues.")
  var snippets: Int?

  @Option(value: "n", "Number of tokens to add to each snippet. Default: half of the context, at most 64.")
  var tokens: Int?

  func validate() throws {
    if drafts.speculative == nil, snippets != nil || tokens != nil {
      throw ValidationError("--snippets and --tokens belong to --speculative: give --speculative mtp or top")
    }
    if let snippets, !(1...1_000_000).contains(snippets) {
      throw ValidationError("--snippets must be from 1 to 1000000, and \(snippets) is not")
    }
    if let tokens, !(2...1_000_000).contains(tokens) {
      throw ValidationError("--tokens must be from 2 to 1000000, and \(tokens) is not")
    }
  }

  var isAsked: Bool { drafts.speculative != nil }

  private static let usual = 100

  /// Measures and prints.
  func measure(
    on text: TokenRange, by network: TrainedNetwork, of checkpoint: Checkpoint, name: String, json: Bool
  ) throws {
    guard let plan = try drafts.plan(for: network) else { return }
    let context = checkpoint.recipe.model.context
    let (length, count) = (max(1, min(64, context / 2)), tokens ?? max(2, min(64, context / 2)))
    let most = text.count - length
    guard most > 0 else {
      throw UserError(
        .data, "the text has \(text.count) tokens, and a snippet \(length): give a longer text with --data")
    }
    let wanted = min(snippets ?? Self.usual, most)
    var total = SpeculationCount()
    for index in 0..<wanted {
      let start = index * most / wanted
      let one = try network.compare(
        after: try text.tokens(start..<start + length), tokens: count, speculating: plan, published: true)
      total.add(one)
    }
    guard total.equalTexts == total.texts else {
      throw UserError(
        .unavailable,
        "\(total.texts - total.equalTexts) of \(total.texts) texts differ from greedy decoding: this is a fault of the program"
      )
    }
    guard !json else { return print(total.json(plan, step: checkpoint.state.step).line) }
    print(
      "\(name) at step \(Figure.grouped(checkpoint.state.step))  \(total.words(plan))\n"
        + "the published way of counting, which does not compare the first guess: "
        + "\(Figure.fixed(total.publishedPerVerification, 2)) tokens\n"
        + "the same text as greedy decoding: \(total.equalTexts) of \(total.texts) snippets of \(length) tokens, each "
        + "continued by \(count)")
  }
}

extension SpeculationCount {
  fileprivate func json(_ plan: SpeculationPlan, step: Int) -> JSON {
    .object([
      JSON.Member("step", .integer(step)),
      JSON.Member("speculative", .text(plan.source == .multiToken ? "mtp" : "top")),
      JSON.Member("draft", .integer(plan.draft)), JSON.Member("snippets", .integer(texts)),
      JSON.Member("sameText", .integer(equalTexts)), JSON.Member("verifications", .integer(verifications)),
      JSON.Member("tokens", .integer(tokens)), JSON.Member("tokensPerVerification", .double(tokensPerVerification)),
      JSON.Member("drafted", .integer(drafted)), JSON.Member("accepted", .integer(accepted)),
      JSON.Member("publishedTokensPerVerification", .double(publishedPerVerification)),
      JSON.Member("seconds", .double(seconds)), JSON.Member("greedySeconds", .double(plainSeconds)),
      JSON.Member("speedUp", .double(speedUp)),
    ])
  }
}
