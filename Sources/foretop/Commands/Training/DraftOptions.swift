// Options of speculative decoding, and what is said of its result.
import ArgumentParser
import Foundation
import Run
import Training
import Transformer

/// Which heads guess, and how much.
struct DraftOptions: ParsableArguments {
  enum Guesser: String, ExpressibleByArgument, CaseIterable {
    case mtp, top
  }

  @Option(
    help: "Decodes speculatively: the MTP heads (mtp) or TOP's ranking (top) guess tokens, and one pass verifies them.")
  var speculative: Guesser?

  @Option(
    value: "k",
    "Number of tokens to guess per verification, after the next token. Default: all MTP heads, or 3 with "
      + "top.")
  var draft: Int?

  func validate() throws {
    if draft != nil, speculative == nil {
      throw ValidationError("--draft belongs to --speculative: give --speculative mtp or --speculative top")
    }
    if let draft, draft < 1 { throw ValidationError("--draft must be 1 or more, and \(draft) is not") }
  }

  /// Nil where nothing is asked for.
  /// - Throws: `UserError` where the network has not the heads, or not as many.
  func plan(for network: TrainedNetwork) throws -> SpeculationPlan? {
    guard let speculative else { return nil }
    return try network.speculation(speculative == .mtp ? .multiToken : .tokenOrder, draft: draft)
  }
}

extension SpeculationCount {
  /// `top, 3 guesses: 2.31 tokens a verification (120 tokens, 52 verifications); 410 ms, greedy 730 ms: 1.78 times as fast`.
  func words(_ plan: SpeculationPlan) -> String {
    let heads = plan.source == .multiToken ? "mtp" : "top"
    let guesses = plan.draft == 1 ? "1 guess" : "\(plan.draft) guesses"
    return "\(heads), \(guesses): \(Figure.fixed(tokensPerVerification, 2)) tokens a verification "
      + "(\(tokens) tokens, \(verifications) verifications); \(Figure.milliseconds(seconds)), plain greedy decoding "
      + "\(Figure.milliseconds(plainSeconds)): \(Figure.fixed(speedUp, 2)) times as fast"
  }
}
