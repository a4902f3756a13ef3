// What happened in a run, as values. The screen, `--json` and the run file all read these; there is no second path.

/// Something that happened. The trainer sends it, the session's hub numbers it, and every subscriber receives it.
package enum Event: Codable, Sendable, Equatable {
  /// A session began: of a new run, or of a resumed run.
  case began(Beginning)
  /// One optimizer step was taken.
  case stepped(StepReport)
  /// Many optimizer steps of a stored run, summed up for a screen. A live run reports every step.
  case summedUp(StepsReport)
  /// The held-out part was evaluated.
  case evaluated(Evaluation)
  /// The TOP head's ranking at one held-out position.
  case ordered(OrderSample)
  /// The network generated text.
  case wrote(TextSample)
  /// A line of the log: a command carried out or refused, a checkpoint saved, a pause, a warning.
  case occurred(Occurrence)
  /// The event with this number, an occurrence for which `needsConfirmation` holds, is on the disk: a crash cannot undo
  /// it any more. Only in a live run.
  case confirmed(number: Int)
  /// Events that were left out for a slow subscriber; the run file has them all. Only in a live run.
  case gap(EventGap)
  /// The session ended; nothing comes after this.
  case ended(Ending)
}

/// The first event of a session, with everything that a screen needs for its labels.
package struct Beginning: Codable, Sendable, Equatable {
  /// The run's name: the folder in `runs/`.
  package var name: String
  package var recipe: Recipe
  /// The step of the checkpoint from which the session continues; 0 for a new run.
  package var step: Int
  /// Tokens seen before this session.
  package var tokens: Int
  /// Unix time, seconds.
  package var time: Double
  /// Number of trained parameters.
  package var parameters: Int
  /// Number of compute threads.
  package var threads: Int
  /// `bf16` or `fp32`: the precision that `auto` selects on this CPU.
  package var precision: String
  /// A description of the corpus in one line: `kjv.txt, 31 102 lines, 1.2 M tokens, sentencepiece 4096`.
  package var corpus: String
  /// Size of the vocabulary.
  package var vocabulary: Int
  /// Training tokens and held-out tokens of the corpus.
  package var trainingTokens: Int
  package var heldOutTokens: Int
  /// Entropy of the corpus's single-token distribution in nats: the loss of a model that knows only frequencies.
  package var unigramEntropy: Double
  /// Where a branch comes from; nil for a run that began by itself.
  package var parent: ParentRun?
  /// What computes; nil in sessions of older foretops, which did not record it.
  package var place: ComputingPlace?

  package init(
    name: String, recipe: Recipe, step: Int, tokens: Int, time: Double, parameters: Int, threads: Int,
    precision: String, corpus: String, vocabulary: Int, trainingTokens: Int, heldOutTokens: Int, unigramEntropy: Double
  ) {
    self.name = name
    self.recipe = recipe
    self.step = step
    self.tokens = tokens
    self.time = time
    self.parameters = parameters
    self.threads = threads
    self.precision = precision
    self.corpus = corpus
    self.vocabulary = vocabulary
    self.trainingTokens = trainingTokens
    self.heldOutTokens = heldOutTokens
    self.unigramEntropy = unigramEntropy
  }
}

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
  package var data = 0.0
  package var forward = 0.0
  package var heads = 0.0
  package var backward = 0.0
  package var update = 0.0

  package init(data: Double = 0, forward: Double = 0, heads: Double = 0, backward: Double = 0, update: Double = 0) {
    self.data = data
    self.forward = forward
    self.heads = heads
    self.backward = backward
    self.update = update
  }

  package var total: Double { data + forward + heads + backward + update }
}

/// Losses on the held-out part.
package struct Evaluation: Codable, Sendable, Equatable {
  package var step: Int
  package var tokens: Int
  /// Unix time, seconds.
  package var time: Double
  package var losses: [HeadLoss]
  /// Rank quality of the TOP head; nil if there is none.
  package var order: OrderQuality?
  /// Of star graphs, the share whose first 1, 2, … tokens of the path greedy decoding writes right; empty for text. The last
  /// is that of whole paths.
  package var paths: [Float] = []
  /// True if the NTP loss (or the first head's) is the lowest of this run so far.
  package var isBest: Bool
  /// Duration of the evaluation, in seconds.
  package var seconds: Double

  package init(
    step: Int, tokens: Int, time: Double, losses: [HeadLoss], order: OrderQuality? = nil, paths: [Float] = [],
    isBest: Bool, seconds: Double
  ) {
    self.paths = paths
    self.step = step
    self.tokens = tokens
    self.time = time
    self.losses = losses
    self.order = order
    self.isBest = isBest
    self.seconds = seconds
  }
}

