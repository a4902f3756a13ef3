// When a run ends before its last step: `stop.until: accuracy/path >= 0.99`, `stop.patience: 5`. Trainer and experiments decide by
// this one rule, so that what is stored of a run says the same as the run itself.

/// A condition on the numbers of an evaluation: `accuracy/path >= 0.99`.
package struct StopCondition: Sendable, Equatable {
  package enum Relation: String, Sendable, CaseIterable { case atLeast = ">=", atMost = "<=", above = ">", below = "<" }

  /// As `compare` calls it: `held-out/ntp`, `accuracy/path`.
  package let metric: String
  package let relation: Relation
  package let value: Double

  /// Reads `METRIC >= VALUE`, with any spaces.
  /// - Throws: `UserError` with what to write instead.
  package init(typed: String) throws(UserError) {
    let text = typed.filter { !$0.isWhitespace }
    guard
      let (relation, place) = Relation.allCases.lazy.compactMap({ relation in
        text.firstRange(of: relation.rawValue).map { (relation, $0) }
      }).first,
      let value = Double(text[place.upperBound...]), value.isFinite, place.lowerBound > text.startIndex
    else {
      throw UserError(
        .usage,
        "\(typed.quotation) is not a condition: write a metric, one of >= > <= <, and a number, such as accuracy/path >= 0.99"
      )
    }
    metric = String(text[..<place.lowerBound])
    self.relation = relation
    self.value = value
  }

  package func isMet(by evaluation: Evaluation) -> Bool {
    guard let number = evaluation.number(named: metric) else { return false }
    switch relation {
    case .atLeast: return number >= value
    case .above: return number > value
    case .atMost: return number <= value
    case .below: return number < value
    }
  }

  package var text: String { "\(metric) \(relation.rawValue) \(value)" }
}

/// The rule by which a recipe ends its run early.
package struct StopRule: Sendable {
  /// Why a run ended.
  package enum StopReason: Sendable, Equatable { case reached, patience }

  /// Evaluations without a better one, so far.
  package struct StopProgress: Codable, Sendable, Equatable {
    /// The lowest held-out loss of the first head, nats.
    var best = Float.infinity
    var without = 0

    package init() {}

    /// True if training can have produced these numbers.
    package var isPossible: Bool { (0..<1 << 53).contains(without) }
  }

  package let condition: StopCondition?
  /// Evaluations without a new lowest held-out loss after which the run ends; 0: never.
  package let patience: Int

  /// - Throws: `UserError` where `stop.until` is not a condition.
  package init(_ recipe: Recipe) throws(UserError) {
    condition = recipe.stop.until.isEmpty ? nil : try StopCondition(typed: recipe.stop.until)
    patience = recipe.stop.patience
  }

  /// True if no evaluation ends the run.
  package var isEmpty: Bool { condition == nil && patience == 0 }

  /// Whether an evaluation ends the run.
  /// - Parameter progress: of the evaluations before this one; this one is added.
  package func verdict(on evaluation: Evaluation, _ progress: inout StopProgress) -> StopReason? {
    if let loss = evaluation.losses.first?.loss {
      progress.without = loss < progress.best ? 0 : progress.without + 1
      if loss < progress.best { progress.best = loss }
    }
    if let condition, condition.isMet(by: evaluation) { return .reached }
    return patience > 0 && progress.without >= patience ? .patience : nil
  }

  /// The evaluation that ends a run, and why; nil where none does.
  /// - Parameter evaluations: those that were due, oldest first.
  package func end(of evaluations: [Evaluation]) -> (evaluation: Evaluation, reason: StopReason)? {
    var progress = StopProgress()
    for evaluation in evaluations {
      if let reason = verdict(on: evaluation, &progress) { return (evaluation, reason) }
    }
    return nil
  }

  /// What is said of the end of a run, without the step.
  package func words(_ reason: StopReason) -> String {
    switch reason {
    case .reached: "stop.until is reached: \(condition?.text ?? "")"
    case .patience:
      "stop.patience is over: no lower held-out loss in the last \(patience == 1 ? "evaluation" : "\(patience) evaluations")"
    }
  }
}

extension Evaluation {
  /// A number by the name that `compare` has for it; nil where the evaluation lacks it.
  package func number(named name: String) -> Double? {
    Self.metrics(content).first { $0.name == name }?.value(self)
  }

  /// Names of the numbers that evaluations of a recipe have.
  package static func names(_ recipe: Recipe) -> [String] {
    metrics(recipe.evaluationContent).map(\.name)
  }

  private static func metrics(_ content: EvaluationContent) -> [Metric<Evaluation>] {
    let places = ["step", "tokens", "time", "seconds"]
    return Metric.ofEvaluations(content).filter { !places.contains($0.path) }
  }

  /// Whether greater values of a number are better.
  package static func isRising(_ name: String) -> Bool { !name.hasPrefix("held-out/") && !name.hasPrefix("kl/") }
}
