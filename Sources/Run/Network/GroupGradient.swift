// What the last step before an evaluation did to a part of the network.

/// A part of a network: the gradient of the last step, and how far that step moved the weights.
package struct GroupGradient: Codable, Sendable, Equatable {
  package var group: TensorGroup
  /// The Euclidean norm of the part's gradient before clipping; NaN where it is unknown.
  package var norm: Float
  /// ‖Δw‖ / ‖w‖ over the part's weights, Δw being the whole update with weight decay; NaN where it is unknown.
  package var update: Float

  package init(group: TensorGroup, norm: Float = .nan, update: Float = .nan) {
    self.group = group
    self.norm = norm
    self.update = update
  }
}

extension [GroupGradient] {
  mutating func update(_ group: TensorGroup, _ change: (inout GroupGradient) -> Void) {
    if !contains(where: { $0.group == group }) { append(GroupGradient(group: group)) }
    for index in indices where self[index].group == group { change(&self[index]) }
  }
}
