// What the diagnostics of a recipe cost, before a run measures them.
import Run
import Transformer

extension RunPlan {
  /// FLOPs of a token's way forward through the network and its heads: a third of those of a step.
  var forwardOperationsPerToken: Double { network.operationsPerToken / 3 }

  /// What a diagnostic of the recipe costs.
  package struct PlannedDiagnostic: Sendable {
    package let kind: DiagnosticKind
    /// Evaluations from one measurement to the next.
    package let every: Int
    /// FLOPs for a token of the training part and one of the held-out part, and those of a measurement beside them.
    package let perTrainingToken: Double
    package let perHeldOutToken: Double
    package let once: Double
    /// Memory during a measurement.
    package let bytes: Int
  }

  /// The diagnostics that the recipe measures, with their costs. Those that need the training part share a pass over it, and
  /// each is given the whole of it here.
  package var diagnostics: [PlannedDiagnostic] {
    recipe.diagnostics.compactMap { kind in
      guard let computation = DiagnosticKind.computations[kind.name] else { return nil }
      let cost = computation.cost(self)
      let pass = computation.needs.contains(.training) ? forwardOperationsPerToken : 0
      return PlannedDiagnostic(
        kind: kind, every: recipe.measure[every: kind.name], perTrainingToken: pass + cost.perTrainingToken,
        perHeldOutToken: cost.perHeldOutToken, once: cost.once, bytes: cost.bytes)
    }
  }
}
