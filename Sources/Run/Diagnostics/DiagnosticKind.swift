// The table of diagnostics, a row each. Recipe keys, columns of files, JSON, charts, comparisons and the documentation are made
// from it: another diagnostic is one more row here, and one more file in Training/Diagnostics with its line in the list there.

/// A kind of diagnostic: a row of the table.
package struct DiagnosticKind: Sendable {
  /// The name in the recipe (`measure.NAME`), and the folder of its numbers below `/heldout`.
  package let name: String
  /// What it measures, in a few words.
  package let about: String
  /// True if it needs text: star graphs have no frequent tokens, and no text goes on from them.
  var needsText = false
  /// True if it needs the NTP head.
  var needsNextToken = false
  /// The last parts of the names of numbers that are better high; all others are better low.
  var betterHigh: Set<String> = []
  /// The last parts of the names of numbers that make a diagram together, and no line of a chart over training.
  var inDiagram: Set<String> = []
  /// The last parts of the names of numbers that share no axis with the others.
  var withOwnScale: Set<String> = []
  /// Its numbers with the folder left out.
  let parts: @Sendable (Recipe) -> [DiagnosticNumber]

  /// Its numbers for a recipe, sorted by their paths, as HDF5 sorts them; among them `seconds`, the time that measuring took.
  package func numbers(_ recipe: Recipe) -> [DiagnosticNumber] { listed(recipe).sorted { $0.path < $1.path } }

  /// The same numbers in the order in which people read them: bins from the lowest to the highest, and `seconds` last.
  package func listed(_ recipe: Recipe) -> [DiagnosticNumber] {
    let seconds = DiagnosticNumber("seconds", unit: "s", "time of measuring \(name)")
    return (parts(recipe) + [seconds]).map(inFolder)
  }

  /// The numbers that a chart over training shows, in the same order: without counts, without the time that measuring took, and
  /// without those that make a diagram together.
  package func charted(_ recipe: Recipe) -> [DiagnosticNumber] {
    parts(recipe).map(inFolder).filter { !$0.isCount && !isInDiagram($0) }
  }

  private func inFolder(_ number: DiagnosticNumber) -> DiagnosticNumber {
    DiagnosticNumber("\(name)/\(number.path)", unit: number.unit, number.longName)
  }

  /// The name of a number without the folder: `nc3-cosine`.
  package func part(of number: DiagnosticNumber) -> String { String(number.path.dropFirst(name.count + 1)) }

  /// True if a number makes a diagram together with others.
  package func isInDiagram(_ number: DiagnosticNumber) -> Bool { inDiagram.contains(part(of: number)) }

  /// True if a number has an axis of its own.
  package func hasOwnScale(_ number: DiagnosticNumber) -> Bool { withOwnScale.contains(part(of: number)) }

  /// Every diagnostic, in the order of every output.
  package static let all = [
    function, position, frequency, entropy, calibration, states, greedy, collapse,
  ]

  /// The losses by function and content tokens (arXiv 2510.08203).
  package static let function = DiagnosticKind(
    name: "function", about: "losses by function and content tokens", needsText: true
  ) { recipe in
    [("", "held-out"), ("train-", "training")].flatMap { prefix, part in
      recipe.heads.flatMap { head in
        TokenGroup.allCases.flatMap { group in
          let name = "\(prefix)\(head.name)-\(group.name)"
          let words = "\(head.name) on \(part) tokens: \(group.words)"
          return loss(name, of: words)
            + [DiagnosticNumber("\(name)-share", "share of the whole loss of \(words)")]
        }
      }
    }
  }

  /// The mean loss of some positions, and their number.
  private static func loss(_ name: String, of words: String) -> [DiagnosticNumber] {
    [
      DiagnosticNumber(name, unit: "nats", "mean loss of \(words)"),
      DiagnosticNumber("\(name)-count", "positions of \(words)"),
    ]
  }

  /// The losses by the place in the document.
  package static let position = DiagnosticKind(name: "position", about: "losses by the place in the document") {
    recipe in
    recipe.heads.flatMap { head in
      PlaceBin.lowest(context: recipe.model.context).flatMap { place in
        loss(
          "\(head.name)-from-\(place)", of: "\(head.name) from place \(place) of a document, up to the next bin")
      }
    }
  }

  /// The losses by how frequent the token is that is to be predicted.
  package static let frequency = DiagnosticKind(
    name: "frequency", about: "losses by the frequency of the token that is predicted", needsText: true
  ) { recipe in
    recipe.heads.flatMap { head in
      FrequencyBin.all.flatMap { bin in
        loss(
          "\(head.name)-\(bin.name)",
          of: "\(head.name) for tokens "
            + (bin.atLeast > 0 ? "that are \(bin.name) or more of the training tokens" : "that are rarer"))
      }
    }
  }

  /// The entropy of the prediction.
  package static let entropy = DiagnosticKind(
    name: "entropy", about: "entropy of the predicted distribution of the next token", needsNextToken: true
  ) { _ in
    [
      DiagnosticNumber("mean", unit: "nats", "mean entropy of the predicted distribution"),
      DiagnosticNumber("gap", unit: "nats", "mean loss minus mean entropy: above 0, the predictions are too sure"),
    ]
  }

  /// How far confidence and accuracy agree.
  package static let calibration = DiagnosticKind(
    name: "calibration", about: "accuracy by the confidence of the prediction", needsNextToken: true,
    inDiagram: Set(bins.map(\.path))
  ) { _ in
    [
      DiagnosticNumber("ece", "expected calibration error, ten bins of equal width"),
      DiagnosticNumber("confidence", "mean probability of the likeliest token"),
    ] + bins
  }

  /// The numbers of the reliability diagram.
  private static let bins: [DiagnosticNumber] = (0..<ReliabilityDiagram.binCount).flatMap { bin in
    let names = ReliabilityDiagram.names(ofBin: bin)
    let words = "positions whose likeliest token has a probability from 0.\(bin)"
    return [
      DiagnosticNumber(names.accuracy, "share of right first choices at \(words)"),
      DiagnosticNumber(names.confidence, "mean probability of the likeliest token at \(words)"),
      DiagnosticNumber(names.count, words),
    ]
  }

  /// How alike hidden states of neighbouring positions are.
  package static let states = DiagnosticKind(
    name: "states", about: "similarity of neighbouring hidden states", withOwnScale: ["norm"]
  ) { _ in
    [
      DiagnosticNumber("cosine", "mean cosine of the final hidden states of neighbouring positions"),
      DiagnosticNumber("norm", "mean norm of the final hidden states"),
    ]
  }

  /// How many different tokens the likeliest continuations have.
  package static let greedy = DiagnosticKind(
    name: "greedy", about: "distinct tokens of greedy continuations of held-out text", needsText: true,
    needsNextToken: true, betterHigh: ["distinct-1", "distinct-2"]
  ) { _ in
    [
      DiagnosticNumber("distinct-1", "distinct tokens of a greedy continuation as a share of its tokens"),
      DiagnosticNumber("distinct-2", "distinct pairs of a greedy continuation as a share of its pairs"),
      DiagnosticNumber("text-distinct-1", "distinct tokens of the true continuation as a share of its tokens"),
      DiagnosticNumber("text-distinct-2", "distinct pairs of the true continuation as a share of its pairs"),
    ]
  }

  /// Neural collapse of the final hidden states (arXiv 2405.17767); a class is a next token.
  package static let collapse = DiagnosticKind(
    name: "collapse", about: "neural collapse NC1 to NC4 of the final hidden states", needsNextToken: true,
    betterHigh: ["nc3-cosine", "nc4-agreement", "nc4-accuracy"]
  ) { _ in
    [
      DiagnosticNumber("classes-count", "classes: next tokens that come often enough in the training tokens read"),
      DiagnosticNumber("nc1-cdnv", "NC1: mean over pairs of classes of (var + var') / 2‖μ − μ'‖⁴"),
      DiagnosticNumber("nc1-log-cdnv", "NC1: mean over pairs of the logarithm of (var + var') / 2‖μ − μ'‖⁴"),
      DiagnosticNumber("nc1-scaled", "NC1: mean over pairs of (var + var') / 2‖μ − μ'‖², which no scale changes"),
      DiagnosticNumber("nc2-norms", "NC2: coefficient of variation of log ‖μ − μG‖"),
      DiagnosticNumber("nc2-norm-deviation", "NC2: standard deviation of log ‖μ − μG‖"),
      DiagnosticNumber("nc2-cosine", "NC2: mean cosine of pairs of centred class means; −1/(C − 1) when collapsed"),
      DiagnosticNumber("nc2-cosines", "NC2: coefficient of variation of the cosines of centred class means"),
      DiagnosticNumber("gnc2-uniformity", "GNC2: coefficient of variation of log 1/‖u − u'‖, u the unit centred means"),
      DiagnosticNumber("nc3-cosine", "NC3: mean cosine of a class's unembedding and its centred mean"),
      DiagnosticNumber("unc3-uniformity", "UNC3: coefficient of variation of NC3's cosines"),
      DiagnosticNumber("nc4-agreement", "NC4: share of held-out positions where logits and nearest mean agree"),
      DiagnosticNumber("nc4-accuracy", "share of held-out positions whose nearest class mean is the next token's"),
      DiagnosticNumber("nc4-count", "held-out positions of NC4"),
    ]
  }
}

