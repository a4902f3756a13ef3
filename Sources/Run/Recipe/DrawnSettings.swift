// Inputs that an earlier state of the network draws, in place of some tokens of the text.

extension Recipe {
  /// Batch-scheduled sampling (arXiv 2410.14655): the network reads x[t] with probability 1 − ε, and else a token that a frozen copy of it
  /// draws after x[0] … x[t−1]; what it predicts is the text in any case.
  package struct DrawnSettings: Codable, Sendable, Equatable {
    /// ε; 0 reads the text alone.
    package var share = 0.0
    /// Steps in which ε rises linearly to its value; 0: ε has its value from the first step on.
    package var rise = 0
    /// Steps between renewals of the frozen copy.
    package var every = 100
    /// Whether positions whose own input was drawn have no loss.
    package var mask = false

    package init() {}

    package var isOn: Bool { share > 0 }

    /// ε at a step.
    /// - Parameter step: steps taken before it.
    package func share(at step: Int) -> Double {
      rise > 0 ? share * min(1, Double(step) / Double(rise)) : share
    }
  }
}