/// The TOP head at one held-out position: the true order of the upcoming tokens, and the head's ranking.
package struct OrderSample: Codable, Sendable, Equatable {
  /// An upcoming token.
  package struct Upcoming: Codable, Sendable, Equatable {
    /// The token's text, in visible form (see `Visible` in Corpus).
    package var token: String
    /// How many tokens ahead it first occurs: 1 is next.
    package var distance: Int
    /// Its share of the target distribution.
    package var weight: Float
    /// Its place in the head's ranking of the whole vocabulary: 1 is first.
    package var rank: Int

    package init(token: String, distance: Int, weight: Float, rank: Int) {
      self.token = token
      self.distance = distance
      self.weight = weight
      self.rank = rank
    }
  }

  package var step: Int
  /// Which of the fixed probes this is, from 0, and how many there are.
  package var probe: Int
  package var probes: Int
  /// The text before the position, oldest first, in visible form.
  package var context: [String]
  /// The distinct upcoming tokens, nearest first.
  package var upcoming: [Upcoming]
  /// The head's first choices, best first, in visible form.
  package var ranking: [String]
  /// Quality of the ranking at this position: NDCG@8, Kendall τ over the listed tokens, recall@8, 1/rank of the next
  /// token.
  package var ndcg8: Float
  package var tau: Float
  package var recall8: Float
  package var reciprocalRank: Float
  /// The likeliest token of each MTP head beyond the first at this position; nil in samples of older foretops.
  package var further: [Expectation.FurtherChoice]?

  package init(
    step: Int, probe: Int, probes: Int, context: [String], upcoming: [Upcoming], ranking: [String], ndcg8: Float,
    tau: Float, recall8: Float, reciprocalRank: Float
  ) {
    self.step = step
    self.probe = probe
    self.probes = probes
    self.context = context
    self.upcoming = upcoming
    self.ranking = ranking
    self.ndcg8 = ndcg8
    self.tau = tau
    self.recall8 = recall8
    self.reciprocalRank = reciprocalRank
  }
}

/// Text that the network generated.
package struct TextSample: Codable, Sendable, Equatable {
  package var step: Int
  package var prompt: String
  /// The text after the prompt.
  package var text: String

  package init(step: Int, prompt: String, text: String) {
    self.step = step
    self.prompt = prompt
    self.text = text
  }
}

/// A line of the run's log.
package struct Occurrence: Codable, Sendable, Equatable {
  package enum Subject: String, Codable, Sendable, CaseIterable {
    /// The session began, or continues from a checkpoint.
    case start
    /// A command changed the learning rate. `old` and `new` are rates.
    case rate
    /// A command changed the weight of a loss. `key` is the head, `old` and `new` are weights.
    case weight
    /// A command changed a number of the recipe. `key` is the recipe's key, `old` and `new` are its values.
    case setting
    /// Training waits; goes on.
    case pause, proceed
    /// A checkpoint is complete on disk. `new` is its size in bytes.
    case saved
    /// Something looks wrong, and the run goes on: `key` says what (`AlertKind`), `new` is the value that gave rise to it.
    case alert
    /// A command was refused; the text says why.
    case refused
    /// A loss or gradient was not finite: the step was not taken and the run paused itself.
    case diverged
    /// Something a user should know; something that went wrong.
    case notice, warning, failure
    /// The run goes back to a checkpoint, as a branch: the last line of the parent, and the first one of the branch. `new` is
    /// the step.
    case branch
    /// A batch is left out: no step was taken with it. `new` is the data position after it, in windows.
    case skip
    /// The session ended.
    case end
    /// A request was carried out that no other occurrence reports, such as an evaluation. `isRecorded` says whether the
    /// run file keeps the answer.
    case done
  }

  package enum Actor: Sendable, Hashable {
    /// The program itself, a key, the command line of `foretop resume`, a signal.
    case program, key, commandLine, signal
    /// A line typed after `:` on the screen, `foretop tell`, another peer of the control socket.
    case typed, tell, socket
    /// The program, where a step was out of line: see the recipe's keys `guard`.
    case `guard`
    /// The screen of another process, which has this number: `foretop attach`.
    case attached(Int)
  }

  package var kind: Subject
  package var step: Int
  /// Unix time, seconds.
  package var time: Double
  /// The changed value: `rate` for the learning rate, a head for its weight, or a recipe's key. In a refusal, the
  /// refused command (`Command.word`). Otherwise empty.
  package var key: String
  package var old: Double?
  package var new: Double?
  package var actor: Actor
  /// The number of the request that this answers: it was carried out at `step`, or is refused. The run file does not
  /// keep the number, since every session numbers its requests from 1.
  package var request: Int?
  /// One line for a person.
  package var text: String
  /// What the heads expect after a text, where that was asked for. The run file keeps the line alone.
  package var expectation: Expectation?

  package init(
    _ kind: Subject, step: Int, time: Double, key: String = "", old: Double? = nil, new: Double? = nil,
    actor: Actor = .program, request: Int? = nil, text: String
  ) {
    self.kind = kind
    self.step = step
    self.time = time
    self.key = key
    self.old = old
    self.new = new
    self.actor = actor
    self.request = request
    self.text = text
  }

  /// True for a change of the rate, of a weight or of a setting, which a crash could undo until the journal is on the disk.
  /// Other occurrences need no confirmation.
  package var needsConfirmation: Bool { kind == .rate || kind == .weight || kind == .setting }

  /// True if the run file keeps the occurrence. Of the answers of kind `done` it keeps those that say who asked for
  /// something that the run then did.
  package var isRecorded: Bool {
    kind != .done || (actor != .program && ["evaluate", "generate", "until", "stop", "detach"].contains(key))
  }
}

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
