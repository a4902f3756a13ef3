// The numbers of a memory layer that an evaluation has: how its table was used since the evaluation before, and what it adds to the
// stream.

/// A memory layer at an evaluation. NaN stands for what is not known.
package struct MemoryUse: Codable, Sendable, Equatable {
  /// The block that has the layer.
  package var group: TensorGroup
  /// The share of the table's rows that were picked since the evaluation before, or since this session began.
  package var used = Float.nan
  /// The entropy of use over the same steps, 1 for even use.
  package var entropy = Float.nan
  /// The share of rows that no token picked in the last 1 000 steps of this session.
  package var dead = Float.nan
  /// The share of picks of the most used row.
  package var most = Float.nan
  /// On held-out rows: the score of the worst pick above that of the best pair left out, by the score of the best pick above that of
  /// the worst, both as means.
  package var gap = Float.nan
  /// On held-out rows: the standard deviations of what the layer adds to the stream, and of what the MLP beside it adds.
  package var output = Float.nan
  package var feedForward = Float.nan

  package init(group: TensorGroup) { self.group = group }

  /// The numbers by name, as columns of files and keys of JSON have them.
  package static var numbers:
    [(name: String, key: String, about: String, place: WritableKeyPath<MemoryUse, Float> & Sendable)]
  {
    [
      ("used", "used", "share of the table's rows that were picked since the evaluation before", \.used),
      ("entropy", "entropy", "entropy of the rows' picks by that of even use", \.entropy),
      ("dead", "dead", "share of the table's rows that no token picked in the last 1 000 steps", \.dead),
      ("most", "most", "share of the picks that the most used row has", \.most),
      ("gap", "gap", "score of the last pick above the first pair left out, by the range of picked scores", \.gap),
      ("output", "output", "standard deviation of what the memory layer adds to the stream", \.output),
      ("mlp", "mlp", "standard deviation of what the MLP beside the memory layer adds", \.feedForward),
    ]
  }

  /// The share of dead rows from which a table counts as dying.
  package static let deadLimit = 0.5

  /// What the names of its columns begin with, below `/heldout`.
  package static let columns = "memory-"
}

extension [MemoryUse] {
  mutating func update(_ group: TensorGroup, _ change: (inout MemoryUse) -> Void) {
    if !contains(where: { $0.group == group }) { append(MemoryUse(group: group)) }
    for index in indices where self[index].group == group { change(&self[index]) }
  }
}

extension Metric where Report == Evaluation {
  /// The columns of a memory layer.
  static func memory(of group: TensorGroup) -> [Metric] {
    MemoryUse.numbers.map { number in
      let place = number.place
      return Metric(
        path: "\(MemoryUse.columns)\(number.name)/\(group.name)", key: "memory.\(number.key).\(group.name)",
        storage: .float32, unit: "1", longName: "\(number.about), of \(group.name)", isOptional: true,
        value: { evaluation in
          guard let use = evaluation.memories.first(where: { $0.group == group }) else { return nil }
          let value = use[keyPath: place]
          return value.isNaN ? nil : Double(value)
        },
        restore: { evaluation, value in evaluation.memories.update(group) { $0[keyPath: place] = Float(value) } })
    }
  }
}

extension Recipe {
  /// The blocks that have a memory layer, in the order of blocks.
  package var memoryGroups: [TensorGroup] {
    shape(vocabulary: 1).tensors.filter { $0.role == .memoryFilter }.map(\.section)
  }
}
