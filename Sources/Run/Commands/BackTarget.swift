// Where a run goes back to: `back`, `back 2000`, `back best`, `back before-decay`.

/// A checkpoint of a run.
package enum BackTarget: Codable, Sendable, Equatable {
  /// The newest one, or the newest before the present step.
  case last
  /// That of a step.
  case step(Int)
  /// The one whose held-out loss is the lowest.
  case best
  /// The one that was saved under this name.
  case named(String)

  /// Reads what a user types: `2000`, `best`, `last`, or the name of a checkpoint.
  /// - Throws: `UserError` with a sentence when it is none of these.
  package init(typed: String) throws {
    switch typed.trimmingSpaces {
    case "last": self = .last
    case "best": self = .best
    case let text where !text.isEmpty && text.allSatisfy({ $0.isNumber || "_+-".contains($0) }):
      guard let step = Int(text.filter { $0 != "_" }), step >= 0, step < 1 << 50 else { throw Self.refusal(typed) }
      self = .step(step)
    case let text:
      guard !text.isEmpty, !text.contains(where: \.isWhitespace) else { throw Self.refusal(typed) }
      self = .named(text)
    }
  }

  private static func refusal(_ typed: String) -> UserError {
    UserError(
      .usage,
      "\(typed.quotation) is not a checkpoint: type the step of one, such as 2000, its name, or best, or last")
  }

  /// As it is typed.
  package var text: String {
    switch self {
    case .last: "last"
    case .best: "best"
    case .step(let step): "\(step)"
    case .named(let name): name
    }
  }
}
