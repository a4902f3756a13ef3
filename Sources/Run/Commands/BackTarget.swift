// Where a run goes back to: `back`, `back 2000`, `back best`.

/// A checkpoint of a run.
package enum BackTarget: Codable, Sendable, Equatable {
  /// The newest one, or the newest before the present step.
  case last
  /// That of a step.
  case step(Int)
  /// The one whose held-out loss is the lowest.
  case best

  /// Reads what a user types: `2000`, `best`, `last`.
  /// - Throws: `UserError` with a sentence when it is none of these.
  package init(typed: String) throws {
    switch typed.trimmingSpaces {
    case "last": self = .last
    case "best": self = .best
    case let text:
      guard let step = Int(text.filter { $0 != "_" }), step >= 0, step < 1 << 50 else {
        throw UserError(
          .usage, "\(typed.quotation) is not a checkpoint: type the step of one, such as 2000, or best, or last")
      }
      self = .step(step)
    }
  }

  /// As it is typed.
  package var text: String {
    switch self {
    case .last: "last"
    case .best: "best"
    case .step(let step): "\(step)"
    }
  }
}
