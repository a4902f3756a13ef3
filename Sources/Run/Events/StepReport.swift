// One optimizer step in numbers, and where its time went.

/// One optimizer step.
package struct StepReport: Codable, Sendable, Equatable {
  /// Steps taken, this one included: the first step is 1.
  package var step: Int
  /// Tokens seen, this step's included.
  package var tokens: Int
  /// Unix time at the end of the step, seconds.
  package var time: Double
  /// Seconds of training since the run began, without pauses, over all sessions.
  package var active: Double
  /// Σ weight × loss, nats.
  package var total: Float
  package var losses: [HeadLoss]
  /// The learning rate of this step, including the user's changes.
  package var rate: Double
  /// The Euclidean norm of all gradients before clipping.
  package var gradientNorm: Float
  package var tokensPerSecond: Double
  package var phases: Phases

  package init(
    step: Int, tokens: Int, time: Double, active: Double, total: Float, losses: [HeadLoss], rate: Double,
    gradientNorm: Float, tokensPerSecond: Double, phases: Phases
  ) {
    self.step = step
    self.tokens = tokens
    self.time = time
    self.active = active
    self.total = total
    self.losses = losses
    self.rate = rate
    self.gradientNorm = gradientNorm
    self.tokensPerSecond = tokensPerSecond
    self.phases = phases
  }
}

/// The time of each phase of a step, in seconds.
package struct Phases: Codable, Sendable, Equatable {
  package var data, forward, heads, backward, update: Double

  package init(data: Double = 0, forward: Double = 0, heads: Double = 0, backward: Double = 0, update: Double = 0) {
    self.data = data
    self.forward = forward
    self.heads = heads
    self.backward = backward
    self.update = update
  }

  package var total: Double { data + forward + heads + backward + update }
}
