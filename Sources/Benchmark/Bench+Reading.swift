// The speed of prefill: reading a prompt in passes of many tokens, compared with one token at a time.
import Kernels
import Transformer

extension Bench {
  /// The prompt's length in tokens.
  static let prompt = 1000

  /// Measures prefill with the network of “small”, with a context as long as the prompt, in every precision of the CPU.
  package func reading() throws -> ReportTable {
    try reading(Workload.smallNetworks, prompt: Self.prompt, rounds: rounds)
  }

  /// - Parameters:
  ///   - networks: the networks, whose contexts are set to the prompt's length.
  func reading(_ networks: [(Precision, Configuration)], prompt count: Int, rounds: Int) throws -> ReportTable {
    var table = ReportTable(
      name: "reading",
      about: [
        "a prompt of \(count) tokens, read by the network of “small”: in pieces of \(Decoder.pieces.large), or one token at a time",
        "medians of \(rounds) rounds in turn; ± is half the interquartile range of the ratio",
      ],
      columns: [
        .column("precision", "in"), .column("tokens", "tokens"),
        .column("prefillTokensPerSecond", "at once, tokens/s"), .column("singleTokensPerSecond", "one at a time"),
        .column("prefillRatio", "ratio", 1), .column("spread", "± %", 1),
      ])
    for (precision, network) in networks {
      progress("reading: \(precision)")
      var configuration = network
      configuration.context = count
      let model = try Transformer(
        NetworkPlan(configuration, rows: 1, precision: precision, threads: threads, isTrained: false))
      model.parameters.initialize(seed: 1, deviation: 0.02, threads: threads)
      let tokens = Workload.tokens(count, below: configuration.vocabulary)
      var (many, single, ratios) = (Samples(), Samples(), Samples())
      for round in 0...rounds {
        let atOnce = try Self.time(model) { decoder throws in try decoder.read(tokens, by: model) }
        let oneByOne = try Self.time(model) { decoder throws in
          for token in tokens { try decoder.read(token, by: model) }
        }
        // The first round, which makes the products and touches the memory, does not count.
        guard round > 0 else { continue }
        many.add(atOnce)
        single.add(oneByOne)
        ratios.add(oneByOne / atOnce)
      }
      table.add(
        .text("\(precision)"), .number(Double(count)), .number(Double(count) / many.median),
        .number(Double(count) / single.median), .number(ratios.median), .number(ratios.spread * 100))
    }
    return table
  }

  /// The seconds in which a new decoder reads the prompt, including its own set-up.
  private static func time(
    _ model: Transformer, _ body: (inout Decoder) throws -> Void
  ) throws -> Double {
    let configuration = model.configuration
    return try seconds {
      var decoder = try Decoder(configuration)
      try body(&decoder)
    }
  }
}
