// The numbers of a network that its blocks and its embedding are made of.

/// A network's kind and sizes, as far as they are the same with and without training.
package struct NetworkSize: Sendable, Equatable {
  package var kind: NetworkKind
  /// Number of tokens: V.
  package var vocabulary: Int
  /// Blocks from the embedding to the first head: all that inference needs.
  package var blocks: Int
  /// Width of the residual stream: d.
  package var width: Int
  package var heads: Int
  package var keyValueHeads: Int
  /// Width of a head where it is not width / heads; 0 where it is.
  package var ownHeadWidth: Int
  /// Inner width of the MLP.
  package var inner: Int
  /// Positions in a row: T.
  package var context: Int
  /// Whether the first head's unembedding is the embedding.
  package var isTied: Bool
  /// Whether queries and keys go through an RMSNorm a head before they are turned.
  package var hasHeadNorms: Bool
  /// The memory layers beside MLPs; nil where there are none.
  package var memory: MemorySize?

  package init(
    kind: NetworkKind = .llama, vocabulary: Int, blocks: Int, width: Int, heads: Int, keyValueHeads: Int,
    ownHeadWidth: Int = 0, inner: Int, context: Int, isTied: Bool, hasHeadNorms: Bool = false,
    memory: MemorySize? = nil
  ) {
    self.kind = kind
    self.vocabulary = vocabulary
    self.blocks = blocks
    self.width = width
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.ownHeadWidth = ownHeadWidth
    self.inner = inner
    self.context = context
    self.isTied = isTied
    self.hasHeadNorms = hasHeadNorms
    self.memory = memory
  }

  /// Width of one head: h.
  package var headWidth: Int { ownHeadWidth > 0 ? ownHeadWidth : width / max(1, heads) }
  /// Width of all queries, and of all keys (or values) of a position.
  package var queryWidth: Int { heads * headWidth }
  package var keyWidth: Int { keyValueHeads * headWidth }
}

extension Recipe {
  /// The sizes of this recipe's network, for a vocabulary of that many tokens.
  package func size(vocabulary: Int) -> NetworkSize {
    NetworkSize(
      kind: model.kind, vocabulary: vocabulary, blocks: inferenceBlocks, width: model.width, heads: model.heads,
      keyValueHeads: model.keyValueHeads, ownHeadWidth: model.headWidth, inner: model.innerWidth,
      context: model.context,
      isTied: model.tied, hasHeadNorms: model.qkNorm, memory: model.memory.size)
  }
}
