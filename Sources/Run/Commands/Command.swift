// Commands of users to a run. Keys, lines of the language (`CommandForm`), signals and the control socket make them;
// the trainer handles them between two micro-batches.

/// A command to the trainer.
package enum Command: Codable, Sendable, Equatable {
  case pause
  /// Continue after a pause.
  case proceed
  /// Take so many steps, at least 1, and pause.
  case step(Int)
  /// Continue, and pause when the condition is reached.
  case until(PauseCondition)
  case rate(RateChange)
  case weight(WeightChange)
  /// Change a number of the recipe.
  case setting(SettingChange)
  /// Change how the schedule of the rate goes on.
  case course(CourseChange)
  /// Change the prompt of the texts that are shown.
  case prompt(String)
  /// Take back the last change of rate, weight or setting.
  case undo
  /// Add a note to the run, checked by `Annotation`.
  case note(String)
  /// Write a checkpoint now.
  case save
  /// Write a checkpoint now that has a name, checked by `CommandText`.
  case saveAs(String)
  /// Evaluate the held-out part now.
  case evaluate
  /// Write text from the recipe's prompt now.
  case generate
  /// Write text from a prompt of its own now.
  case generateFrom(String)
  /// Say which tokens the heads expect after a text.
  case ask(String)
  /// Measure the machine's limit now.
  case limit
  /// Show the next, or another, TOP probe (an index, taken modulo the number of probes).
  case probe(Int)
  /// End the session; with `saving`, after a checkpoint.
  case stop(saving: Bool)
  /// Leave one batch out, as the guard did before: only a replay asks for that.
  case leaveOut
  /// Go back to a checkpoint: the run stops, and goes on from there as a branch.
  case back(BackTarget)
  /// Leave the screen; the run continues. Carried out by the program, not by the trainer.
  case detach

  /// Take one step and pause.
  package static let stepOnce = Command.step(1)

  /// The command's name, which a refusal has as `key`.
  package var word: String {
    switch self {
    case .pause: "pause"
    case .proceed: "go"
    case .step: "step"
    case .until: "until"
    case .rate: "rate"
    case .weight(let change): change.name
    case .setting(let change): change.setting.key
    case .course: RunSetting.then.key
    case .prompt: Occurrence.promptKey
    case .undo: "undo"
    case .note: "note"
    case .save, .saveAs: "save"
    case .evaluate: "evaluate"
    case .generate, .generateFrom: "generate"
    case .ask: "ask"
    case .limit: "limit"
    case .probe: "probe"
    case .stop(let saving): saving ? "stop" : "abandon"
    case .leaveOut: "leaveOut"
    case .back: "back"
    case .detach: "detach"
    }
  }
}

/// A change of the learning rate. The rest of the schedule is scaled by the same factor.
package enum RateChange: Codable, Sendable, Equatable {
  /// Multiplies the rate: 1.1 is 10 % more.
  case times(Double)
  /// Sets the rate of the next step.
  case to(Double)

  /// Reads what a user types: `3e-4`, `0.001`, `x0.5`, `×2`.
  /// - Throws: `UserError` when the text is neither, or is out of range.
  package init(typed: String) throws {
    let value: Double
    switch try TypedNumber(typed, what: "rate", examples: ("3e-4", "x0.5")) {
    case .value(let rate): (self, value) = (.to(rate), rate)
    case .factor(let factor): (self, value) = (.times(factor), factor)
    }
    guard value > 0 else { throw UserError(.usage, "a rate must be above 0, and \(typed.quotation) is not") }
    if case .to = self, value > Self.largest {
      throw UserError(
        .usage, "a rate above \(Self.largest) would destroy the weights; \(typed.quotation) was not taken")
    }
  }

  /// The largest learning rate that is accepted.
  package static let largest = 1.0

  /// The learning rates that are accepted.
  package static let bounds = Recipe.Field.Bounds(lower: .excluding(0), upper: .including(largest), use: .float)

  /// The new rate after this change of `rate`.
  package func applied(to rate: Double) -> Double {
    switch self {
    case .times(let factor): rate * factor
    case .to(let value): value
    }
  }
}

/// A command with its sender, and the number that its answer carries.
package struct Request: Codable, Sendable, Equatable {
  /// The request's number, from the session's queue, from 1 on; nil for requests of the program itself, which get no
  /// answer.
  package var id: Int?
  package var command: Command
  package var actor: Occurrence.Actor
  /// True if the sender said yes to a change by more than ten times, or the program makes it: without that, the trainer refuses it.
  package var isSure = true

  package init(_ command: Command, by actor: Occurrence.Actor, id: Int? = nil, isSure: Bool = true) {
    self.id = id
    self.command = command
    self.actor = actor
    self.isSure = isSure
  }
}
