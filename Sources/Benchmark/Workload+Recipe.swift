// Makes a workload from any recipe.
import Run
import Training
import Transformer

extension Workload {
  /// The network and the batch of a recipe, with made-up data.
  package init(_ plan: RunPlan, name: String) {
    self.init(
      name: "\(name) \(plan.network.precision)", configuration: plan.network.configuration,
      rows: plan.recipe.batch.rows, accumulation: plan.recipe.batch.accumulation, precision: plan.network.precision,
      optimizer: plan.recipe.optimizer.kind)
  }
}
