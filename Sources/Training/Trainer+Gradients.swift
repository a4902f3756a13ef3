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
  /// Whether nothing but the MTP heads' own tensors was updated.
  let isFurtherAlone: Bool
}

extension Trainer {
  /// The gradients of the last step by part of the network, and its updates; empty where this session has taken no step since
  /// the weights were set, or has given up the last one.
  func groupGradients() -> [GroupGradient] {
    if let measuredGradients, measuredGradients.step == state.step { return measuredGradients.groups }
    guard let takenUpdate, takenUpdate.step + 1 == state.step else { return [] }
    let tensors = model.parameters.layout.tensors
    guard let (gradients, updates) = try? gradientSquares(of: takenUpdate) else { return [] }
    let weights = model.parameters.squares(of: model.parameters.weights, threads: model.threads)
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

  /// The squares of each tensor's gradient and of its update, summed; of all ranks.
  /// - Throws: `UserError` when a rank is lost.
  func gradientSquares(of update: TakenUpdate) throws(UserError) -> (gradients: [Double], updates: [Double]) {
    let updates = optimizer.updateSquares(of: update, in: model)
    guard let ranked, ranked.isSharded else {
      return (model.parameters.squares(of: model.parameters.gradients, threads: model.threads), updates)
    }
    // Each rank has the gradients and moments that it owns.
    try order(.groupGradients)
    let sums = try ranked.ranks.sum(optimizer.ownedSquares(of: model.parameters.gradients, in: model) + updates)
    return (Array(sums[..<updates.count]), Array(sums[updates.count...]))
  }

  /// Gives each loss the norm of its gradient at the final hidden states, over the first rows of the held-out part. The
  /// gradients of the last step are gone then.
  /// - Returns: what memory layers came to on the same rows; empty without any.
  /// - Throws: `CorpusError` when the rows cannot be read; `UserError` when a rank is lost.
  func addGradientsAtH(to losses: inout [HeadLoss]) throws -> [MemoryOutput] {
    try order(.gradientsAtHidden)
    model.beginMeasuringMemory()
    let norms = try gradientsAtHidden()
    for (index, norm) in norms.enumerated() where losses.indices.contains(index) {
      losses[index].gradientAtH = Float(norm)
    }
    return model.endMeasuringMemory()
  }

  /// The norms of the gradients at the hidden states of a micro-batch of held-out rows, one a head, over all ranks; empty without
  /// such rows.
  /// - Throws: `CorpusError` when the rows cannot be read; `UserError` when a rank is lost.
  func gradientsAtHidden() throws -> [Double] {
    let rows = recipe.batch.rows
    var batches = OrderedBatches(
      of: corpus.heldOut, rows: rows, context: recipe.model.context, lookahead: recipe.lookahead, most: rows)
    guard let ranked else {
      guard let batch = try batches.next() else { return [] }
      return model.gradientsAtHidden(TokenRows(batch), weights: weightsNow, stage: stage)
    }
    var counts = weights.map { _ in 0 }
    do {
      guard let batch = try batches.next() else { return [] }
      let own = TokenRows(batch, first: model.configuration.firstRow, count: model.rows)
      model.countPositions(own, into: &counts)
      let denominators = try ranked.denominators(counts, failure: nil)
      let norms = model.gradientsAtHidden(own, weights: weights, denominators: denominators, stage: stage)
      return try ranked.ranks.sum(norms.map { $0 * $0 }).map { $0.squareRoot() }
    } catch let error as CorpusError {
      _ = try? ranked.denominators(counts, failure: UserError(.data, error.description))
      throw error
    }
  }
}
