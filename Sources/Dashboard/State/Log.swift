// The lines of the events panel: what happened, and what was asked and not yet done.
import Run
import TerminalUI

/// The subject of a line of the log, the most important first.
enum LogKind: Int, Sendable {
  case alert, person, evaluation, program, saved
}

/// Which lines of the log are shown.
enum EventFilter: String, Sendable, CaseIterable {
  case all, evaluations, saves
  case userActions = "user actions"

  var next: EventFilter {
    switch self {
    case .all: .userActions
    case .userActions: .evaluations
    case .evaluations: .saves
    case .saves: .all
    }
  }

  var words: String {
    switch self {
    case .all: "all, the newest save for all"
    case .userActions: "user actions, and alerts"
    case .evaluations: "evaluations"
    case .saves: "every save"
    }
  }
}

/// A line of the events panel.
struct LogLine: Sendable, Equatable {
  /// Unix time, seconds.
  var time: Double
  var step: Int
  /// False for a line that belongs to no step, such as one of the setting-up.
  var hasStep = true
  var text: String
  var style: Style
  var kind = LogKind.program
  var rank: Int { kind.rawValue }
  /// True if the end of the sentence matters too: an alert, or the answer to a command. What libraries print is a warning, and does
  /// not push these out.
  private(set) var isReadWhole = false
  /// True if the line tells of a saved checkpoint, whoever asked for it.
  private(set) var isSave = false

  init(time: Double, step: Int, text: String, style: Style = .plain, kind: LogKind = .program) {
    self.kind = kind
    self.time = time
    self.step = step
    // One line, whatever somebody put into it.
    self.text = text.contains("\n") ? text.split(separator: "\n").joined(separator: " ") : text
    self.style = style
  }

  init(_ occurrence: Occurrence) {
    let style: Style =
      switch occurrence.kind {
      case .diverged, .failure, .alert: Style(.bad, .bold)
      case .refused, .warning, .skip: Style(.warning)
      case .rate, .weight, .setting: Style(.accent)
      default: .plain
      }
    var text = occurrence.text
    if text.isEmpty { text = occurrence.kind.rawValue }
    switch occurrence.annotation {
    case .note: text = "note: \(text)"
    case .tag: text = "tagged \(text)"
    case .untag: text = "no longer tagged \(text)"
    case nil: break
    }
    if occurrence.actor != .program { text += "  (\(occurrence.actor.words))" }
    let kind: LogKind =
      switch occurrence.kind {
      case .alert, .diverged, .failure: .alert
      // What a person saved is a person's doing.
      case .saved where occurrence.actor == .program: .saved
      default: occurrence.actor == .program ? .program : .person
      }
    self.init(time: occurrence.time, step: occurrence.step, text: text, style: style, kind: kind)
    isReadWhole = kind == .alert || occurrence.kind == .refused
    isSave = occurrence.kind == .saved
  }

  init(_ gap: EventGap, time: Double) {
    self.init(time: time, step: gap.lastStep ?? 0, text: gap.sentence, style: Style(.warning))
  }

  init(_ evaluation: Evaluation) {
    self.init(
      time: evaluation.time, step: evaluation.step,
      text: "held-out " + evaluation.losses.figures(withAccuracy: false)
        + evaluation.shareFigures + (evaluation.isBest ? "  ★ best" : ""),
      style: evaluation.losses.contains { !$0.loss.isFinite } ? Style(.bad, .bold) : Style(.third), kind: .evaluation)
  }

  init(_ ending: Ending) {
    self.init(
      time: ending.time, step: ending.step, text: ending.reason.sentence,
      style: ending.reason.isGood ? Style(.good, .bold) : Style(.bad, .bold))
  }
}

extension Evaluation {
  /// The share of star graphs whose path is right, and of questions that are answered right: `  paths .970`, `  task .412`; nothing
  /// where neither is measured.
  package var shareFigures: String {
    [("paths", paths.last), ("task", taskAccuracy)].compactMap { name, share in
      share.map { "  \(name) \(Figure.quality($0))" }
    }.joined()
  }
}

extension [HeadLoss] {
  /// `ntp 3.547  top 3.980 (kl 2.940)`; where there is room, `ntp 3.547 (acc .341)  top 3.980 (kl 2.940)`.
  func figures(withAccuracy isWide: Bool) -> String {
    map { loss in
      let kl = loss.kl.map { " (kl \(Figure.loss(Double($0))))" } ?? ""
      let accuracy = isWide ? loss.accuracy.map { " (acc \(Figure.quality($0)))" } ?? "" : ""
      return "\(loss.head.name) \(Figure.loss(Double(loss.loss)))\(kl)\(accuracy)"
    }.joined(separator: "  ")
  }
}

