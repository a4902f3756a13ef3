// A change of λ, the weight of a loss in the total loss, during the run.

/// A new weight of one head's loss, or of all heads of a kind. The head stays: at 0 its loss is still measured, but does not train the
/// network.
package struct WeightChange: Codable, Sendable, Equatable {
  package var head: Head
  /// λ; of all heads of a kind, what the recipe's key of that kind has: those of JTP share it, those of MTP have it each.
  package var weight: Double
  /// True if `weight` is a factor of the present weight.
  package var isFactor = false
  /// True if all heads of the head's kind are meant.
  package var isOfKind = false

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

  /// What changes: `top`, `jtp-2`; `jtp` for all heads of that kind.
  package var name: String { isOfKind ? head.kind.name : head.name }

  /// This change of one head without a factor, for the present weight.
  package func resolved(now: Double) -> WeightChange { WeightChange(head, to: isFactor ? now * weight : weight) }

  /// The changes of single heads that this one asks for, without factors; none where a network lacks such heads.
  /// - Parameters:
  ///   - heads: of the network.
  ///   - now: the present weight of each.
  package func parts(among heads: [Head], now: (Head) -> Double) -> [WeightChange] {
    guard isOfKind else { return heads.contains(head) ? [resolved(now: now(head))] : [] }
    let members = heads.filter { $0.kind.name == head.kind.name }
    let sharers = if case .shared = head.kind.weight { Double(max(1, members.count)) } else { 1.0 }
    return members.map { WeightChange($0, to: isFactor ? now($0) * weight : weight / sharers) }
  }

  /// The change from the present weight, if it is by more than ten times; nil if it is not, and where either weight is 0.
  package func jump(from old: Double) -> LargeChange? {
    let new = resolved(now: old).weight
    return old > 0 && new > 0 && LargeChange.isLarge(from: old, to: new) ? LargeChange(old: old, new: new) : nil
  }

  /// The largest change of one head that this one asks for, if that is by more than ten times; nil if it is not.
  /// - Parameters:
  ///   - heads: of the network.
  ///   - now: the present weight of each.
  package func jump(among heads: [Head], now: (Head) -> Double) -> LargeChange? {
    parts(among: heads, now: now).compactMap { $0.jump(from: now($0.head)) }
      .max { LargeChange.distance($0.old, $0.new) < LargeChange.distance($1.old, $1.new) }
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
