// AdamW over all parameters, or Muon over the blocks' matrices and AdamW over the others, with the settings of the recipe.
import Foundation
import Kernels
import Run
import Transformer

package struct Optimizer {
  /// The settings of the next update; a new `kind` has no effect.
  package var settings: Recipe.OptimizerSettings
  /// Nil if AdamW updates all parameters.
  private let muon: MuonTeam?

  /// - Parameter model: a network made for this kind of optimizer.
  /// - Throws: `UserError` when memory is short or oneDNN refuses.
  package init(_ settings: Recipe.OptimizerSettings, for model: borrowing Transformer) throws(UserError) {
    self.settings = settings
    guard settings.kind == .muon else {
      muon = nil
      return
    }
    let plan = MuonPlan(model.configuration.shape, precision: model.precision, threads: model.threads)
    do throws(TransformerError) { muon = try MuonTeam(plan) } catch { throw UserError(error) }
  }

  /// Floating-point operations of the products of an update.
  package var operations: Double { muon?.operations ?? 0 }

  /// The error of a failed product, after which the weights are wrong; nil without an error.
  package var failure: TransformerError? { muon?.failure.map { .kernels("\($0)") } }

  /// Updates all weights by one step.
  /// - Parameters:
  ///   - norm: the global gradient norm, for clipping.
  ///   - step: the number of updates before this one.
  ///   - tableRate: factor of the learning rate of memory layers' tables.
  package func update(
    _ model: borrowing Transformer, norm: Double, rate: Double, step: Int, tableRate: Double = 1
  ) {
    let layout = model.parameters.layout
    let clip = settings.clip > 0 && norm > settings.clip ? settings.clip / norm : 1
    for tensor in layout.tensors where tensor.description.isTrained && tensor.description.role != .memoryTable {
      guard let secondMoment = tensor.secondMoment else { continue }
      let decays = settings.decays == .all || tensor.description.decays
      let adam = adam(decays: decays, rate: rate, clip: clip, step: step)
      let (weights, gradients) = (model.parameters.weights, model.parameters.gradients)
      let (first, second) = (model.parameters.firstMoments, model.parameters.secondMoments)
      let (rounded, threads) = (model.parameters.rounded, model.threads)
      StepPart.adamw.measured(bytes: (rounded == nil ? 28 : 30) * tensor.count) {
        adam.update(
          w: weights + tensor.offset, g: gradients + tensor.offset, m: first + tensor.offset, v: second + secondMoment,
          rounded: rounded.map { $0 + tensor.offset * 2 }, count: tensor.count, threads: threads)
      }
    }
    muon?.update(
      model.parameters,
      Muon(
        momentum: Float(settings.momentum), weightDecay: Float(settings.weightDecay), rate: Float(rate),
        clip: Float(clip)))
    guard model.configuration.memory != nil else { return }
    model.parameters.updateTables(
      adam(decays: true, rate: rate * tableRate, clip: clip, step: step), threads: model.threads)
    model.parameters.finishUpdate(threads: model.threads)
  }

  private func adam(decays: Bool, rate: Double, clip: Double, step: Int) -> AdamW {
    AdamW(
      beta1: Float(settings.beta1), beta2: Float(settings.beta2), epsilon: Float(settings.epsilon),
      weightDecay: decays ? Float(settings.weightDecay) : 0, rate: Float(rate), clip: Float(clip),
      correction1: Float(1 - pow(settings.beta1, Double(step + 1))),
      correction2: Float(1 - pow(settings.beta2, Double(step + 1))))
  }
}

extension Recipe.OptimizerSettings {
  /// Checks that a checkpoint has the moments that this optimizer needs. AdamW's first moments can serve as Muon's momentum,
  /// but Muon has no second moments for AdamW.
  func require(momentsOf checkpoint: Checkpoint) throws(UserError) {
    guard kind == .adamw, checkpoint.recipe.optimizer.kind == .muon, checkpoint.state.step > 0 else { return }
    throw UserError(
      .usage,
      "optimizer.kind cannot change from muon to adamw at step \(checkpoint.state.step): AdamW divides by second moments, "
        + "which Muon does not have for the blocks' matrices; leave optimizer.kind at muon, or begin a new run")
  }
}