extension OrderQuality {
  /// `ndcg@8 .620  tau .411  recall@8 .552  mrr .380`.
  package var figures: String {
    zip(["ndcg@8", "tau", "recall@8", "mrr"], parts).map { "\($0) \(Figure.quality($1.value))" }
      .joined(separator: "  ")
  }
}

extension EventGap {
  /// One line for the events.
  var sentence: String {
    let steps = firstStep.flatMap { first in
      lastStep.map { "steps \(Figure.grouped(first)) to \(Figure.grouped($0))" }
    }
    let others = others > 0 ? "\(Figure.grouped(others)) other events" : nil
    let what = [steps, others].compactMap { $0 }.joined(separator: " and ")
    return "\(what) are left out here, since the reader is too slow; run.h5 has them"
  }
}

extension Ending.Reason {
  var isGood: Bool { self == .finished || self == .stopped }

  /// One line for the events.
  var sentence: String {
    switch self {
    case .finished: "finished"
    case .stopped: "stopped after saving"
    case .abandoned: "abandoned without saving"
    case .diverged: "stopped: the training diverged"
    case .failed: "stopped by a failure"
    }
  }
}

/// A command that was sent and is not done yet.
struct Asked: Sendable, Equatable {
  var command: Command
  /// What is asked, without the word.
  var wish: String
  var actor = Occurrence.Actor.key
  /// Whether the user was asked about a large change, and said yes.
  var isSure = false
  /// The number that the answer carries, when it is known.
  var request: Int?
  /// Steps taken while it had no number: what no event answers is forgotten after a few.
  var age = 0

  /// The word before what is asked.
  static let word = "asked: "
  var text: String { Self.word + wish }

  var isQuestion: Bool { if case .ask = command { true } else { false } }

  /// Whether an event tells that this command was obeyed, or refused.
  func isAnswered(by event: Event) -> Bool {
    if let request, case .occurred(let occurrence) = event, let answered = occurrence.request {
      return answered == request
    }
    return switch (command, event) {
    case (_, .ended): true
    case (_, .occurred(let occurrence)) where occurrence.kind == .refused:
      occurrence.actor == actor && occurrence.key == command.word
    case (.evaluate, .evaluated), (.generate, .wrote), (.generateFrom, .wrote), (.step(1), .stepped): true
    case (.probe(let index), .ordered(let sample)): sample.probes < 1 || sample.probe == index % sample.probes
    case (.rate, .occurred(let occurrence)): occurrence.kind == .rate
    case (.weight(let change), .occurred(let occurrence)):
      occurrence.kind == .weight
        && (change.isOfKind ? occurrence.key.hasPrefix(change.name + "-") : occurrence.key == change.name)
    case (.setting(let change), .occurred(let occurrence)):
      occurrence.kind == .setting && occurrence.key == change.setting.key
    case (.pause, .occurred(let occurrence)): occurrence.kind == .pause
    case (.proceed, .occurred(let occurrence)): occurrence.kind == .proceed
    case (.ask, .occurred(let occurrence)): occurrence.expectation != nil
    case (.limit, .occurred(let occurrence)): occurrence.limit != nil
    case (.save, .occurred(let occurrence)), (.saveAs, .occurred(let occurrence)): occurrence.kind == .saved
    default: false
    }
  }
}

extension Command {
  /// What is echoed after `asked: `.
  var asking: String {
    switch self {
    case .pause: "pause"
    case .proceed: "go on"
    case .step(1): "one step"
    case .step(let count): "\(count) steps"
    case .until(let condition): "until \(condition.text)"
    case .rate(.times(let factor)): "rate ×\(Figure.factor(factor))"
    case .rate(.to(let rate)): "rate \(Figure.rate(rate))"
    case .weight(let change):
      "weight of \(change.name) \(change.isFactor ? "×" : "")\(Figure.factor(change.weight))"
    case .setting(let change):
      "\(change.setting.words) \(change.isAdded ? "+" : "")\(change.setting.text(change.value))"
    case .course(let change): change.line
    case .prompt: "another prompt"
    case .undo: "undo"
    case .note: "note"
    case .save: "save a checkpoint"
    case .saveAs(let name): "save as \(name)"
    case .evaluate: "evaluate"
    case .generate, .generateFrom: "generate text"
    case .ask: "ask"
    case .limit: "measure the limit"
    case .probe(let index): "probe \(index + 1)"
    case .stop(saving: true): "save and stop"
    case .stop(saving: false): "abandon"
    case .back(let target): "back to \(target == .last ? "the last checkpoint" : target.text)"
    case .leaveOut: "leave a batch out"
    case .detach: "leave the screen"
    }
  }
}
