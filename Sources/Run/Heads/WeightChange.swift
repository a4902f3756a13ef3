// A change of λ, the weight of a loss in the total loss, during the run.

/// A new weight of one head's loss. The head stays: at 0 its loss is still measured, but does not train the network.
package struct WeightChange: Codable, Sendable, Equatable {
  package var head: Head
  package var weight: Double
  /// True if `weight` is a factor of the present weight.
  package var isFactor = false

  package init(_ head: Head, to weight: Double) {
    self.head = head
    self.weight = weight
  }

  /// Reads what a user types: `0.5`, or a factor of the present weight, which need not be known: `x0.5`, `×2`.
  /// - Throws: `UserError` when the text is neither, or is out of range.
  package init(typed: String, for head: Head) throws {
    guard case .factor(let factor) = try TypedNumber(typed, what: "weight", examples: ("0.5", "x2")) else {
      try self.init(typed: typed, for: head, now: 1)
      return
    }
    guard factor >= 0 else {
      throw UserError(.usage, "a factor must not be negative, but \(typed.quotation) is")
    }
    self.init(head, to: factor)
    isFactor = true
  }

  /// This change without a factor, for the present weight.
  package func resolved(now: Double) -> WeightChange { WeightChange(head, to: isFactor ? now * weight : weight) }

  /// The change from the present weight, if it is by more than ten times; nil if it is not, and where either weight is 0.
  package func jump(from old: Double) -> LargeChange? {
    let new = resolved(now: old).weight
    return old > 0 && new > 0 && LargeChange.isLarge(from: old, to: new) ? LargeChange(old: old, new: new) : nil
  }

  /// Reads what a user types: `0.5`, or a factor of the present weight: `x0.5`, `×2`.
  /// - Throws: `UserError` when the text is neither, or is out of range.
  package init(typed: String, for head: Head, now: Double) throws {
    switch try TypedNumber(typed, what: "weight", examples: ("0.5", "x2")) {
    case .value(let weight): self.init(head, to: weight)
    case .factor(let factor): self.init(head, to: now * factor)
    }
    guard isInRange else {
      throw UserError(.usage, "a weight must be from 0 to \(Int(Self.largest)), and \(typed.quotation) is not")
    }
  }

  /// The largest weight that is taken.
  package static let largest = 100.0

  package var isInRange: Bool { Self.bounds.contains(weight) }

  private static let bounds = Recipe.Field.Bounds(lower: .including(0), upper: .including(largest), use: .float)
}
