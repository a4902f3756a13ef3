// The numbers of a training state: where the run is, and what its users changed.

/// The small part of a training state. Random streams and the order of the data are functions of seed, step and window
/// number, so that only these numbers need to be saved.
package struct TrainerState: Codable, Sendable, Equatable {
  /// Optimizer steps taken.
  package var step: Int
  /// Tokens seen.
  package var tokens: Int
  /// Windows of the training part handed out so far: the data position.
  package var window: Int
  package var seed: UInt64
  package var threads: Int
  /// Processes that train together, each with as many threads; nil for one.
  package var ranks: Int?
  /// The factor of the user's changes on the scheduled learning rate.
  package var rateFactor: Double
  /// Weights λ of heads that the user changed from the recipe's, by the head's name; nil if none was changed.
  package var weights: [String: Double]?
  /// Numbers of the recipe that the user changed in this run, by key; nil if none was changed.
  package var settings: [String: Double]?
  /// The prompt of the texts that are shown, where the user changed it from the recipe's.
  package var prompt: String?
  /// Seconds of training without pauses.
  package var active: Double
  /// The lowest held-out loss so far; infinite before the first evaluation.
  package var bestLoss: Float
  /// What the guard remembers of the losses; nil before the first step, and after a change that other losses follow.
  package var guarded: GuardState?
  /// How the recipe's `stop` has judged the evaluations so far; nil where it asks for nothing.
  package var stop: StopRule.StopProgress?
  /// True if the evaluation that was due at this step was cut short by a stop; nil where none is missing.
  package var owesEvaluation: Bool?

  package init(
    step: Int = 0, tokens: Int = 0, window: Int = 0, seed: UInt64, threads: Int, rateFactor: Double = 1,
    active: Double = 0, bestLoss: Float = .infinity
  ) {
    self.step = step
    self.tokens = tokens
    self.window = window
    self.seed = seed
    self.threads = threads
    self.rateFactor = rateFactor
    self.active = active
    self.bestLoss = bestLoss
  }
}
