// The entropy of the predicted distribution of the next token. A model whose probabilities are right has a mean loss equal to
// its mean entropy.
import Run

struct OutputEntropy: Diagnostic {
  static var needs: DiagnosticNeeds { .outputs }

  static func cost(_ plan: RunPlan) -> DiagnosticCost { .ofOutputs(plan) }

  private var entropy = BinSum()
  private var loss = BinSum()

  init(_ setting: DiagnosticSetting) {}

  mutating func add(_ batch: DiagnosticBatch) {
    for (position, target) in batch.targets[0].enumerated() where target >= 0 {
      entropy.add(batch.entropy[position])
      loss.add(batch.losses[0][position])
    }
  }

  func numbers() -> [(name: String, value: Double)] {
    [("mean", entropy.mean), ("gap", loss.mean - entropy.mean)]
  }
}

extension DiagnosticCost {
  /// A second look at the logits: an exponential, and some ten operations for each.
  static func ofOutputs(_ plan: RunPlan) -> DiagnosticCost {
    let positions = plan.recipe.batch.rows * plan.recipe.model.context
    return DiagnosticCost(
      perHeldOutToken: 25 * Double(plan.network.configuration.vocabulary), bytes: 2 * 2 * 4 * positions)
  }
}
