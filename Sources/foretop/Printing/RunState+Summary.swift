// The summary of a run that is over, as plain text.
import Foundation
import Run
import Session
import TerminalUI

extension RunState {
  /// The lines that stay on the terminal after the screen.
  func summary(of address: RunAddress) -> String {
    guard let beginning else { return "" }
    var lines: [String] = []
    let word = ending.map(Self.word) ?? "goes on"
    let step = last?.step ?? beginning.step
    var head = "\(address.name)  \(word) at step \(Figure.grouped(step)) of \(Figure.grouped(beginning.recipe.steps))"
    if let last {
      head += "  ·  \(Figure.short(Double(last.tokens))) tokens  ·  \(Figure.duration(last.active)) of training"
    }
    lines.append(head)
    if let last { lines.append("  loss      " + last.losses.words) }
    if let evaluation {
      var line = "  held-out  " + evaluation.losses.words + evaluation.shareFigures
      if let best {
        line +=
          best.step == evaluation.step
          ? "  ·  the best" : "  ·  best at step \(Figure.grouped(best.step)): \(best.losses.words)"
      }
      lines.append(line)
    }
    if let failure { lines.append("  problem   " + failure) }
    let checkpoint = savedStep.map { "  ·  checkpoint of step \(Figure.grouped($0))" } ?? "  ·  no new checkpoint"
    lines.append("  stored    \(address.folder)\(checkpoint)")
    // If the last checkpoint could not be saved, the steps after the stored one must be taken again.
    // Where a run diverged, its problem says from where to go on.
    let saysWay = ending?.reason == .diverged && failure != nil
    if !saysWay, ending?.reason != .finished || savedStep != step {
      lines.append("  go on     \(address.command("resume"))")
    }
    lines.append("  look      \(address.command("inspect"))")
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
}

extension [Float] {
  /// The shares of star graphs whose first 1, 2, … path tokens are right: `1 1.000  2 .981  3 .972`.
  var figures: String { enumerated().map { "\($0 + 1) \(Figure.quality($1))" }.joined(separator: "  ") }

  /// The member `path` of an evaluation's object; empty for text.
  var pathJSON: [JSON.Member] {
    isEmpty ? [] : [JSON.Member("path", .array(map { .double(Double($0)) }))]
  }
}

extension [HeadLoss] {
  /// `ntp 3.412 (acc .341)   top 3.876 (kl 2.836)`.
  var words: String {
    map { loss in
      let divergence = loss.kl.map { " (kl \(Figure.loss(Double($0))))" } ?? ""
      let accuracy = loss.accuracy.map { " (acc \(Figure.quality($0)))" } ?? ""
      return "\(loss.head.name) \(Figure.loss(Double(loss.loss)))\(divergence)\(accuracy)"
    }.joined(separator: "   ")
  }
}
