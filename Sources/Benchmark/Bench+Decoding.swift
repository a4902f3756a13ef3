// The speed of decoding, compared with the memory's limit: a token reads every weight of the trunk and of the unembedding once.
import Kernels
import Transformer

extension Bench {
  /// Length of the prompt, and of the text written after it, in tokens.
  static let decoded = (prompt: 64, tokens: 64)
  /// The number of texts written at a time, and of drafted tokens verified at a time.
  static let beside = 8

  /// Measures decoding with the network of “small” in every precision of the CPU.
  package func decoding() throws -> ReportTable {
    try decoding(Workload.smallNetworks, prompt: Self.decoded.prompt, tokens: Self.decoded.tokens, rounds: rounds)
  }

  func decoding(
    _ networks: [(Precision, Configuration)], prompt: Int, tokens: Int, rounds: Int
  ) throws -> ReportTable {
    try Team.require(threads)
    var table = ReportTable(
      name: "decoding",
      about: [
        "\(tokens) tokens written by the network of “small” after a prompt of \(prompt), with \(threads) threads; medians of \(rounds) rounds in turn",
        "limit: the weights that a token reads, at the GB/s of reading as many bytes again and again, measured in the same rounds",
        "beside: \(Self.beside) texts at a time, tokens/s of all; alone is one text; ms of a pass of 1 and of 4 tokens that have the same bits",
      ],
      columns: [
        .column("precision", "in"), .column("megabytes", "MB a token", 1), .column("gigabytes", "GB/s", 1),
        .column("limitTokensPerSecond", "limit, tokens/s"), .column("tokensPerSecond", "tokens/s"),
        .column("share", "share %"), .column("spread", "± %", 1), .column("besideTokensPerSecond", "beside, tokens/s"),
        .column("passMilliseconds", "pass of 1, ms", 2), .column("verifyingMilliseconds", "pass of 4, ms", 2),
      ])
    for (precision, configuration) in networks {
      progress("decoding: \(precision)")
      let model = try Transformer(
        NetworkPlan(configuration, rows: 1, precision: precision, threads: threads, isTrained: false))
      model.parameters.initialize(seed: 1, deviation: 0.02, threads: threads)
      let start = Workload.tokens(prompt, below: configuration.vocabulary)
      let bytes = Self.bytesOfToken(configuration, precision)
      let yardstick = try Storage(bytes: bytes)
      // Memory that was never written is mapped to one page of zeros, which stays in the cache.
      yardstick.floats.update(repeating: 0, count: bytes / 4)
      var (reads, alone, beside, passes, verifying) = (Samples(), Samples(), Samples(), Samples(), Samples())
      for round in 0...rounds {
        var sum: Float = 0
        let reading = seconds {
          for _ in 0..<8 { sum += Peak.sum(yardstick.floats, count: bytes / 4, threads: threads) }
        }
        precondition(sum == 0, "all numbers are zero")
        let one = try Self.write(model, after: start, tokens: tokens, texts: 1)
        let many = try Self.write(model, after: start, tokens: tokens, texts: Self.beside)
        let single = try Self.pass(model, after: start, tokens: 1)
        let four = try Self.pass(model, after: start, tokens: 4)
        // The first round, which makes the products and touches the memory, does not count.
        guard round > 0 else { continue }
        reads.add(reading / 8)
        alone.add(one / Double(tokens))
        beside.add(many / Double(tokens * Self.beside))
        passes.add(single)
        verifying.add(four)
      }
      table.add(
        .text("\(precision)"), .number(Double(bytes) * 1e-6), .number(Double(bytes) / reads.median * 1e-9),
        .number(1 / reads.median), .number(1 / alone.median), .number(reads.median / alone.median * 100),
        .number(alone.spread * 100), .number(1 / beside.median), .number(passes.median * 1000),
        .number(verifying.median * 1000))
    }
    return table
  }

  /// The bytes of the weights that a token is multiplied with: those of the blocks and of the first head's unembedding.
  static func bytesOfToken(_ c: Configuration, _ precision: Precision) -> Int {
    let attention = c.width * (2 * c.queryWidth + 2 * c.keyWidth)
    let feedForward = c.width * (c.gateWidth + c.inner)
    return (c.blocks * (attention + feedForward) + c.vocabulary * c.width) * precision.bytes
  }

  /// The seconds of greedy decoding after a prompt; reading the prompt is not included.
  private static func write(
    _ model: Transformer, after prompt: [Int32], tokens count: Int, texts: Int
  ) throws -> Double {
    var decoder = try Decoder(model.configuration, texts: texts)
    try decoder.read(prompt, by: model)
    if texts > 1 { try decoder.copyFirst(of: model) }
    let all = Array(0..<texts)
    return try seconds {
      for _ in 0..<count {
        let next = decoder.logits(of: model, texts: all).map(\.largest)
        try decoder.read(all.map { ($0, next[$0]) }, by: model)
      }
    }
  }

  /// The mean seconds of a pass over `count` tokens, as in verification: each token's logits have the bits of a pass over that
  /// token alone. Mean of eight passes.
  private static func pass(
    _ model: Transformer, after prompt: [Int32], tokens count: Int
  ) throws -> Double {
    var decoder = try Decoder(model.configuration)
    try decoder.read(prompt, by: model)
    let tokens = Array(prompt.prefix(count))
    return try seconds {
      for _ in 0..<8 {
        _ = try decoder.logits(reading: tokens, alone: true, by: model)
        decoder.forget(last: count)
      }
    } / 8
  }
}
