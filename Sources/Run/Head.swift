// What the network is trained to predict. The name of a head is the same in recipes, charts, JSON and run files.

/// A prediction head, and the loss it is trained on.
package enum Head: Hashable, Codable, Sendable {
  /// The next token: cross-entropy at x[t+1]. This head is the one used for generation.
  case ntp
  /// Multi-token prediction: cross-entropy at x[t+n], n = 2, 3, … What is 1 is `ntp`.
  case mtp(Int)
  /// Token order prediction (arXiv 2508.19228, equation 5): the upcoming tokens, ranked by how soon they come.
  case top

  /// Every head there can be, in the order of every output.
  package static let all = [Head.ntp] + (2...most).map(Head.mtp) + [.top]

  /// The largest n of `mtp`.
  package static let most = 16

  /// `ntp`, `mtp-2`, `top`.
  package var name: String {
    switch self {
    case .ntp: "ntp"
    case .mtp(let n): "mtp-\(n)"
    case .top: "top"
    }
  }

  /// Whether its loss has a floor above zero (the entropy of its targets), so that its KL divergence is reported too.
  package var hasFloor: Bool { self == .top }
}

/// What one head lost over the positions that count for it.
package struct HeadLoss: Codable, Sendable, Equatable {
  package var head: Head
  /// Mean cross-entropy in nats; 0 where no position counts.
  package var loss: Float
  /// Loss minus the entropy of the targets, in nats: can reach 0. Only for heads that have a floor.
  package var kl: Float?
  /// λ, the factor of this loss in the total.
  package var weight: Float
  /// How many positions counted.
  package var positions: Int

  package init(head: Head, loss: Float, kl: Float? = nil, weight: Float = 1, positions: Int) {
    self.head = head
    self.loss = loss
    self.kl = kl
    self.weight = weight
    self.positions = positions
  }
}
