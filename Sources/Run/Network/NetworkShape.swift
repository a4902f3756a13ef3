// As much of a network as its tensors depend on.

/// A network's numbers, from which names and shapes of all its tensors follow.
package struct NetworkShape: Sendable, Equatable {
  package var kind: NetworkKind
  /// Number of tokens: V.
  package var vocabulary: Int
  /// Blocks from the embedding to the first head.
  package var blocks: Int
  /// Width of the residual stream: d.
  package var width: Int
  package var heads: Int
  package var keyValueHeads: Int
  package var headWidth: Int
  /// Inner width of the MLP.
  package var inner: Int
  /// Positions in a row: T.
  package var context: Int
  /// Whether the first unembedding is the embedding.
  package var isTied: Bool
  package var hasHeadNorms: Bool
  /// Heads with a block of their own, and whether each reads the one before it.
  package var furtherHeads: Int
  package var isSequential: Bool
  /// The names of the unembeddings on the trunk's own hidden states, in order.
  package var unembeddings: [String]

  package init(
    kind: NetworkKind, vocabulary: Int, blocks: Int, width: Int, heads: Int, keyValueHeads: Int, headWidth: Int,
    inner: Int, context: Int, isTied: Bool, hasHeadNorms: Bool, furtherHeads: Int, isSequential: Bool,
    unembeddings: [String]
  ) {
    self.kind = kind
    self.vocabulary = vocabulary
    self.blocks = blocks
    self.width = width
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.headWidth = headWidth
    self.inner = inner
    self.context = context
    self.isTied = isTied
    self.hasHeadNorms = hasHeadNorms
    self.furtherHeads = furtherHeads
    self.isSequential = isSequential
    self.unembeddings = unembeddings
  }

  /// Width of all queries, and of all keys (or values) of a position.
  package var queryWidth: Int { heads * headWidth }
  package var keyWidth: Int { keyValueHeads * headWidth }
}

extension Recipe {
  /// The network of this recipe, for a vocabulary of that size.
  package func shape(vocabulary: Int) -> NetworkShape {
    let further = heads.count(where: \.hasBlock)
    return NetworkShape(
      kind: model.kind, vocabulary: vocabulary, blocks: inferenceBlocks, width: model.width, heads: model.heads,
      keyValueHeads: model.keyValueHeads, headWidth: model.widthOfHead, inner: model.innerWidth, context: model.context,
      isTied: model.tied, hasHeadNorms: model.qkNorm, furtherHeads: further,
      isSequential: further > 0 && objective.mtp.kind == .sequential, unembeddings: heads.compactMap(\.kind.tensorName))
  }
}
