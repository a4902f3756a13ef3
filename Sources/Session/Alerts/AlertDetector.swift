// What looks wrong in a run that goes on: it is told, and the run is left alone. Values in, alerts out; whoever has a clock asks.
import Run

/// What an alert is about: the `key` of its occurrence.
package enum AlertKind: String, Sendable, CaseIterable {
  /// A held-out loss is not finite. A loss of a step that is not finite makes the run pause: `diverged` says that.
  case nonFinite
  /// A loss is above 3 times its average, or more than 6 standard deviations above it. Where the guard acts on spikes, it says
  /// so itself, and no step is taken.
  case loss
  /// The gradient's norm is above 30 times the smoothed one: the guard tells that.
  case gradient
  /// Below a third of the usual tokens per second for a minute.
  case throughput
  /// The disk holds less than two more checkpoints.
  case disk
  /// No step for 10 times as long as a step usually takes.
  case stalled
  /// No token picked half of the rows of a memory layer's table in the last 1 000 steps. Told once, until fewer rows are dead.
  case deadRows
}

/// Watches the events of a session.
package struct AlertDetector: Sendable {
  /// The running mean and variance of a loss.
  private struct LossAverage: Sendable {
    var mean = 0.0
    var variance = 0.0
    var count = 0

    /// Newer losses count more: a loss falls over a run.
    mutating func add(_ value: Double) {
      count += 1
      let share = max(1 / Double(count), 0.02)
      let delta = value - mean
      mean += share * delta
      variance = (1 - share) * (variance + share * delta * delta)
    }
  }

  /// Steps before anything is called unusual.
  private static let settling = 50
  /// Steps without an alert of a kind after which the next one of that kind is told.
  private static let silence = 100

  private let recipe: Recipe
  private var averages: [Head: LossAverage] = [:]
  /// The step at which each kind was told, or would have been again.
  private var toldAt: [AlertKind: Int] = [:]
  /// Tokens per second as they usually are, and since when they are less than a third of it.
  private var usualSpeed = 0.0
  private var speedCount = 0
  private var slowSince: Double?
  /// Seconds that a step usually takes.
  private var usualStep = 0.0
  private var last: StepReport?
  /// When the trainer was last heard of, seconds of the caller's clock.
  private var heardAt: Double?
  private var isTraining = true
  private var evaluatedStep = -1
  private var evaluationSeconds: Double?
  private var checkpointBytes: Double?
  /// The memory layers that were told to be dying.
  private var dying: Set<TensorGroup> = []

  package init(_ beginning: Beginning) { recipe = beginning.recipe }

  /// Takes an event.
  /// - Parameter now: seconds of a clock that never jumps.
  /// - Returns: what looks wrong in it.
  package mutating func take(_ event: Event, now: Double) -> [Occurrence] {
    if case .confirmed = event {} else { heardAt = now }
    switch event {
    case .stepped(let report): return take(report)
    case .evaluated(let evaluation):
      evaluatedStep = evaluation.step
      evaluationSeconds = evaluation.seconds
      let dead = takeMemories(of: evaluation)
      guard let bad = evaluation.losses.first(where: { !$0.loss.isFinite }) else { return dead }
      return dead
        + told(
          .nonFinite, Double(bad.loss), evaluation.step, evaluation.time,
          "the held-out loss of \(bad.head.name) is not finite")
    case .occurred(let occurrence):
      switch occurrence.kind {
      case .pause, .diverged: isTraining = false
      case .proceed: isTraining = true
      case .saved: checkpointBytes = occurrence.new ?? checkpointBytes
      default: break
      }
    case .ended: isTraining = false
    default: break
    }
    return []
  }

  private mutating func take(_ report: StepReport) -> [Occurrence] {
    var alerts: [Occurrence] = []
    isTraining = true
    for loss in report.losses {
      let value = Double(loss.loss)
      guard value.isFinite else { continue }
      var average = averages[loss.head] ?? LossAverage()
      defer { averages[loss.head] = average }
      if average.count >= Self.settling, average.mean > 0 {
        let deviation = average.variance.squareRoot()
        let z = deviation > 0 ? (value - average.mean) / deviation : 0
        let isFar = value > 3 * average.mean
        // A loss that hardly ever moves is not wrong when it moves a little.
        if isFar || (z > 6 && value > average.mean * 1.05) {
          let how =
            isFar
            ? "\(Figure.factor(value / average.mean)) × its average"
            : "\(Figure.fixed(z, 1)) standard deviations above its average"
          alerts += told(
            .loss, value, report.step, report.time,
            "the loss of \(loss.head.name) is \(Figure.loss(value)), \(how) \(Figure.loss(average.mean))")
          // What is far off is not what is usual from now on.
          continue
        }
      }
      average.add(value)
    }
    alerts += takeSpeed(report)
    let seconds = last.map { report.active - $0.active } ?? report.phases.total
    if seconds > 0, seconds.isFinite {
      usualStep = last == nil ? seconds : usualStep + (seconds - usualStep) * 0.05
    }
    last = report
    return alerts
  }

  /// Memory layers that are dying and were not before.
  private mutating func takeMemories(of evaluation: Evaluation) -> [Occurrence] {
    let known = evaluation.memories.filter { $0.dead.isFinite }
    let now = known.filter { Double($0.dead) >= MemoryUse.deadLimit }
    let new = now.filter { !dying.contains($0.group) }
    dying.subtract(known.map(\.group))
    dying.formUnion(now.map(\.group))
    guard let worst = new.max(by: { $0.dead < $1.dead }) else { return [] }
    let others =
      new.count > 1
      ? ", and of \(new.count - 1) other memory layers at least \(Figure.fixed(100 * MemoryUse.deadLimit, 0)) %" : ""
    return [
      Occurrence(
        .alert, step: evaluation.step, time: evaluation.time, key: AlertKind.deadRows.rawValue, new: Double(worst.dead),
        text:
          "no token picked \(Figure.fixed(100 * Double(worst.dead), 0)) % of the rows of \(worst.group.name)'s table in the last "
          + "\(Figure.grouped(TableCounts.deadAfter)) steps\(others)")
    ]
  }

  private mutating func takeSpeed(_ report: StepReport) -> [Occurrence] {
    let speed = report.tokensPerSecond
    guard speed.isFinite, speed > 0 else { return [] }
    if speedCount >= 10, speed < usualSpeed / 3 {
      let since = slowSince ?? report.time
      slowSince = since
      guard report.time - since >= 60 else { return [] }
      return told(
        .throughput, speed, report.step, report.time,
        "\(Figure.short(speed)) tokens/s for a minute, less than a third of the usual \(Figure.short(usualSpeed))")
    }
    slowSince = nil
    speedCount += 1
    usualSpeed += (speed - usualSpeed) * max(1 / Double(speedCount), 0.02)
    return []
  }

  /// Looks at what no event tells.
  /// - Parameters:
  ///   - now: seconds of the clock of `take`.
  ///   - time: Unix time, for the alerts.
  ///   - freeDisk: bytes that are free where the run is stored; nil where that is not known.
  package mutating func look(now: Double, time: Double, freeDisk: Int?) -> [Occurrence] {
    var alerts: [Occurrence] = []
    if let freeDisk, let bytes = checkpointBytes, bytes > 0, Double(freeDisk) < 2 * bytes, let last {
      alerts += told(
        .disk, Double(freeDisk), last.step, time,
        "\(Figure.bytes(Double(freeDisk))) are free, less than two checkpoints of \(Figure.bytes(bytes))")
    }
    if isTraining, let last, let heardAt, usualStep > 0 {
      let limit = max(10 * usualStep, 10) + extra(after: last.step)
      if now - heardAt > limit {
        alerts += told(
          .stalled, now - heardAt, last.step, time,
          "no step for \(Figure.duration(now - heardAt)); one usually takes \(Figure.milliseconds(usualStep))")
      }
    }
    return alerts
  }

  /// Seconds that something else may take after a step: an evaluation, or texts of a sample.
  private func extra(after step: Int) -> Double {
    var seconds = 0.0
    let (evaluate, sample) = (recipe.evaluate.every, recipe.sample.every)
    let isLast = step >= recipe.steps
    if evaluatedStep < step, (evaluate > 0 && step % evaluate == 0) || isLast {
      seconds += evaluationSeconds.map { 10 * $0 } ?? 600
    }
    if sample > 0, step % sample == 0 { seconds += 60 }
    return seconds
  }

  /// An alert, unless one of its kind was told not long ago.
  private mutating func told(
    _ kind: AlertKind, _ value: Double, _ step: Int, _ time: Double, _ text: String
  ) -> [Occurrence] {
    let before = toldAt[kind]
    // What does not stop is told once.
    toldAt[kind] = step
    if let before, step - before < Self.silence { return [] }
    return [Occurrence(.alert, step: step, time: time, key: kind.rawValue, new: value, text: text)]
  }
}

extension Event {
  /// Whether somebody who does not look should hear of it: an alert, or a run that cannot go on by itself.
  package var isAlarm: Bool {
    guard case .occurred(let occurrence) = self else { return false }
    return occurrence.kind == .alert || occurrence.kind == .diverged
  }
}