extension DiagnosticKind {
  /// The names of their numbers as comparisons have them, a row per diagnostic, for help: HEAD stands for any head.
  package static var families: [(name: String, about: String)] {
    var recipe = Recipe()
    recipe.objective.top = 0
    return all.map { kind in
      let names = kind.charted(recipe).map { kind.part(of: $0).replacing("ntp-", with: "HEAD-") }
      return ("\(kind.name)/NAME", "\(kind.about): \(names.joined(separator: ", "))")
    }
  }
}

extension Recipe {
  /// The diagnostics that this recipe measures.
  package var diagnostics: [DiagnosticKind] { DiagnosticKind.all.filter { measure[every: $0.name] > 0 } }

  /// The numbers of these diagnostics, in the order of every output.
  package var diagnosticNumbers: [DiagnosticNumber] { diagnostics.flatMap { $0.numbers(self) } }
}

extension Beginning {
  /// Says that this session measures none of the recipe's diagnostics, since evaluations have no text; nil where they have one,
  /// and where the recipe has no diagnostics.
  package var remarkOnDiagnostics: String? {
    let names = recipe.diagnostics.map { "measure.\($0.name)" }
    guard !names.isEmpty, recipe.data.kind == .text, trainingTokens > 0, !hasHeldOutWindow else { return nil }
    let why = heldOutTokens == 0 ? "there is no held-out text" : "the held-out text is shorter than a window"
    return "no diagnostics are measured, since \(why): set data.heldOut to a larger share in a new run, or "
      + "\(names.joined(separator: ", ")) to 0"
  }
}

extension DiagnosticKind {
  /// True if a number is one that is better high; false for others, and for those of no diagnostic.
  static func isBetterHigh(_ path: String) -> Bool {
    guard let slash = path.firstIndex(of: "/") else { return false }
    let (folder, name) = (path[..<slash], path[path.index(after: slash)...])
    return all.contains { $0.name == folder && $0.betterHigh.contains(String(name)) }
  }
}
