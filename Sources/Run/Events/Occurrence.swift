// A line of the log: what was asked, done, refused or noticed, by whom and at which step.

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
    /// A checkpoint is complete on disk. `new` is its size in bytes; `key` is `best`, `spoilt` or empty.
    case saved
    /// Something looks wrong, and the run goes on: `key` says what (`AlertKind`), `new` is the value that gave rise to it.
    case alert
    /// A command was refused; the text says why.
    case refused
    /// A loss or gradient was not finite: the step was not taken and the run paused itself.
    case diverged
    /// Something a user should know; something that went wrong. A notice with the key `limit` reports the machine's limit: `new` is
    /// in tokens per second.
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

  /// The key of a saved checkpoint whose weights are spoilt: its loss is far above what it was, or a norm has exploded.
  package static let spoilt = "spoilt"

  /// How the line of a change ends that took the last one back.
  package static let undone = ", undone"

  package var kind: Subject
  package var step: Int
  /// The number of tokens that the run had seen at the step; nil where that is not known. The run file has it in the step's row.
  package var tokens: Int?
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

  /// True if the occurrence takes a change back.
  package var isUndone: Bool { text.hasSuffix(Self.undone) }

  /// True if the run file keeps the occurrence: every one but the program's answers to itself.
  package var isRecorded: Bool { kind != .done || actor != .program }

  /// True for an answer that alone says who asked for something which the run then did; other answers repeat what the events say.
  package var tellsWhoAsked: Bool {
    kind == .done && actor != .program && ["evaluate", "generate", "until", "stop", "abandon", "detach"].contains(key)
  }
}
