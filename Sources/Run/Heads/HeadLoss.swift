// What a head lost, in a step or in an evaluation.

/// The loss of one head over the positions with a target.
package struct HeadLoss: Codable, Sendable, Equatable {
  package var head: Head
  /// Mean cross-entropy in nats; 0 if there are no such positions.
  package var loss: Float
  /// Loss minus the entropy of the targets, in nats: can reach 0. Only for heads that have a floor.
  package var kl: Float?
  /// Top-1 accuracy, measured in evaluations for heads that predict one token.
  package var accuracy: Float?
  /// λ, the factor of this loss in the total.
  package var weight: Float
  /// Number of positions with a target.
  package var positions: Int

  package init(
    head: Head, loss: Float, kl: Float? = nil, accuracy: Float? = nil, weight: Float = 1, positions: Int
  ) {
    self.head = head
    self.loss = loss
    self.kl = kl
    self.accuracy = accuracy
    self.weight = weight
    self.positions = positions
  }
}
