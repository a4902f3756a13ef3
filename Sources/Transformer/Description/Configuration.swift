// The network's shape.
import Kernels
import Run

/// A network: embedding, blocks of attention and MLP, final norm, an unembedding a head.
package struct Configuration: Sendable, Equatable {
  /// How it is built.
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
  package var ropeTheta: Double
  /// ε of every norm.
  package var epsilon: Float
  /// Whether queries and keys go through an RMSNorm a head before they are turned.
  package var hasHeadNorms: Bool
  /// Probability that an element is dropped while training: of embeddings, attention weights and what branches add.
  package var dropout: Float
  /// True if the backward pass recomputes each block from its input, so that only the inputs are kept.
  package var recomputesBlocks: Bool
  /// What the network is trained to predict, in order; the first is the one that a tied embedding serves.
  package var objectives: [Objective]
  /// How the heads for tokens further ahead are built; nil where there are none.
  package var multiToken: MultiToken?

  package init(
    vocabulary: Int, blocks: Int, width: Int, heads: Int, keyValueHeads: Int, inner: Int, context: Int, isTied: Bool,
    ropeTheta: Double, epsilon: Float = 1e-6, objectives: [Objective], multiToken: MultiToken? = nil,
    kind: NetworkKind = .llama,
    hasHeadNorms: Bool = false, dropout: Float = 0, recomputesBlocks: Bool = false, ownHeadWidth: Int = 0
  ) {
    self.vocabulary = vocabulary
    self.blocks = blocks
    self.width = width
    self.heads = heads
    self.keyValueHeads = keyValueHeads
    self.ownHeadWidth = ownHeadWidth
    self.inner = inner
    self.context = context
    self.isTied = isTied
    self.ropeTheta = ropeTheta
    self.epsilon = epsilon
    self.objectives = objectives
    self.multiToken = multiToken
    self.kind = kind
    self.hasHeadNorms = hasHeadNorms
    self.dropout = dropout
    self.recomputesBlocks = recomputesBlocks
  }

  /// The objectives that each stream of hidden states serves, as indices: the trunk's own first, then an MTP head each.
  package var streams: [[Int]] {
    [objectives.indices.filter { objectives[$0].isOnTrunk }]
      + objectives.indices.filter { !objectives[$0].isOnTrunk }.map { [$0] }
  }

  /// Width of one head: h.
  package var headWidth: Int { ownHeadWidth > 0 ? ownHeadWidth : width / heads }
  /// Width of all queries, and of all keys (or values) of a position.
  package var queryWidth: Int { heads * headWidth }
  package var keyWidth: Int { keyValueHeads * headWidth }
  /// Width of what goes into the MLP's activation: gate and value, or the value alone.
  package var gateWidth: Int { style.isGated ? 2 * inner : inner }
  /// What its kind is built of.
  var style: NetworkStyle { kind.style }

  /// All that its tensors depend on.
  package var shape: NetworkShape {
    NetworkShape(
      kind: kind, vocabulary: vocabulary, blocks: blocks, width: width, heads: heads, keyValueHeads: keyValueHeads,
      headWidth: headWidth, inner: inner, context: context, isTied: isTied, hasHeadNorms: hasHeadNorms,
      furtherHeads: streams.count - 1, isSequential: multiToken == .sequential,
      unembeddings: streams[0].compactMap { objectives[$0].unembedding })
  }

  /// - Throws: `TransformerError.shape` with a sentence that names the numbers.
  package func check() throws {
    func require(_ condition: Bool, _ sentence: @autoclosure () -> String) throws {
      if !condition { throw TransformerError.shape(sentence()) }
    }
    try require(vocabulary >= 1, "a vocabulary of \(vocabulary) tokens is empty: it needs at least 1")
    try require(
      blocks >= 1 && width >= 2 && heads >= 1 && keyValueHeads >= 1 && inner >= 1 && context >= 1,
      "blocks, width, heads, inner width and context must be at least 1 (the width at least 2): "
        + "\(blocks) blocks, width \(width), \(heads) heads, \(keyValueHeads) key/value heads, inner \(inner), "
        + "context \(context)")
    try require(ownHeadWidth >= 0, "a head width of \(ownHeadWidth) is below 0; 0 means width / heads")
    try require(ownHeadWidth > 0 || width % heads == 0, "\(heads) heads do not divide a width of \(width)")
    try require(
      style.learnsPositions || headWidth % 2 == 0,
      "the head width must be even for rotary positions, and \(headWidth) is odd"
        + (ownHeadWidth > 0 ? "" : " (\(width) / \(heads))"))
    try require(heads % keyValueHeads == 0, "\(keyValueHeads) key/value heads do not divide \(heads) heads")
    let further = streams.count - 1
    try require(
      further > 0 || multiToken == nil, "MTP heads need an objective for tokens further ahead than the next")
    try require(
      further == 0
        || (multiToken != nil && objectives[0] == .nextToken(NextToken())
          && (blocks > 1 || multiToken == .sequential)),
      "MTP heads need an NTP head beside them and, when parallel, at least one block of trunk below")
    try require(
      !style.learnsPositions || !hasHeadNorms,
      "norms of queries and keys belong to Llama-style networks, and this one is \(kind.rawValue)")
    try require(dropout >= 0 && dropout < 1, "a dropout of \(dropout) leaves nothing: it must be from 0 to below 1")
    try require(!objectives.isEmpty, "a network needs something to predict: at least one objective")
  }
}
