// As much of a network as its tensors depend on.

/// A network's numbers, from which names and shapes of all its tensors follow: its sizes, and what its heads add.
@dynamicMemberLookup
package struct NetworkShape: Sendable, Equatable {
  package var size: NetworkSize
  /// Heads with a block of their own, and whether each reads the one before it.
  package var furtherHeads: Int
  package var isSequential: Bool
  /// The names of the unembeddings on the trunk's own hidden states, in order.
  package var unembeddings: [String]
  /// Whether the state reads coming tokens through Fetch, for JTP's heads.
  package var hasFetch: Bool

  package init(
    _ size: NetworkSize, furtherHeads: Int, isSequential: Bool, unembeddings: [String], hasFetch: Bool = false
  ) {
    self.size = size
    self.hasFetch = hasFetch
    self.furtherHeads = furtherHeads
    self.isSequential = isSequential
    self.unembeddings = unembeddings
  }

  package subscript<Number>(dynamicMember path: KeyPath<NetworkSize, Number>) -> Number { size[keyPath: path] }
}

extension Recipe {
  /// The network of this recipe, for a vocabulary of that size.
  package func shape(vocabulary: Int) -> NetworkShape {
    let further = heads.count(where: \.hasBlock)
    return NetworkShape(
      size(vocabulary: vocabulary), furtherHeads: further,
      isSequential: further > 0 && objective.mtp.kind == .sequential, unembeddings: heads.compactMap(\.kind.tensorName),
      hasFetch: heads.contains { $0.kind.target == .jointToken })
  }
}
