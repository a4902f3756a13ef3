// What a user types for a rate or a weight.

/// A number, `3e-4`, or a factor of the present one: `x0.5`, `×2`, `*2`.
enum TypedNumber: Equatable {
  case value(Double)
  case factor(Double)

  /// Reads what was typed.
  /// - Parameters:
  ///   - what: what is wanted, for the message: “rate”.
  ///   - examples: a number and a factor that make sense.
  /// - Throws: `UserError` when it is neither, or not finite.
  init(_ typed: String, what: String, examples: (value: String, factor: String)) throws {
    let text = typed.trimmingSpaces
    let isFactor = text.hasPrefix("x") || text.hasPrefix("×") || text.hasPrefix("*")
    guard let number = Double(isFactor ? String(text.dropFirst()).trimmingSpaces : text), number.isFinite else {
      throw UserError(
        .usage,
        "\(typed.quotation) is not a \(what): type a number such as \(examples.value), or a factor such as \(examples.factor)"
      )
    }
    self = isFactor ? .factor(number) : .value(number)
  }
}
