// The complete training state as a value: the trainer makes it, the run file stores it, and a resumed trainer starts
// from it.

/// A complete copy of a training state.
package struct Checkpoint: Sendable {
  /// One tensor's place in the blocks below.
  package struct Tensor: Sendable, Equatable {
    /// The tensor's Hugging Face Llama name with `/` for `.`: `model/layers/0/mlp/up_proj/weight`.
    package var path: String
    /// Row-major, `[out, in]` for a matrix.
    package var shape: [Int]
    /// The tensor's offset in each block, in elements.
    package var offset: Int

    package init(path: String, shape: [Int], offset: Int) {
      self.path = path
      self.shape = shape
      self.offset = offset
    }

    /// Number of elements.
    package var count: Int { shape.reduce(1, *) }
  }

  package var state: TrainerState
  package var recipe: Recipe
  package var tokenizer: TokenizerRecord
  package var tensors: [Tensor]
  /// All weights in one block, fp32; the optimizer's moments are laid out alike. Muon's momentum is a first moment, and its
  /// second moments are zero. With `save.weightsOnly`, the blocks of moments end before the tables of memory layers, which come
  /// last.
  package var weights: [Float]
  package var firstMoments: [Float]
  package var secondMoments: [Float]
  /// The weights of the frozen copy that draws inputs, laid out alike; empty where the recipe has none.
  package var drawing: [Float]

  package init(
    state: TrainerState, recipe: Recipe, tokenizer: TokenizerRecord, tensors: [Tensor], weights: [Float],
    firstMoments: [Float], secondMoments: [Float], drawing: [Float] = []
  ) {
    self.drawing = drawing
    self.state = state
    self.recipe = recipe
    self.tokenizer = tokenizer
    self.tensors = tensors
    self.weights = weights
    self.firstMoments = firstMoments
    self.secondMoments = secondMoments
  }

  /// The tensors whose moments are in the checkpoint.
  package var tensorsWithMoments: [Tensor] {
    let end = min(firstMoments.count, secondMoments.count)
    return tensors.filter { $0.offset + $0.count <= end }
  }

  /// Bytes of all numbers.
  package var numberBytes: Int { 4 * (weights.count + firstMoments.count + secondMoments.count + drawing.count) }

  /// Bytes of a checkpoint's file beside its numbers and its tokenizer, about.
  /// - Parameter datasets: the tensors of all its blocks.
  package static func usualOverhead(datasets: Int) -> Int { 32_768 + 2048 * datasets }

  /// The same at most: so much room is reserved.
  package static func mostOverhead(datasets: Int) -> Int { 1_048_576 + 8192 * datasets }
}

extension Recipe {
  /// Whether checkpoints leave out the moments of some tensors.
  package var leavesOutMoments: Bool { save.weightsOnly && model.memory.keys > 0 }
}
