// AdamW over all parameters, with the settings of the recipe.
import Foundation
import Kernels
import Run
import Transformer

package struct Optimizer {
  private let recipe: Recipe.OptimizerSettings

  package init(_ recipe: Recipe.OptimizerSettings) { self.recipe = recipe }

  /// Updates all weights by one AdamW step.
  /// - Parameters:
  ///   - norm: the global gradient norm, for clipping.
  ///   - step: the number of updates before this one.
  package func update(_ model: borrowing Transformer, norm: Double, rate: Double, step: Int) {
    let layout = model.parameters.layout
    let clip = recipe.clip > 0 && norm > recipe.clip ? recipe.clip / norm : 1
    for tensor in layout.tensors {
      let decays = recipe.decays == .all || tensor.description.decays
      let adam = AdamW(
        beta1: Float(recipe.beta1), beta2: Float(recipe.beta2), epsilon: Float(recipe.epsilon),
        weightDecay: decays ? Float(recipe.weightDecay) : 0, rate: Float(rate), clip: Float(clip),
        correction1: Float(1 - pow(recipe.beta1, Double(step + 1))),
        correction2: Float(1 - pow(recipe.beta2, Double(step + 1))))
      adam.update(
        w: model.parameters.weights + tensor.offset, g: model.parameters.gradients + tensor.offset,
        m: model.parameters.firstMoments + tensor.offset, v: model.parameters.secondMoments + tensor.offset,
        rounded: model.parameters.rounded.map { $0 + tensor.offset * 2 }, count: tensor.count, threads: model.threads)
    }
  }
}
