// The network's description: its sizes, and how it is trained.
import Kernels
import Run

/// A network: embedding, blocks of attention and MLP, final norm, an unembedding a head. The numbers of `size` are members
/// here too: `configuration.width`.
@dynamicMemberLookup
package struct Configuration: Sendable, Equatable {
  package var size: NetworkSize
  package var ropeTheta: Double
  /// ε of every norm.
  package var epsilon: Float
  /// Probability that an element is dropped while training: of embeddings, attention weights and what branches add.
  package var dropout: Float
  /// True if the backward pass recomputes each block from its input, so that only the inputs are kept.
  package var recomputesBlocks: Bool
  /// What the network is trained to predict, in order; the first is the one that a tied embedding serves.
  package var objectives: [Objective]
  /// How the heads for tokens further ahead are built; nil where there are none.
  package var multiToken: MultiToken?
  /// The number in the micro-batch of the first row that this network takes, where other processes take other rows: dropout goes
  /// by the number, and records of memory layers' picks have their place by it.
  package var firstRow = 0

  package init(
    _ size: NetworkSize, ropeTheta: Double = 10_000, epsilon: Float = 1e-6, dropout: Float = 0,
    recomputesBlocks: Bool = false, objectives: [Objective], multiToken: MultiToken? = nil
  ) {
    self.size = size
    self.ropeTheta = ropeTheta
    self.epsilon = epsilon
    self.dropout = dropout
    self.recomputesBlocks = recomputesBlocks
    self.objectives = objectives
    self.multiToken = multiToken
  }

  package subscript<Number>(dynamicMember path: KeyPath<NetworkSize, Number>) -> Number { size[keyPath: path] }

  package subscript<Number>(dynamicMember path: WritableKeyPath<NetworkSize, Number>) -> Number {
    get { size[keyPath: path] }
    set { size[keyPath: path] = newValue }
  }

  /// The objectives that each stream of hidden states serves, as indices: the trunk's own first, then an MTP head each.
  package var streams: [[Int]] {
    [objectives.indices.filter { objectives[$0].isOnTrunk }]
      + objectives.indices.filter { !objectives[$0].isOnTrunk && !objectives[$0].isJoint }.map { [$0] }
  }

  /// JTP's heads as indices of objectives, nearest first, and what they have in common; nil where there are none.
  package var joint: (heads: [Int], settings: JointToken)? {
    let heads = objectives.indices.filter { objectives[$0].isJoint }
    guard let last = heads.last, case .jointToken(let settings) = objectives[last] else { return nil }
    return (heads, settings)
  }

  /// Whether the trained next-token loss can be something else than cross-entropy.
  package var shapesNextToken: Bool { objectives.contains(where: \.isShaped) }

  /// Width of what goes into the MLP's activation: gate and value, or the value alone.
  package var gateWidth: Int { style.isGated ? 2 * size.inner : size.inner }
  /// What its kind is built of.
  var style: NetworkStyle { size.kind.style }

  /// All that its tensors depend on.
  package var shape: NetworkShape {
    NetworkShape(
      size, furtherHeads: streams.count - 1, isSequential: multiToken == .sequential,
      unembeddings: streams[0].compactMap { objectives[$0].unembedding }, hasFetch: joint != nil)
  }

  /// - Throws: `TransformerError.shape` with a sentence that names the numbers.
  package func check() throws {
    func require(_ condition: Bool, _ sentence: @autoclosure () -> String) throws {
      if !condition { throw TransformerError.shape(sentence()) }
    }
    try size.check(style, require)
    let further = streams.count - 1
    try require(
      further > 0 || multiToken == nil, "MTP heads need an objective for tokens further ahead than the next")
    try require(
      further == 0
        || (multiToken != nil && objectives[0].isNextToken
          && (size.blocks > 1 || multiToken == .sequential)),
      "MTP heads need an NTP head beside them and, when parallel, at least one block of trunk below")
    let distances = objectives.compactMap { objective -> Int? in
      guard case .jointToken(let joint) = objective else { return nil }
      return joint.distance
    }
    try require(
      distances.isEmpty || (objectives[0].isNextToken && distances == Array(2...distances.count + 1)),
      "JTP's heads need an NTP head before them, and predict the second token ahead, the third, and so on")
    try require(
      !style.learnsPositions || !size.hasHeadNorms,
      "norms of queries and keys belong to Llama-style networks, and this one is \(size.kind.rawValue)")
    try require(dropout >= 0 && dropout < 1, "a dropout of \(dropout) leaves nothing: it must be from 0 to below 1")
    try require(!objectives.isEmpty, "a network needs something to predict: at least one objective")
  }
}

extension NetworkSize {
  fileprivate func check(
    _ style: NetworkStyle, _ require: (Bool, @autoclosure () -> String) throws -> Void
  ) throws {
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
  }
}
