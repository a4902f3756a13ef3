// `measure`: which diagnostics a run's evaluations measure, and how much text they read.

extension Recipe {
  /// Diagnostics, all off by default. Losses and weights are the same to the bit with and without them.
  package struct MeasureSettings: Codable, Sendable, Equatable {
    /// Training tokens that a measurement reads, in windows spread evenly; 0: as many as the evaluation reads.
    package var tokens = 0
    /// Neural collapse: how often a next token must come in the tokens read to be a class. A class seen once has no variance.
    package var least = 2
    /// How many evaluations make a measurement of each diagnostic due; nil where all are off, so that a recipe is coded without them.
    private var intervals: [String: Int]?

    package init() {}

    /// At every how many evaluations a diagnostic is measured, by its name; 0: never.
    package subscript(every name: String) -> Int {
      get { intervals[orZero: name] }
      set { intervals[orZero: name] = newValue }
    }
  }

  /// The keys of `measure`.
  static let measureFields: [Field] =
    DiagnosticKind.all.map { kind in
      integer(
        "measure.\(kind.name)", \.measure[every: kind.name], 0...1_000_000,
        "\(kind.about), at every n-th evaluation and the last; 0: never")
    } + [
      integer(
        "measure.tokens", \.measure.tokens, 0...1_000_000_000_000,
        "training tokens that a measurement reads, spread evenly; 0: as many as the evaluation"),
      integer(
        "measure.least", \.measure.least, 1...1_000_000_000,
        "neural collapse: least number of occurrences of a next token that counts as a class"),
    ]

  /// The diagnostics that an evaluation at a step measures. An evaluation that somebody asks for between two regular ones
  /// measures all that the recipe names.
  package func dueDiagnostics(at step: Int) -> [DiagnosticKind] {
    guard evaluate.every > 0, step % evaluate.every == 0, step != steps else { return diagnostics }
    return diagnostics.filter { step / evaluate.every % measure[every: $0.name] == 0 }
  }
}
