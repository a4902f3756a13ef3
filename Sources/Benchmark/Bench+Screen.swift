// The cost and the latency of the screen, compared with their targets.
import Foundation
import Run

/// Measurements of the screen, in seconds except where noted.
package struct ScreenFigures {
  /// The share of tokens/s that the screen costs: a number per pair of trainings with and without a screen.
  package var costs: [Double] = []
  /// The share of a core that the screen's threads take during training, without keys.
  package var screenShare = 0.0
  /// From a key to its effect on the screen: while training, and while paused.
  package var keysTraining: [Double] = []
  package var keysPaused: [Double] = []
  /// From a command to the trainer's answer on the screen: while training, and while paused.
  package var answersTraining: [Double] = []
  package var answersPaused: [Double] = []
  /// A step of that training, with one micro-batch.
  package var step = 0.0
  /// For each screen, from the program's start to the first frame.
  package var firstFrames: [(screen: String, times: [Double], goal: Double)] = []
  /// The processor time of all threads up to the first frame: what an idle machine would need.
  package var firstFrameUse: [(screen: String, times: [Double])] = []
  /// Bytes per second sent to the terminal during training, without keys.
  package var bytesPerSecond = 0.0
  /// The bytes of the dashboard's memory after a number of steps.
  package var memory: [(step: Int, bytes: Double)] = []

  package init() {}
}

extension Bench {
  /// Measures the screen.
  /// - Parameter measure: trains on a pseudo-terminal.
  package func screen(measure: () throws -> ScreenFigures) throws -> ReportTable {
    progress("screen: a small network is trained on a pseudo-terminal of 80×24, with and without its screen")
    let figures = try measure()
    var table = ReportTable(
      name: "screen",
      about: [
        "the screen on a pseudo-terminal of 80×24, with \(threads) computing threads; a step, which is one micro-batch, took "
          + Figure.milliseconds(figures.step),
        "cost: tokens/s without and with the screen, in turns; “±” is twice the standard error of the mean",
      ],
      columns: [
        .column("what", "what"), .column("count", "count"), .column("value", "value", 2), .column("error", "±", 2),
        .column("unit", "unit"), .column("goal", "goal", 1), .column("isMet", "met"),
      ])
    func add(
      _ what: String, _ count: Int, _ value: Double, error: Double? = nil, _ unit: String, goal: Double? = nil
    ) {
      table.rows.append([
        .text(what), .number(Double(count)), .number(value), error.map { .number($0) } ?? .none, .text(unit),
        goal.map { .number($0) } ?? .none, goal.map { .text(value <= $0 ? "yes" : "no") } ?? .none,
      ])
    }
    let costs = MeanDeviation(figures.costs.map { $0 * 100 })
    let error = costs.map { 2 * ($0.deviation ?? .nan) / Double($0.count).squareRoot() }
    add("cost of tokens/s: median of the pairs", costs?.count ?? 0, figures.costs.quantile(0.5) * 100, "%", goal: 0.5)
    add("cost of tokens/s: mean", costs?.count ?? 0, costs?.mean ?? .nan, error: error ?? .nan, "%", goal: 0.5)
    add("CPU of the screen's threads, at rest", 1, figures.screenShare * 100, "% of a core")
    func addKeys(_ what: String, _ times: [Double]) {
      add("key to screen, \(what): median", times.count, times.quantile(0.5) * 1000, "ms", goal: 16)
      add("key to screen, \(what): 99th percentile", times.count, times.quantile(0.99) * 1000, "ms", goal: 50)
    }
    addKeys("training", figures.keysTraining)
    addKeys("paused", figures.keysPaused)
    func addAnswers(_ what: String, _ times: [Double], goal: Double) {
      add("command to answer, \(what): median", times.count, times.quantile(0.5) * 1000, "ms")
      add("command to answer, \(what): worst", times.count, (times.max() ?? .nan) * 1000, "ms", goal: goal)
    }
    addAnswers("training", figures.answersTraining, goal: figures.step * 1000 + 50)
    addAnswers("paused", figures.answersPaused, goal: 50)
    for (screen, times, goal) in figures.firstFrames {
      add("first frame: \(screen), median", times.count, times.quantile(0.5) * 1000, "ms", goal: goal)
    }
    for (screen, times) in figures.firstFrameUse {
      add("CPU until the first frame: \(screen), median", times.count, times.quantile(0.5) * 1000, "ms")
    }
    add("output while training", 1, figures.bytesPerSecond / 1000, "kB/s")
    addMemory(figures.memory) { add($0, $1, $2, $3, goal: $4) }
    return table
  }

  /// Adds rows for the measured memory, and for its extrapolation to 10⁷ steps.
  private func addMemory(
    _ memory: [(step: Int, bytes: Double)], add: (String, Int, Double, String, Double?) -> Void
  ) {
    guard let last = memory.last, memory.count >= 4 else { return }
    add("memory of the dashboard after \(last.step) steps", last.step, last.bytes / 1e6, "MB", 200)
    guard last.step < 10_000_000 else { return }
    let middle = memory[memory.count / 2]
    let slope = max(last.bytes - middle.bytes, 0) / Double(last.step - middle.step)
    add("its slope over the last half", last.step - middle.step, slope, "bytes a step", nil)
    add(
      "memory after 10 000 000 steps, extrapolated by the slope", last.step,
      (last.bytes + slope * Double(10_000_000 - last.step)) / 1e6, "MB", 200)
  }
}

extension [Double] {
  /// The quantile: the value below which `share` of all values lie.
  fileprivate func quantile(_ share: Double) -> Double {
    guard !isEmpty else { return .nan }
    let sorted = sorted()
    return sorted[Swift.min(Int((share * Double(count)).rounded(.up)) - 1, count - 1)]
  }
}
