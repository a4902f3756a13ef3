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
    let clip = clip(norm)
    for tensor in layout.tensors where tensor.hasStoredGradient {
      guard let secondMoment = tensor.secondMoment else { continue }
      let adam = adamW(for: tensor, rate: rate, clip: clip, step: step)
      let (weights, gradients) = (model.parameters.weights, model.parameters.gradients)
      let (first, second) = (model.parameters.firstMoments, model.parameters.secondMoments)
      let (rounded, threads) = (model.parameters.rounded, model.threads)
      StepPart.adamw.measured(bytes: (rounded == nil ? 28 : 30) * tensor.count) {
        adam.update(
          w: weights + tensor.offset, g: gradients + tensor.offset, m: first + tensor.offset, v: second + secondMoment,
          rounded: rounded.map { $0 + tensor.offset * 2 }, count: tensor.count, threads: threads)
      }
    }
    muon?.update(model.parameters, muon(rate: rate, clip: clip))
    guard model.configuration.memory != nil else { return }
    model.parameters.updateTables(
      adam(decays: true, rate: rate * tableRate, clip: clip, step: step), threads: model.threads)
    model.parameters.finishUpdate(threads: model.threads)
  }

  /// ‖Δw‖² of each tensor in the update that was made last, in the order of the layout. Gradients, moments and weights must be as
  /// that update left them. Tables of memory layers count as 0.
  func updateSquares(of update: TakenUpdate, in model: borrowing Transformer) -> [Double] {
    var past = self
    past.settings = update.settings
    return past.squares(of: update, in: model)
  }

  private func squares(of update: TakenUpdate, in model: borrowing Transformer) -> [Double] {
    let (layout, threads) = (model.parameters.layout, model.threads)
    let clip = clip(update.norm)
    let moved = muon?.updateSquares(model.parameters, muon(rate: update.rate, clip: clip)) ?? []
    return layout.tensors.map { tensor in
      guard tensor.hasStoredGradient else { return 0 }
      guard let secondMoment = tensor.secondMoment else {
        let range = tensor.offset..<tensor.offset + tensor.count
        return moved.reduce(0) { $0 + (range.contains($1.offset) ? $1.square : 0) }
      }
      let norm = adamW(for: tensor, rate: update.rate, clip: clip, step: update.step).updateNorm(
        w: model.parameters.weights + tensor.offset, m: model.parameters.firstMoments + tensor.offset,
        v: model.parameters.secondMoments + secondMoment, count: tensor.count, partial: model.parameters.partialSums,
        threads: threads)
      return norm * norm
    }
  }

  /// The factor on the gradient that clips its global norm.
  private func clip(_ norm: Double) -> Double {
    settings.clip > 0 && norm > settings.clip ? settings.clip / norm : 1
  }

  private func adamW(for tensor: PlacedTensor, rate: Double, clip: Double, step: Int) -> AdamW {
    let decays = settings.decays == .all || tensor.description.decays
    return adam(decays: decays, rate: rate, clip: clip, step: step)
  }

  private func adam(decays: Bool, rate: Double, clip: Double, step: Int) -> AdamW {
    AdamW(
      beta1: Float(settings.beta1), beta2: Float(settings.beta2), epsilon: Float(settings.epsilon),
      weightDecay: decays ? Float(settings.weightDecay) : 0, rate: Float(rate), clip: Float(clip),
      correction1: Float(1 - pow(settings.beta1, Double(step + 1))),
      correction2: Float(1 - pow(settings.beta2, Double(step + 1))))
  }

  private func muon(rate: Double, clip: Double) -> Muon {
    Muon(
      momentum: Float(settings.momentum), weightDecay: Float(settings.weightDecay), rate: Float(rate),
      clip: Float(clip))
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
