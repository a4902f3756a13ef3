// A tensor of a network before there is memory for it. One list of them (NetworkShape+Tensors) is what the layout of
// parameters, first weights, weight decay, checkpoints, exports, plans and benchmarks are made from.

/// What a tensor is for.
package enum TensorRole: Sendable, Equatable {
  case embedding, positions, norm, bias
  case attentionIn, attentionOut
  case feedForwardIn, feedForwardOut
  /// How a sequential MTP head takes in the stream before it.
  case joint
  case unembedding
  /// Of Fetch, which JTP's heads read coming tokens by.
  case fetchIn, fetchOut
  /// Of a memory layer: what makes queries, and the factor of pre-values, of the stream; what values become in it.
  case memoryQuery, memoryIn, memoryOut
  case memoryKeys, memoryCores
  /// The two vectors that candidates are found by, which are made of the cores and not trained.
  case memoryFilter
  /// The rows that a memory layer reads: pre-values, then values.
  case memoryTable
}

/// What a tensor is before the first step.
package enum InitialValues: Sendable, Equatable {
  /// Normal, of the recipe's deviation; `residual`: what a branch adds to the stream, and may begin smaller.
  case normal, residual
  case ones, zeros
  /// Keys of a memory layer: normal, of the deviation 1/√width. Cores: uniform between 0 and 1. The others of its tensors are
  /// chosen so that scores are about 1 and what the layer adds is as large as what the MLP adds.
  case keys, uniform, calibrated
}

/// Which part of the network a tensor is in. Gradients of a block, of an MTP head with its block, and of the final norm with
/// the unembeddings come about together.
package enum TensorGroup: Sendable, Hashable, Codable {
  case tables
  case block(Int)
  /// The k-th MTP head beyond the first, k = 0, 1, …
  case furtherHead(Int)
  case heads
  /// The tables of memory layers, whose gradients are never stored.
  case memory
}

/// A tensor: its name, shape and role, and what it is made of.
package struct TensorDescription: Sendable, Equatable {
  /// Its Hugging Face name with `/` for `.`: Llama's (`model/layers/0/mlp/up_proj/weight`), or GPT-2's
  /// (`transformer/h/0/mlp/c_fc/weight`, though always `[out, in]`, where transformers' Conv1D has `[in, out]`). Heads
  /// are `lm_head` and `top_head`; the k-th MTP head, k = 0, 1, …, has the names of a block, and `hnorm`, `enorm`,
  /// `eh_proj`, below `mtp/heads/k`; Fetch's are below `jtp`.
  package let path: String
  /// Row-major; `[out, in]` for a matrix, `[context, width]` for positions, `[d]` for a norm or a bias.
  package let shape: [Int]
  package let role: TensorRole
  package let section: TensorGroup
  package let start: InitialValues
  /// Whether it is the next part of the matrix (or bias) that the tensor before it belongs to: no gap in between.
  package let isJoined: Bool

  /// Number of elements.
  package var count: Int { shape.reduce(1, *) }
  /// Positions count as one; norms and biases do not.
  package var isMatrix: Bool { shape.count > 1 }
  /// Whether weight decay applies to it where a recipe's `optimizer.decays` is `matrices`.
  package var decays: Bool { isMatrix }
  /// Whether Muon updates it: the matrices inside of blocks, MTP heads and Fetch, but neither tables nor unembeddings.
  package var isHidden: Bool {
    switch role {
    case .attentionIn, .attentionOut, .feedForwardIn, .feedForwardOut, .joint, .fetchIn, .fetchOut: isMatrix
    case .embedding, .positions, .norm, .bias, .unembedding: false
    case .memoryQuery, .memoryIn, .memoryOut, .memoryKeys, .memoryCores, .memoryFilter, .memoryTable: false
    }
  }
  /// Whether training changes it by its gradient.
  package var isTrained: Bool { role != .memoryFilter }
}
