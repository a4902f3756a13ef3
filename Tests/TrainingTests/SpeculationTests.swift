// Speculative decoding writes what greedy decoding writes, to the token.
import Kernels
import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct SpeculationTests {
  /// A network and how it guesses.
  struct Setting: Sendable, CustomTestStringConvertible {
    var kind: NetworkKind
    var source: Drafter.DraftHeads
    var mtp: Recipe.MultiTokenSettings.HeadArrangement = .parallel
    var draft: Int?
    var precision = Recipe.PrecisionChoice.fp32
    var threads = 1

    var testDescription: String { "\(kind) \(source) \(mtp) \(precision), \(threads) threads" }

    var recipe: Recipe {
      var recipe = Tiny.recipe
      recipe.model.kind = kind
      // Parallel heads take their blocks from the trunk.
      recipe.model.blocks = source == .multiToken && mtp == .parallel ? 5 : 2
      recipe.precision = precision
      recipe.steps = 200
      recipe.evaluate.every = 0
      recipe.sample.every = 0
      recipe.save.every = 0
      recipe.objective.top = source == .tokenOrder ? 1 : 0
      recipe.objective.mtp.heads = source == .multiToken ? 4 : 1
      recipe.objective.mtp.kind = mtp
      return recipe
    }

    static let fp32 = [
      Setting(kind: .llama, source: .tokenOrder), Setting(kind: .gpt2, source: .tokenOrder, draft: 7, threads: 2),
      Setting(kind: .llama, source: .multiToken, threads: 2), Setting(kind: .gpt2, source: .multiToken, draft: 2),
      Setting(kind: .llama, source: .multiToken, mtp: .sequential),
      Setting(kind: .gpt2, source: .multiToken, mtp: .sequential, threads: 2),
    ]
    static let bf16 = fp32.map { setting in
      var setting = setting
      setting.precision = .bf16
      return setting
    }
  }

  /// The letters of all prompts, as tokens.
  private static let letters = "the lookout sees a sail and calls down to deck".utf8.map { Int32($0) }

  /// Hundreds of prompts, of which some fill the context and some texts go past its end.
  private func check(_ setting: Setting, prompts: Int) throws {
    let checkpoint = try Tiny.train(setting.recipe, threads: setting.threads).checkpoint
    let network = try TrainedNetwork(checkpoint, threads: setting.threads)
    let plan = try network.speculation(setting.source, draft: setting.draft)
    var dice = Dice(for: "speculation \(setting)")
    var total = SpeculationCount()
    for _ in 0..<prompts {
      let start = Int.random(in: 0..<Self.letters.count, using: &dice)
      let length = Int.random(in: 1...20, using: &dice)
      let prompt = (0..<length).map { Self.letters[(start + $0) % Self.letters.count] }
      let tokens = Int.random(in: 1...30, using: &dice)
      let one = try network.compare(after: prompt, tokens: tokens, speculating: plan, published: true)
      #expect(one.equalTexts == 1, "after \(prompt), \(Trial.note)")
      total.add(one)
    }
    #expect(total.accepted <= total.drafted && total.tokens == total.verifications + total.accepted)
    #expect(total.publishedVerifications > 0 && total.published >= total.publishedVerifications)
    // The words of this corpus can be guessed: some guesses are right, and most of their ways are tried.
    #expect(total.accepted > 0, "\(total)")
  }

  @Test(arguments: Setting.fp32)
  func `it writes the greedy text`(setting: Setting) throws { try check(setting, prompts: 100) }

  @Test(.enabled(if: Machine.hasBF16, "this processor has no bf16"), arguments: Setting.bf16)
  func `in bf16 too`(setting: Setting) throws { try check(setting, prompts: 50) }

  @Test func `with MTP both ways of counting are the same, since the first guess is NTP's`() throws {
    let setting = Setting(kind: .llama, source: .multiToken)
    let network = try TrainedNetwork(Tiny.train(setting.recipe).checkpoint, threads: 1)
    let plan = try network.speculation(.multiToken, draft: nil)
    var accepted = 0
    for start in Self.letters.indices {
      // The context has room for one verification of all guesses after each of these.
      let prompt = Array(Self.letters[start...].prefix(1 + start % 8))
      var written = 0
      let stopped = try network.write(after: prompt, tokens: 14, speculating: plan, published: true) { _ in
        written += 1
        return written < 2
      }
      #expect(stopped.verifications == 1 && stopped.published == stopped.tokens, "after \(prompt): \(stopped)")
      accepted += stopped.accepted
    }
    #expect(accepted > 0)
  }

  @Test func `what a network cannot do is refused`() throws {
    let top = Setting(kind: .llama, source: .tokenOrder)
    let network = try TrainedNetwork(Tiny.train(top.recipe).checkpoint, threads: 1)
    #expect(throws: UserError.self) { try network.speculation(.multiToken, draft: nil) }
    #expect(throws: UserError.self) { try network.speculation(.tokenOrder, draft: 16) }
    #expect(throws: UserError.self) { try network.speculation(.tokenOrder, draft: 0) }
    #expect(try network.speculation(.tokenOrder, draft: 15).draft == 15)
    #expect(try network.speculation(.tokenOrder, draft: nil).draft == 3)
  }
}
