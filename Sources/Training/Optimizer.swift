// AdamW over all parameters, as a recipe asks for it.
import Foundation
import Kernels
import Run
import Transformer

package struct Optimizer {
  private let recipe: Recipe.OptimizerSettings

  package init(_ recipe: Recipe.OptimizerSettings) { self.recipe = recipe }

  /// Moves all weights against their gradients.
  /// - Parameters:
  ///   - norm: of all gradients, for clipping.
  ///   - step: how many updates there were before this one.
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
