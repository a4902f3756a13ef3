// How many different tokens the likeliest continuations of held-out text have: text that repeats itself has few. Eight prompts of
// 32 tokens, spread evenly over the held-out part, are continued by 128 tokens each, always the likeliest one. The true
// continuations are counted beside them.
import Corpus
import Kernels
import Run
import Transformer

struct GreedyVariety: Diagnostic {
  static let texts = 8
  static let promptTokens = 32
  static let writtenTokens = 128

  static func cost(_ plan: RunPlan) -> DiagnosticCost {
    DiagnosticCost(once: Double(texts * (promptTokens + writtenTokens)) * plan.forwardOperationsPerToken)
  }

  private let heldOut: TokenRange
  private let prompt: Int
  /// Distinct tokens and distinct pairs, as shares, of what was written and of the text itself.
  private var written = (one: BinSum(), two: BinSum())
  private var text = (one: BinSum(), two: BinSum())

  init(_ setting: DiagnosticSetting) {
    heldOut = setting.heldOut
    prompt = min(Self.promptTokens, setting.recipe.model.context / 2)
  }

  mutating func add(_ batch: DiagnosticBatch) {}

  mutating func finish(_ part: DiagnosticPart, _ model: Transformer) throws {
    guard part == .heldOut, heldOut.count > prompt + 1 else { return }
    let length = min(Self.writtenTokens, heldOut.count - prompt)
    let room = heldOut.count - prompt - length
    for index in 0..<Self.texts {
      let start = room * index / (Self.texts - 1)
      let tokens = try heldOut.tokens(start..<start + prompt + length)
      var continuation: [Int32] = []
      try model.write(
        after: Array(tokens[..<prompt]), tokens: length,
        sampling: Sampling(temperature: 0, random: RandomStream(seed: 0, purpose: "greedy"))
      ) { token in
        continuation.append(token)
        return true
      }
      Self.count(continuation, into: &written)
      Self.count(Array(tokens[prompt...]), into: &text)
    }
  }

  /// Distinct tokens and pairs as shares of all.
  private static func count(_ tokens: [Int32], into sums: inout (one: BinSum, two: BinSum)) {
    let pairs = zip(tokens, tokens.dropFirst()).map { Int64($0) << 32 | Int64($1) }
    sums.one.add(Float(Set(tokens).count) / Float(tokens.count))
    if !pairs.isEmpty { sums.two.add(Float(Set(pairs).count) / Float(pairs.count)) }
  }

  func numbers() -> [(name: String, value: Double)] {
    [
      ("distinct-1", written.one.mean), ("distinct-2", written.two.mean), ("text-distinct-1", text.one.mean),
      ("text-distinct-2", text.two.mean),
    ]
  }
}
