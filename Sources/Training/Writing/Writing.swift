// Writes texts with a network, token by token.
import Foundation
import Kernels
import Run
import Transformer

extension Transformer {
  /// Generates text after a prompt.
  /// - Parameters:
  ///   - prompt: the tokens to continue, of which only as many of the last as the context holds are used; an empty
  ///     prompt begins with token 0.
  ///   - each: receives every token; generation stops when it returns false.
  func write(
    after prompt: [Int32], tokens count: Int, sampling: Sampling, each: (Int32) -> Bool
  ) throws {
    try write(after: prompt, tokens: count, samplings: [sampling]) { _, token in each(token) }
  }

  /// Generates several texts after one prompt side by side: a pass computes one token of each, so that the weights are read
  /// once for all of them. Each text is the same as alone, to the token.
  /// - Parameters:
  ///   - samplings: one per text.
  ///   - each: receives every token with the number of its text; a text ends when it returns false.
  func write(
    after prompt: [Int32], tokens count: Int, samplings: [Sampling], each: (_ text: Int, _ token: Int32) -> Bool
  ) throws {
    guard count > 0, !samplings.isEmpty else { return }
    var decoder = try Decoder(configuration, texts: samplings.count)
    try decoder.read(beginning(prompt), by: self)
    if samplings.count > 1 { try decoder.copyFirst(of: self) }
    var seen = samplings.map { $0.rules.repetitionPenalty == 1 ? [] : Set(prompt) }
    var open = Array(samplings.indices)
    for index in 0..<count {
      let logits = decoder.logits(of: self, texts: open)
      var next: [(text: Int, token: Int32)] = []
      for (text, logits) in zip(open, logits) {
        let sampling = samplings[text]
        let token = sampling.token(from: logits, index: index, seen: seen[text])
        if sampling.rules.repetitionPenalty != 1 { seen[text].insert(token) }
        if each(text, token) { next.append((text, token)) }
      }
      open = next.map(\.text)
      guard !open.isEmpty else { return }
      if index + 1 < count { try decoder.read(next, by: self) }
    }
  }

  /// The tokens of a prompt that are read; an empty prompt becomes token 0.
  func beginning(_ prompt: [Int32]) -> [Int32] {
    prompt.isEmpty ? [0] : Array(prompt.suffix(configuration.context))
  }
}

extension TrainedNetwork {
  /// - Throws: `UserError` when the network has no NTP head and cannot generate text.
  package func requireText() throws {
    guard recipe.heads.first == .ntp else {
      throw UserError(.usage, "this network was trained without NTP (objective.ntp is 0): it cannot write text")
    }
  }

  /// Generates text after a prompt.
  /// - Parameters:
  ///   - temperature: sampling temperature; 0 always takes the likeliest token.
  ///   - each: receives every token; generation stops when it returns false.
  /// - Throws: `UserError` when the network has no NTP head.
  package func write(
    after prompt: [Int32], tokens: Int, temperature: Double, seed: UInt64, each: (Int32) -> Bool
  ) throws {
    try write(
      after: prompt, texts: 1, tokens: tokens, rules: SamplingRules(temperature: temperature), seed: seed
    ) { _, token in each(token) }
  }

  /// Generates several texts after one prompt.
  /// - Parameters:
  ///   - texts: the number of texts. No text depends on this number or on other texts.
  ///   - each: receives every token with the number of its text, from 0; a text ends when it returns false.
  /// - Throws: `UserError` when the network has no NTP head.
  package func write(
    after prompt: [Int32], texts: Int, tokens: Int, rules: SamplingRules, seed: UInt64,
    each: (_ text: Int, _ token: Int32) -> Bool
  ) throws {
    try requireText()
    let random = RandomStream(seed: seed, purpose: "text")
    try model.write(
      after: prompt, tokens: tokens,
      samplings: (0..<texts).map { Sampling(rules: rules, random: $0 == 0 ? random : random.branch(UInt64($0))) },
      each: each)
  }
}
