// What is said when a run is over: collected from its events, printed as plain text.
import Foundation
import Run
import TerminalUI

/// What has come of a run so far.
struct Tally {
  private(set) var beginning: Beginning?
  private(set) var last: StepReport?
  private(set) var evaluation: Evaluation?
  private(set) var best: Evaluation?
  private(set) var savedStep: Int?
  private(set) var ending: Ending?
  /// Whether the last step was not taken, since a loss or the gradient was no number.
  private(set) var hasDiverged = false
  /// The last thing that went wrong.
  private(set) var failure: String?

  mutating func receive(_ event: Event) {
    switch event {
    case .began(let beginning): self.beginning = beginning
    case .stepped(let report):
      last = report
      hasDiverged = false
    case .evaluated(let evaluation):
      self.evaluation = evaluation
      if evaluation.isBest { best = evaluation }
    case .occurred(let occurrence):
      if occurrence.kind == .diverged { hasDiverged = true }
      if occurrence.kind == .saved { savedStep = occurrence.step }
      if occurrence.kind == .failure || occurrence.kind == .diverged { failure = occurrence.text }
    case .ended(let ending): self.ending = ending
    case .summedUp, .ordered, .wrote: break
    }
  }

  /// The lines that stay on the terminal.
  func summary(of plan: Plan) -> String {
    guard let beginning else { return "" }
    var lines: [String] = []
    let word = ending.map(Self.word) ?? "goes on"
    let step = last?.step ?? beginning.step
    var head = "\(plan.name)  \(word) at step \(Figure.grouped(step)) of \(Figure.grouped(beginning.recipe.steps))"
    if let last {
      head += "  ·  \(Figure.short(Double(last.tokens))) tokens  ·  \(Figure.duration(last.active)) of training"
    }
    lines.append(head)
    if let last { lines.append("  loss      " + Self.words(last.losses)) }
    if let evaluation {
      var line = "  held-out  " + Self.words(evaluation.losses)
      if let best {
        line +=
          best.step == evaluation.step
          ? "  ·  the best" : "  ·  best at step \(Figure.grouped(best.step)): \(Self.words(best.losses))"
      }
      lines.append(line)
    }
    if let failure { lines.append("  problem   " + failure) }
    let checkpoint = savedStep.map { "  ·  checkpoint of step \(Figure.grouped($0))" } ?? "  ·  no new checkpoint"
    lines.append("  stored    \(plan.folder)\(checkpoint)")
    // A run whose last checkpoint could not be saved has steps to take again.
    if ending?.reason != .finished || savedStep != step { lines.append("  go on     \(plan.command("resume"))") }
    lines.append("  look      \(plan.command("inspect"))")
    return lines.joined(separator: "\n")
  }

  private static func word(_ ending: Ending) -> String {
    switch ending.reason {
    case .finished: "finished"
    case .stopped: "stopped"
    case .abandoned: "abandoned"
    case .diverged: "diverged"
    case .failed: "failed"
    }
  }

  /// `ntp 3.412 (acc .34)   top 3.876 (kl 2.836)`.
  static func words(_ losses: [HeadLoss]) -> String {
    losses.map { loss in
      let divergence = loss.kl.map { " (kl \(Figure.loss(Double($0))))" } ?? ""
      let accuracy = loss.accuracy.map { " (acc \(Figure.share(Double($0))))" } ?? ""
      return "\(loss.head.name) \(Figure.loss(Double(loss.loss)))\(divergence)\(accuracy)"
    }.joined(separator: "   ")
  }
}
