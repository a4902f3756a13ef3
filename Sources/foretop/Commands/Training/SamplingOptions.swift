// Options of sampling, with the ranges that they have.
import ArgumentParser
import Training

/// How the next token is chosen.
struct SamplingOptions: ParsableArguments {
  @Option(
    value: "x",
    "Sampling temperature: 0 takes the likeliest token, 1 samples from the network's probabilities. "
      + "Default: 0.8; 0 with --speculative.")
  var temperature: Double?

  @Option(value: "k", "Samples only from the k likeliest tokens; 0: all.")
  var topK = 0

  @Option(value: "p", "Samples only from the likeliest tokens, as many as have the probability p together; 1: all.")
  var topP = 1.0

  @Option(value: "p", "Samples only from tokens with at least p times the probability of the likeliest token; 0: all.")
  var minP = 0.0

  @Option(
    value: "x",
    "Divides the positive logits of tokens in the text by x, and multiplies the negative ones by x; 1: "
      + "off.")
  var repetitionPenalty = 1.0

  @Option(value: "n", "Seed of the sampling.")
  var seed: UInt64 = 1

  func validate() throws {
    func require(_ isGood: Bool, _ option: String, _ range: String, _ value: some CustomStringConvertible) throws {
      guard isGood else { throw ValidationError("\(option) must be \(range), and \(value) is not") }
    }
    if let temperature {
      try require((0...100).contains(temperature), "--temperature", "from 0 to 100", temperature)
    }
    try require(topK >= 0, "--top-k", "0 or more", topK)
    try require(topP > 0 && topP <= 1, "--top-p", "above 0 and at most 1", topP)
    try require((0...1).contains(minP), "--min-p", "from 0 to 1", minP)
    try require(
      (0.01...100).contains(repetitionPenalty), "--repetition-penalty", "from 0.01 to 100", repetitionPenalty)
  }

  /// Whether nothing else is asked for than the likeliest token.
  var isGreedy: Bool { (temperature ?? 0) == 0 && topK == 0 && topP == 1 && minP == 0 && repetitionPenalty == 1 }

  var rules: SamplingRules {
    var rules = SamplingRules(temperature: temperature ?? 0.8)
    rules.topK = topK
    rules.topP = topP
    rules.minP = minP
    rules.repetitionPenalty = repetitionPenalty
    return rules
  }
}
