// What the guard remembers of the losses: whether a step is out of line, and whether the weights have come to harm.

/// A step that the guard takes for a spike.
package enum GuardAlarm: Sendable, Equatable {
  /// The loss, and how many standard deviations it is above the smoothed one.
  case loss(Double, deviations: Double)
  /// The gradient's norm, and how many times the smoothed one it is.
  case norm(Double, times: Double)

  /// To continue a sentence: `the loss is 7.1, 12 standard deviations above the smoothed one`.
  package var words: String {
    switch self {
    case .loss(let loss, let deviations):
      "the loss is \(Figure.loss(loss)), \(Figure.fixed(deviations.rounded(.down), 0)) standard deviations above the smoothed one"
    case .norm(let norm, let times):
      "the gradient's norm is \(Figure.loss(norm)), \(Figure.fixed(times.rounded(.down), 0)) times the smoothed one"
    }
  }
}

/// Smoothed numbers of the steps so far. A part of the training state: a run that goes on from a checkpoint judges as it did.
package struct GuardState: Codable, Sendable, Equatable {
  /// Steps that were taken in.
  package private(set) var steps = 0
  /// Loss of the first head, nats: smoothed over some fifty steps, its variance, and smoothed over ten steps.
  private var mean = 0.0
  private var variance = 0.0
  private var recent = 0.0
  /// Norm of the gradients, smoothed over some fifty steps.
  private var norm = 0.0
  /// The lowest value of `recent`.
  package private(set) var lowest = Double.infinity
  /// How many steps in a row `recent` has been far above that.
  private var high = 0
  /// Whether the weights were spoilt and have not recovered since; nil as false, which earlier versions stored.
  private var isHarmed: Bool?
  /// Whether a tensor was far larger than before when the state was saved.
  package var isExploded = false
  /// Whether the last step was a spike, which was said.
  package private(set) var isAlarmed = false

  package init() {}

  /// Steps before anything is judged.
  private static let patience = 50
  /// Steps in a row with a loss far above the lowest, after which the weights are taken for spoilt.
  private static let mostHigh = 20
  private static let (mostDeviations, mostTimes) = (8.0, 30.0)

  /// The loss over ten steps, nats.
  package var recentLoss: Double { recent }

  /// A loss that only weights have that came to harm.
  package var limit: Double { 1.5 * lowest + 0.5 }

  /// Whether the loss is far above what it was: a checkpoint of now is not to be trusted.
  package var isSuspect: Bool { isHigh || isExploded || isHarmed == true }
  /// Whether the loss over ten steps is above the limit.
  package var isHigh: Bool { high > 0 }
  /// Whether it has been that for a while.
  package var isSpoilt: Bool { high >= Self.mostHigh }
  /// Whether the last step made the weights count as spoilt.
  package var hasJustSpoilt: Bool { high == Self.mostHigh }

  /// Whether numbers can have come from training, in a file from somebody else.
  package var isPossible: Bool { (0..<1 << 53).contains(steps) && (0..<1 << 53).contains(high) }

  private var deviation: Double { max(variance.squareRoot(), 0.01 * abs(mean), 1e-3) }

  /// What is wrong with a step, before its update is made; nil where nothing is.
  package func alarm(loss: Double, norm: Double) -> GuardAlarm? {
    guard steps >= Self.patience else { return nil }
    let deviations = (loss - mean) / deviation
    if deviations > Self.mostDeviations { return .loss(loss, deviations: deviations) }
    let times = norm / max(self.norm, 1e-12)
    return times > Self.mostTimes ? .norm(norm, times: times) : nil
  }

  /// Takes a step in that was taken.
  package mutating func take(loss: Double, norm: Double) {
    isAlarmed = alarm(loss: loss, norm: norm) != nil
    steps += 1
    // The first values count equally. Later a spike enters the mean only up to the largest value that is not a spike.
    let share = max(1 / Double(steps), 0.02)
    let isJudged = steps > Self.patience
    let seen = isJudged ? min(loss, mean + Self.mostDeviations * deviation) : loss
    let difference = seen - mean
    mean += share * difference
    variance = (1 - share) * (variance + share * difference * difference)
    self.norm += share * ((isJudged ? min(norm, Self.mostTimes * self.norm) : norm) - self.norm)
    recent += max(1 / Double(steps), 0.1) * (loss - recent)
    guard isJudged else { return }
    lowest = min(lowest, recent)
    high = recent > limit ? high + 1 : 0
    // Spoilt weights count as sound again only when the loss is near its lowest; below the limit is not enough.
    if isSpoilt { isHarmed = true } else if recent <= 1.1 * lowest + 0.1 { isHarmed = nil }
  }
}
