// Everything that a run's charts are drawn from, in the order of its steps.
import Run

/// What a chart's x axis counts.
package enum Axis: String, Sendable, CaseIterable {
  case step, tokens, time, active

  /// Its name on the screen.
  var label: String { self == .active ? "active time" : rawValue }
}

/// A place on every x axis.
struct Moment: Sendable, Equatable {
  var step: Double
  var tokens: Double
  var time: Double
  var active: Double

  subscript(axis: Axis) -> Double {
    switch axis {
    case .step: step
    case .tokens: tokens
    case .time: time
    case .active: active
    }
  }
}

/// Something that a chart marks on its axis.
struct Mark: Sendable, Equatable {
  enum Kind: Sendable, CaseIterable { case rate, weight, saved, pause, diverged }
  var kind: Kind
  var at: Moment
}

/// The steps, evaluations and marks of a run.
struct History: Sendable {
  /// The losses of one head, and where the head stands among them.
  struct Track: Sendable {
    var head: Head
    var losses: SmoothedSeries
    /// The last loss, as smooth as the line is.
    var smoothed: Double { Double(losses.smooth.last ?? .nan) }
  }

  /// A held-out evaluation and where it belongs on every axis.
  struct Point: Sendable {
    var at: Moment
    var evaluation: Evaluation
  }

  private(set) var columns: [Axis: [Double]] = [:]
  private(set) var tracks: [Track] = []
  private(set) var rate = Series()
  private(set) var tokensPerSecond = Series()
  private(set) var gradientNorm = Series()
  /// Seconds: data, forward, heads, backward, update, and what of a step they do not name.
  private(set) var phases: [Series] = Array(repeating: Series(), count: History.phaseNames.count)
  private(set) var evaluations: [Point] = []
  private(set) var marks: [Mark] = []
  private(set) var pace = Pace()
  private(set) var last: StepReport?
  private(set) var smoothing: Double

  static let phaseNames = ["data", "forward", "heads", "backward", "update", "other"]

  init(smoothing: Double) {
    self.smoothing = smoothing
    for axis in Axis.allCases { columns[axis] = [] }
  }

  /// Steps held.
  var count: Int { rate.count }

  /// The x values of an axis, never falling.
  func column(_ axis: Axis) -> [Double] { columns[axis, default: []] }

  /// Where a step, or the last one before it, is on every axis; nil before the first step.
  private func moment(of step: Int) -> Moment? {
    guard count > 0 else { return nil }
    return moment(max(column(.step).lowerBound(of: Double(step).nextUp) - 1, 0))
  }

  private func moment(_ index: Int) -> Moment {
    Moment(
      step: column(.step)[index], tokens: column(.tokens)[index], time: column(.time)[index],
      active: column(.active)[index])
  }

  /// Takes a step. One that was taken before (the run went back to a checkpoint) replaces it and all after it.
  mutating func append(_ report: StepReport) {
    if let last, report.step <= last.step { cut(after: report.step - 1) }
    let previous = columns[.active]?.last
    extendAxes(report)
    addTracks(report.losses)
    for index in tracks.indices {
      tracks[index].losses.append(report.losses.first { $0.head == tracks[index].head }?.loss ?? .nan)
    }
    rate.append(Float(report.rate))
    tokensPerSecond.append(Float(report.tokensPerSecond))
    gradientNorm.append(report.gradientNorm)
    let parts = report.phases
    let named = [parts.data, parts.forward, parts.heads, parts.backward, parts.update]
    for (index, seconds) in named.enumerated() { phases[index].append(Float(seconds)) }
    let whole = previous.map { report.active - $0 } ?? parts.total
    phases[5].append(Float(max(whole - parts.total, 0)))
    pace.add(whole > 0 ? whole : parts.total)
    last = report
  }

