// A run as lines: for logs, pipes and terminals that cannot show a screen.
import Foundation
import Run
import TerminalUI

/// Prints news on standard output: steps at most once a second, all else at once; or every event as JSON.
struct LineMode {
  private let isJSON: Bool
  private var output = ""
  private var beginning: Beginning?
  private var waiting: StepReport?
  private var lastStepLine = Date.distantPast
  /// Whether the reader is gone: then nothing is printed any more, and the run goes on.
  private var isDeaf = false

  init(isJSON: Bool) { self.isJSON = isJSON }

  mutating func take(_ news: News) {
    switch news {
    case .event(let event):
      if isJSON { output += event.json + "\n" } else { take(event) }
    case .preparing(let text):
      if !isJSON { output += "\(text) …\n" }
    case .failed, .closed: break
    }
  }

  private mutating func take(_ event: Event) {
    switch event {
    case .began(let beginning):
      self.beginning = beginning
      output += Self.line(beginning) + "\n"
    case .stepped(let report): waiting = report
    case .evaluated(let evaluation):
      output +=
        "held-out at step \(evaluation.step)  \(Tally.words(evaluation.losses))\(evaluation.isBest ? "  ★ best" : "")\n"
    case .occurred(let occurrence):
      output += "\(Figure.clock(occurrence.time, secondsFromGMT: Clock.secondsFromGMT)) \(occurrence.text)\n"
    case .wrote(let sample):
      let text = (sample.prompt + "│" + sample.text).map { $0.isNewline ? "⏎" : $0 }
      output += "text at step \(sample.step)  \(String(text))\n"
    case .ordered: break
    case .ended:
      if let waiting { output += line(waiting) + "\n" }
      waiting = nil
    }
  }

  /// Prints what has come. Call it a few times a second.
  mutating func flush() {
    if let report = waiting, Date().timeIntervalSince(lastStepLine) >= 1 {
      output += line(report) + "\n"
      waiting = nil
      lastStepLine = Date()
    }
    guard !output.isEmpty, !isDeaf else { return }
    var bytes = ArraySlice(output.utf8)
    output = ""
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else {
        isDeaf = true
        return
      }
      bytes = bytes.dropFirst(count)
    }
  }

  private static func line(_ beginning: Beginning) -> String {
    "\(beginning.name)  \(Figure.short(Double(beginning.parameters))) parameters  \(beginning.precision)"
      + "  \(beginning.threads) thread\(beginning.threads == 1 ? "" : "s")  \(beginning.corpus)"
      + (beginning.step > 0 ? "  from step \(beginning.step)" : "")
  }

  /// Every number of the status bar.
  private func line(_ report: StepReport) -> String {
    let steps = beginning?.recipe.steps ?? report.step
    var parts = [
      "step \(report.step)/\(steps)", "\(Figure.short(Double(report.tokens))) tokens", Tally.words(report.losses),
      "rate \(Figure.rate(report.rate))", "norm \(Figure.fixed(Double(report.gradientNorm), 3))",
      "\(Figure.short(report.tokensPerSecond)) tok/s",
    ]
    if let beginning, report.tokensPerSecond > 0 {
      let left = Double((steps - report.step) * beginning.recipe.tokensPerStep) / report.tokensPerSecond
      parts.append("\(Figure.duration(left)) left")
    }
    return parts.joined(separator: "  ")
  }
}

/// The time of day where the user is.
enum Clock {
  static var secondsFromGMT: Int {
    var now = time(nil)
    var parts = tm()
    return localtime_r(&now, &parts) == nil ? 0 : parts.tm_gmtoff
  }
}
