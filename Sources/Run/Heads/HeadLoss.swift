// What a head lost, in a step or in an evaluation.

/// The loss of one head over the positions with a target.
package struct HeadLoss: Codable, Sendable, Equatable {
  package var head: Head
  /// Mean cross-entropy in nats; 0 if there are no such positions.
  package var loss: Float
  /// The mean loss that is trained, where that is another one than `loss` (see `Recipe.NextTokenSettings`).
  package var trained: Float?
  /// Mean entropy of the predictions in nats, where the trained loss depends on them.
  package var entropy: Float?
  /// Loss minus the entropy of the targets, in nats: can reach 0. Only for heads that have a floor.
  package var kl: Float?
  /// Top-1 accuracy, measured in evaluations for heads that predict one token.
  package var accuracy: Float?
  /// ‖∂(λ · loss)/∂h‖, h [M, d] being the final hidden states that the head reads, over the first rows of the held-out part:
  /// measured in evaluations.
  package var gradientAtH: Float?
  /// λ, the factor of this loss in the total.
  package var weight: Float
  /// Number of positions with a target.
  package var positions: Int

  package init(
    head: Head, loss: Float, kl: Float? = nil, accuracy: Float? = nil, weight: Float = 1, positions: Int,
    gradientAtH: Float? = nil, trained: Float? = nil, entropy: Float? = nil
  ) {
    self.head = head
    self.loss = loss
    self.kl = kl
    self.accuracy = accuracy
    self.weight = weight
    self.positions = positions
    self.gradientAtH = gradientAtH
    self.trained = trained
    self.entropy = entropy
  }
}
