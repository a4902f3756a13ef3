// Conditions at which a run pauses by itself: `until 2000`, `until loss<3.2`.

/// A condition at which the run pauses.
package enum PauseCondition: Codable, Sendable, Equatable {
  /// The run has taken this number of steps.
  case step(Int)
  /// A step's training loss of the first head (NTP where the run has it) is below this, in nats.
  case lossBelow(Double)

  /// Reads what a user types: `2000`, `step 2000`, `loss<3.2`.
  /// - Throws: `UserError` when the text is neither.
  package init(typed: String) throws {
    var text = typed.filter { !$0.isWhitespace }
    if text.hasPrefix("loss<") {
      guard let loss = Double(text.dropFirst(5)), loss.isFinite, loss > 0 else {
        throw UserError(.usage, "\(typed.quotation) has no loss above 0 after “<”: type for example loss<3.2")
      }
      self = .lossBelow(loss)
      return
    }
    if text.hasPrefix("step") { text = String(text.dropFirst(4)) }
    guard let step = Int(text.filter { $0 != "_" }), step > 0, RunState.isPlausible(step) else {
      throw UserError(.usage, "\(typed.quotation) is neither a step nor a loss: type for example 2000, or loss<3.2")
    }
    self = .step(step)
  }

  /// As a user types it.
  package var text: String {
    switch self {
    case .step(let step): "step \(step)"
    case .lossBelow(let loss): "loss<\(loss)"
    }
  }

  /// True if a step reaches the condition.
  package func isReached(by report: StepReport) -> Bool {
    switch self {
    case .step(let step): report.step >= step
    case .lossBelow(let limit): report.losses.first.map { Double($0.loss) < limit } ?? false
    }
  }
}
