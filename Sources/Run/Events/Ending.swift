// The last event of a session.

/// How a session ended.
package struct Ending: Codable, Sendable, Equatable {
  package enum Reason: String, Codable, Sendable {
    /// All steps of the recipe are taken.
    case finished
    /// Stopped on request, after saving.
    case stopped
    /// Ended on request, without saving.
    case abandoned
    /// A loss or gradient was not finite, and no user could decide how to continue.
    case diverged
    /// A failure, which the last occurrence describes.
    case failed
  }

  package var reason: Reason
  package var step: Int
  /// Unix time, seconds.
  package var time: Double

  package init(_ reason: Reason, step: Int, time: Double) {
    self.reason = reason
    self.step = step
    self.time = time
  }
}
