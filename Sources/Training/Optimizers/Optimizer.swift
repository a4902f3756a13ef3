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
  /// What AdamW updates here, in the order of tensors.
  private let pieces: [OwnedPiece]

  /// A tensor that is updated here, or a part of one.
  private struct OwnedPiece {
    /// The tensor's place in the layout.
    let tensor: Int
    let offset: Int
    let count: Int
    /// Its first element in the block of second moments.
    let secondMoment: Int
  }

  /// - Parameters:
  ///   - model: a network made for this kind of optimizer.
  ///   - owned: ranges of the parameters that AdamW updates here, where other processes update the others; nil for all.
  /// - Throws: `UserError` when memory is short or oneDNN refuses.
  package init(
    _ settings: Recipe.OptimizerSettings, for model: Transformer, owning owned: [Range<Int>]? = nil
  ) throws(UserError) {
    self.settings = settings
    let layout = model.parameters.layout
    pieces = layout.tensors.indices.flatMap { index -> [OwnedPiece] in
      let tensor = layout.tensors[index]
      guard tensor.hasStoredGradient, let secondMoment = tensor.secondMoment else { return [] }
      let whole = tensor.offset..<tensor.offset + tensor.count
      return (owned ?? [whole]).map { $0.clamped(to: whole) }.filter { !$0.isEmpty }.map {
        OwnedPiece(
          tensor: index, offset: $0.lowerBound, count: $0.count,
          secondMoment: secondMoment + $0.lowerBound - tensor.offset)
      }
    }
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
  ///   - isFurtherAlone: whether nothing but the MTP heads' own tensors is updated, after `keepFurtherGradients`; not with Muon.
  package func update(
    _ model: Transformer, norm: Double, rate: Double, step: Int, tableRate: Double = 1, isFurtherAlone: Bool = false
  ) {
    let layout = model.parameters.layout
    let clip = clip(norm)
    for piece in pieces {
      let tensor = layout.tensors[piece.tensor]
      guard tensor.isOfFurtherHead || !isFurtherAlone else { continue }
      let adam = adamW(for: tensor, rate: rate, clip: clip, step: step)
      let (weights, gradients) = (model.parameters.weights, model.parameters.gradients)
      let (first, second) = (model.parameters.firstMoments, model.parameters.secondMoments)
      let (rounded, threads) = (model.parameters.rounded, model.threads)
      StepPart.adamw.measured(bytes: (rounded == nil ? 28 : 30) * piece.count) {
        adam.update(
          w: weights + piece.offset, g: gradients + piece.offset, m: first + piece.offset,
          v: second + piece.secondMoment, rounded: rounded.map { $0 + piece.offset * 2 }, count: piece.count,
          threads: threads)
      }
    }
    muon?.update(model.parameters, muon(rate: rate, clip: clip))
    guard model.configuration.memory != nil else { return }
    model.parameters.updateTables(
      adam(decays: true, rate: rate * tableRate, clip: clip, step: step), threads: model.threads)
    model.parameters.finishUpdate(threads: model.threads)
  }

  /// ‖Δw‖² of each tensor in the update that was made last, in the order of the layout, and of the pieces that are updated here. Gradients, moments and weights must be as
  /// that update left them. Tables of memory layers count as 0.
  func updateSquares(of update: TakenUpdate, in model: Transformer) -> [Double] {
    var past = self
    past.settings = update.settings
    return past.squares(of: update, in: model)
  }

  private func squares(of update: TakenUpdate, in model: Transformer) -> [Double] {
    let (layout, threads) = (model.parameters.layout, model.threads)
    let clip = clip(update.norm)
    let moved = muon?.updateSquares(model.parameters, muon(rate: update.rate, clip: clip)) ?? []
    var squares = layout.tensors.map { tensor in
      guard tensor.hasStoredGradient, tensor.secondMoment == nil, tensor.isOfFurtherHead || !update.isFurtherAlone
      else {
        return 0.0
      }
      let range = tensor.offset..<tensor.offset + tensor.count
      return moved.reduce(0) { $0 + (range.contains($1.offset) ? $1.square : 0) }
    }
    for piece in pieces {
      let tensor = layout.tensors[piece.tensor]
      guard tensor.isOfFurtherHead || !update.isFurtherAlone else { continue }
      let norm = adamW(for: tensor, rate: update.rate, clip: clip, step: update.step).updateNorm(
        w: model.parameters.weights + piece.offset, m: model.parameters.firstMoments + piece.offset,
        v: model.parameters.secondMoments + piece.secondMoment, count: piece.count,
        partial: model.parameters.partialSums, threads: threads)
      squares[piece.tensor] += norm * norm
    }
    return squares
  }

  /// The sum of the squares of a block's numbers in each tensor, in the order of the layout: of what is updated here alone.
  func ownedSquares(of block: UnsafePointer<Float>, in model: Transformer) -> [Double] {
    var squares = [Double](repeating: 0, count: model.parameters.layout.tensors.count)
    for piece in pieces {
      let norm = VectorMath.norm(
        block + piece.offset, count: piece.count, partial: model.parameters.partialSums, threads: model.threads)
      squares[piece.tensor] += norm * norm
    }
    return squares
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
      beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon,
      weightDecay: decays ? settings.weightDecay : 0, rate: rate, clip: clip, step: step)
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