  /// Takes steps that are summed up; after a single step there are none.
  mutating func append(_ steps: StepsReport) {
    guard rate.summedUp == count, steps.count > 0, steps.mean.step > last?.step ?? 0 else { return }
    let previous = columns[.active]?.last
    extendAxes(steps.mean)
    addTracks(steps.mean.losses)
    func sum(_ value: (StepReport) -> Double) -> Series.Summary {
      let bad = value(steps.bad)
      return Series.Summary(
        minimum: Float(value(steps.minimum)), maximum: Float(value(steps.maximum)), mean: Float(value(steps.mean)),
        bad: bad >= 0 && bad < Double(steps.count) ? Int(bad) : steps.count, of: steps.count)
    }
    for index in tracks.indices {
      let head = tracks[index].head
      tracks[index].losses.append(sum { $0.losses.first { $0.head == head }.map { Double($0.loss) } ?? .nan })
    }
    rate.append(sum(\.rate))
    tokensPerSecond.append(sum(\.tokensPerSecond))
    gradientNorm.append(sum { Double($0.gradientNorm) })
    let parts: [(StepReport) -> Double] = [
      \.phases.data, \.phases.forward, \.phases.heads, \.phases.backward, \.phases.update,
    ]
    for (index, part) in parts.enumerated() { phases[index].append(sum(part)) }
    let whole = (steps.mean.active - (previous ?? 0)) / Double(steps.count)
    let other = Float(max(whole - steps.mean.phases.total, 0))
    phases[5].append(Series.Summary(minimum: other, maximum: other, mean: other, bad: 0, of: steps.count))
    pace.add(whole > 0 ? whole : steps.mean.phases.total)
    last = steps.mean
  }

  /// Clocks are set back now and then: an axis may stand still, but never falls.
  private mutating func extendAxes(_ report: StepReport) {
    func extend(_ axis: Axis, _ value: Double) {
      let before = columns[axis]?.last ?? -.infinity
      columns[axis]?.append(value.isFinite ? max(value, before) : max(before, 0))
    }
    extend(.step, Double(report.step))
    extend(.tokens, Double(report.tokens))
    extend(.time, report.time)
    extend(.active, report.active)
  }

  /// A head that was not there before has no values for the steps before.
  private mutating func addTracks(_ losses: [HeadLoss]) {
    for loss in losses where !tracks.contains(where: { $0.head == loss.head }) {
      var losses = SmoothedSeries(factor: smoothing)
      for index in 0..<count {
        if index < rate.summedUp {
          let steps = rate.summary(of: index..<index + 1)
          losses.append(
            Series.Summary(minimum: 0, maximum: 0, mean: 0, bad: steps.count + steps.bad, of: steps.count + steps.bad))
        } else {
          losses.append(.nan)
        }
      }
      tracks.append(Track(head: loss.head, losses: losses))
    }
  }

  mutating func append(_ evaluation: Evaluation) {
    if let before = evaluations.last, evaluation.step < before.evaluation.step {
      evaluations.removeAll { $0.evaluation.step >= evaluation.step }
    }
    let at = Moment(
      step: Double(evaluation.step), tokens: Double(evaluation.tokens), time: evaluation.time,
      active: moment(of: evaluation.step)?.active ?? 0)
    evaluations.append(Point(at: at, evaluation: evaluation))
  }

  /// Marks a step; nothing is marked before the first one.
  mutating func mark(_ kind: Mark.Kind, step: Int) {
    guard let at = moment(of: step) else { return }
    marks.append(Mark(kind: kind, at: at))
  }

  /// Forgets what came after a step: the run goes on from there.
  mutating func cut(after step: Int) {
    let steps = column(.step)
    let kept = steps.lowerBound(of: Double(step).nextUp)
    if kept < steps.count {
      for axis in Axis.allCases { columns[axis]?.removeLast(steps.count - kept) }
      for index in tracks.indices { tracks[index].losses.cut(to: kept) }
      rate.cut(to: kept)
      tokensPerSecond.cut(to: kept)
      gradientNorm.cut(to: kept)
      for index in phases.indices { phases[index].cut(to: kept) }
    }
    evaluations.removeAll { $0.evaluation.step > step }
    marks.removeAll { $0.at.step > Double(step) }
  }

  /// Takes another smoothing factor, for all steps.
  mutating func smooth(_ factor: Double) {
    guard factor != smoothing else { return }
    smoothing = factor
    for index in tracks.indices { tracks[index].losses.smoothAgain(factor: factor) }
  }

  /// The last `count` values of a series as a range.
  func recent(_ count: Int) -> Range<Int> { max(0, self.count - count)..<self.count }
}

extension [Double] {
  /// The first index whose value is not below `value`, in a rising array.
  func lowerBound(of value: Double) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle] < value { low = middle + 1 } else { high = middle }
    }
    return low
  }
}
