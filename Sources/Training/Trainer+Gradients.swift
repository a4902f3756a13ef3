// Gradients and updates by part of the network, measured at evaluations from what the last step left behind. Steps do
// nothing for it, and nothing that steps read is changed.
import Corpus
import Kernels
import Run
import Transformer

/// The numbers of an update that its moments do not have.
struct TakenUpdate {
  /// The global norm of the gradient before clipping.
  let norm: Double
  let rate: Double
  /// Updates before this one.
  let step: Int
  /// As they were then: a command may have changed them since.
  let settings: Recipe.OptimizerSettings
}

extension Trainer {
  /// The gradients of the last step by part of the network, and its updates; empty where this session has taken no step since
  /// the weights were set, or has given up the last one.
  mutating func groupGradients() -> [GroupGradient] {
    if let measuredGradients, measuredGradients.step == state.step { return measuredGradients.groups }
    guard let takenUpdate, takenUpdate.step + 1 == state.step else { return [] }
    let tensors = model.parameters.layout.tensors
    let gradients = model.parameters.squares(of: model.parameters.gradients, threads: model.threads)
    let weights = model.parameters.squares(of: model.parameters.weights, threads: model.threads)
    let updates = optimizer.updateSquares(of: takenUpdate, in: model)
    var sums: [(group: TensorGroup, gradient: Double, weight: Double, update: Double)] = []
    for (index, tensor) in tensors.enumerated() where tensor.description.section != .memory {
      let group = tensor.description.section
      if sums.last?.group != group { sums.append((group, 0, 0, 0)) }
      sums[sums.count - 1].gradient += gradients[index]
      sums[sums.count - 1].weight += weights[index]
      sums[sums.count - 1].update += updates[index]
    }
    let groups = sums.map {
      GroupGradient(
        group: $0.group, norm: Float($0.gradient.squareRoot()),
        update: $0.weight > 0 ? Float(($0.update / $0.weight).squareRoot()) : .nan)
    }
    // What is measured next writes over the gradients.
    measuredGradients = (state.step, groups)
    return groups
  }

  /// Gives each loss the norm of its gradient at the final hidden states, over the first rows of the held-out part. The
  /// gradients of the last step are gone then.
  func addGradientsAtH(to losses: inout [HeadLoss]) throws(CorpusError) {
    var batches = OrderedBatches(
      of: corpus.heldOut, rows: model.rows, context: recipe.model.context, lookahead: recipe.lookahead, most: model.rows
    )
    guard let batch = try batches.next() else { return }
    let norms = model.gradientsAtHidden(TokenRows(batch), weights: weights)
    for (index, norm) in norms.enumerated() where losses.indices.contains(index) {
      losses[index].gradientAtH = Float(norm)
    }
  }
}
