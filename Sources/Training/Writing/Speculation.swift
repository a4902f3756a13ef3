// Self-speculative decoding: the heads beyond NTP guess what follows, and one pass of the trunk verifies all guesses. What is
// written is what greedy decoding writes, to the token: a position that is verified beside others comes to the bits that it
// comes to alone (Decoder, `alone`), so that ties and rounding fall as they do there.
//   Stern et al. 2018; "Predicting the Order of Upcoming Tokens", section 5.3 and table 4
import Foundation
import Run
import Transformer

/// The heads that guess, and the number of tokens to guess after the next one.
package struct SpeculationPlan: Sendable, Equatable {
  package var source: Drafter.DraftHeads
  package var draft: Int
}

/// The counts and times of speculative decoding; those of several texts can be added.
package struct SpeculationCount: Sendable, Equatable {
  /// The number of verifying passes, and of the tokens that they wrote: NTP's next token, and the guesses that agreed with NTP.
  package var verifications = 0
  package var tokens = 0
  /// The number of verified guesses, and of those that agreed.
  package var drafted = 0
  package var accepted = 0
  /// The published script's count: the guess for the next token, which is not compared with NTP's, then the following guesses
  /// as long as they agree with NTP's tokens after the guesses before them.
  package var publishedVerifications = 0
  package var published = 0
  /// Seconds of the generation without the prompt, and of plain greedy decoding of the same text.
  package var seconds = 0.0
  package var plainSeconds = 0.0
  /// The number of texts, and of those that were the same in both ways.
  package var texts = 0
  package var equalTexts = 0

  package init() {}

  /// Tokens per verification.
  package var tokensPerVerification: Double { Double(tokens) / Double(max(1, verifications)) }
  package var publishedPerVerification: Double { Double(published) / Double(max(1, publishedVerifications)) }
  /// The speed relative to plain greedy decoding.
  package var speedUp: Double { plainSeconds / max(seconds, 1e-9) }

  package mutating func add(_ other: SpeculationCount) {
    verifications += other.verifications
    tokens += other.tokens
    drafted += other.drafted
    accepted += other.accepted
    publishedVerifications += other.publishedVerifications
    published += other.published
    seconds += other.seconds
    plainSeconds += other.plainSeconds
    texts += other.texts
    equalTexts += other.equalTexts
  }
}

extension TrainedNetwork {
  /// A plan for this network.
  /// - Parameter draft: the number of guesses; nil means all MTP heads, or 3 of TOP's tokens, as many as MTP-4 guesses.
  /// - Throws: `UserError` if the network lacks these heads, or has fewer.
  package func speculation(_ source: Drafter.DraftHeads, draft: Int?) throws -> SpeculationPlan {
    try requireText()
    let most = Drafter.most(model.configuration, source)
    guard most > 0 else {
      throw UserError(
        .usage,
        source == .multiToken
          ? "--speculative mtp: this network has no MTP head for the token after the next: train it with objective.mtp.heads=4"
          : "--speculative top: this network has no TOP head: train it with objective.top=1")
    }
    let draft = draft ?? (source == .multiToken ? most : min(3, most))
    guard (1...most).contains(draft) else {
      throw UserError(.usage, "--draft must be from 1 to \(most) for this network, and \(draft) is not")
    }
    return SpeculationPlan(source: source, draft: draft)
  }

  /// Writes the greedy text after a prompt by speculative decoding.
  /// - Parameters:
  ///   - published: true adds the published count, whose passes are not timed.
  ///   - each: receives every token; generation stops when it returns false.
  package func write(
    after prompt: [Int32], tokens count: Int, speculating plan: SpeculationPlan, published: Bool = false,
    each: (Int32) -> Bool
  ) throws -> SpeculationCount {
    let context = model.configuration.context
    var result = SpeculationCount()
    guard count > 0 else { return result }
    var drafter = try Drafter(of: model, source: plan.source, count: plan.draft)
    var decoder = try drafter.decoder()
    try decoder.read(model.beginning(prompt), by: model)
    var next = decoder.logits(of: model).largest
    // The heads read the prompt too.
    var guess = try drafter.guess(after: decoder, next: next, of: model)
    var written = 1
    guard each(next) else { return result }
    var watch = Stopwatch()
    while written < count {
      let room = context - decoder.count
      if published, room > plan.draft {
        result.published += try publishedCount(drafter.published(from: guess, next: next), &decoder)
        result.publishedVerifications += 1
        _ = watch.lap()
      }
      guard room > 0 else {
        // With a full context the older half is forgotten, as in greedy decoding.
        try decoder.read(next, by: model)
        next = decoder.logits(of: model).largest
        guess = try drafter.guess(after: decoder, next: next, of: model)
        result.seconds += watch.lap()
        written += 1
        guard each(next) else { return result }
        continue
      }
      let drafts = drafter.drafts(from: guess, next: next).prefix(max(0, min(room - 1, count - written - 1)))
      let logits = try decoder.logits(reading: [next] + drafts, alone: true, by: model)
      var tokens: [Int32] = []
      for (index, draft) in drafts.enumerated() {
        guard logits[index].largest == draft else { break }
        tokens.append(draft)
      }
      decoder.forget(last: drafts.count - tokens.count)
      next = logits[tokens.count].largest
      result.drafted += drafts.count
      result.accepted += tokens.count
      tokens.append(next)
      result.verifications += 1
      result.tokens += tokens.count
      written += tokens.count
      if written < count { guess = try drafter.guess(after: decoder, next: next, of: model) }
      result.seconds += watch.lap()
      for token in tokens where !each(token) { return result }
    }
    return result
  }

  /// The number of a draft's tokens that the published script counts; the decoder is unchanged.
  private func publishedCount(_ draft: [Int32], _ decoder: inout Decoder) throws -> Int {
    let logits = try decoder.logits(reading: draft, alone: true, by: model)
    var count = 1
    while count < draft.count, logits[count - 1].largest == draft[count] { count += 1 }
    decoder.forget(last: draft.count)
    return count
  }

  /// Writes the greedy text after a prompt in both ways, and compares texts and times.
  /// - Throws: `UserError` when the network has no NTP head.
  package func compare(
    after prompt: [Int32], tokens count: Int, speculating plan: SpeculationPlan, published: Bool
  ) throws -> SpeculationCount {
    var (fast, plain): ([Int32], [Int32]) = ([], [])
    var result = try write(after: prompt, tokens: count, speculating: plan, published: published) {
      fast.append($0)
      return true
    }
    result.plainSeconds = try plainSeconds(after: prompt, tokens: count) {
      plain.append($0)
      return true
    }
    result.texts = 1
    result.equalTexts = fast == plain ? 1 : 0
    return result
  }

  /// Writes the greedy text after a prompt with one token per pass and a cache of keys and values.
  /// - Parameter each: receives every token; generation stops when it returns false.
  /// - Returns: the seconds without the prompt.
  package func plainSeconds(after prompt: [Int32], tokens count: Int, each: (Int32) -> Bool) throws -> Double {
    try requireText()
    var (watch, isFirst) = (Stopwatch(), true)
    try write(after: prompt, tokens: count, temperature: 0, seed: 1) { token in
      if isFirst { _ = watch.lap() }
      isFirst = false
      return each(token)
    }
    return watch.lap()
  }
}
