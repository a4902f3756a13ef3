// A run as lines of text, for output without a terminal: the numbers of the status bar, at most one step per second.
import Run
import TerminalUI

/// Turns events into lines.
package struct Lines: Sendable {
  private var beginning: Beginning?
  private var pace = Pace()
  private var last: StepReport?
  private var lastShown = -Double.infinity
  private let secondsFromGMT: Int

  package init(secondsFromGMT: Int = 0) { self.secondsFromGMT = secondsFromGMT }

  /// The line for an event, without a final line break; nil if the event is not shown. A sample may have several lines.
  /// - Parameter now: Unix time in seconds.
  package mutating func line(for event: Event, now: Double) -> String? {
    switch event {
    case .began(let beginning):
      self.beginning = beginning
      let shouldContinue = beginning.step > 0 ? "goes on from step \(Figure.grouped(beginning.step))" : "begins"
      return
        "\(clock(beginning.time))  \(beginning.name) \(shouldContinue): \(Figure.short(Double(beginning.parameters))) "
        + "parameters, \(beginning.precision), \(Figure.threads(of: beginning)); \(beginning.corpus)"
    case .stepped(let report):
      let (seconds, tokens) =
        last.map { (report.active - $0.active, report.tokens - $0.tokens) } ?? (report.phases.total, 0)
      pace.add(seconds, tokens: tokens > 0 ? Double(tokens) : report.tokensPerSecond * seconds)
      last = report
      let isLast = report.step == beginning?.recipe.steps
      guard now - lastShown >= 1 || now < lastShown || isLast else { return nil }
      lastShown = now
      return line(report)
    case .summedUp, .mapped, .confirmed: return nil
    case .gap(let gap): return "          " + gap.sentence
    case .evaluated(let evaluation):
      return "\(clock(evaluation.time))  step \(Figure.grouped(evaluation.step))  held-out "
        + evaluation.losses.figures(withAccuracy: true) + evaluation.shareFigures
        + (evaluation.order.map { "  " + $0.figures } ?? "") + (evaluation.isBest ? "  best" : "")
    case .ordered(let sample):
      let upcoming = sample.upcoming.map { "\($0.token.tokenLabel) \($0.rank)" }.joined(separator: "  ")
      return
        "          order  probe \(sample.probe + 1)/\(sample.probes)  \(sample.context.joined())|  upcoming with rank: "
        + "\(upcoming)  ndcg@8 \(Figure.quality(sample.ndcg8))  tau \(Figure.quality(sample.tau))  "
        + "recall@8 \(Figure.quality(sample.recall8))"
    case .wrote(let sample):
      let text = (sample.prompt + sample.text).split(separator: "\n").joined(separator: "\n            ")
      return "          text   \(text)"
    case .occurred(let occurrence):
      guard occurrence.kind != .done else { return nil }
      beginning?.recipe.take(occurrence)
      let line = LogLine(occurrence)
      return "\(clock(line.time))  step \(Figure.grouped(line.step))  \(line.text)"
    case .ended(let ending):
      return "\(clock(ending.time))  step \(Figure.grouped(ending.step))  \(ending.reason.sentence)"
    }
  }

  private func clock(_ time: Double) -> String { Figure.clock(time, secondsFromGMT: secondsFromGMT) }

  private func line(_ report: StepReport) -> String {
    let total = beginning.map { "/" + Figure.grouped($0.recipe.steps) } ?? ""
    var parts = [
      "\(clock(report.time))  step \(Figure.grouped(report.step))\(total)",
      "\(Figure.short(Double(report.tokens))) tokens",
      report.losses.figures(withAccuracy: false), "rate \(Figure.rate(report.rate))",
      "norm \(Figure.loss(Double(report.gradientNorm)))",
      "\(Figure.short(pace.tokensPerSecond ?? report.tokensPerSecond)) tok/s",
    ]
    if report.losses.count > 1 { parts.insert("total \(Figure.loss(Double(report.total)))", at: 3) }
    if let steps = beginning?.recipe.steps, let left = pace.left(steps: steps - report.step) {
      let time = TimeLeft(left.seconds, range: left.range, shownAbove: 1)
      parts.append("\(time.time)\(time.range) left")
    }
    return parts.joined(separator: "  ")
  }
}
