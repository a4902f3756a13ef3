// Everything that a run's charts are drawn from, in the order of its steps, in bounded memory: see `Places`.
import Run

/// The steps, evaluations and marks of a run.
struct History: Sendable {
  /// The losses of one head, and where the head stands among them.
  struct LossTrack: Sendable {
    /// What of a head a line of the chart shows, by the folder of its columns.
    enum TrackQuantity: String, Sendable, CaseIterable {
      /// The plain loss.
      case loss
      /// The loss that is trained, at steps where that is not the plain loss, and the entropy of the predictions there.
      case trained, entropy

      /// All but the plain loss.
      static let beside = allCases.filter { $0 != .loss }
    }

    var head: Head
    var quantity = TrackQuantity.loss
    var losses: SmoothedSeries

    /// The name in layouts: `loss/ntp`, `trained/ntp`.
    var name: String { "\(quantity.rawValue)/\(head.name)" }
    /// The name in legends: `ntp`, `trained ntp`.
    var label: String { quantity == .loss ? head.name : "\(quantity.rawValue) \(head.name)" }
    /// The last loss, as smooth as the line is; NaN where the last step has none.
    var smoothed: Double { losses.smooth.count > 0 ? smoothed(at: losses.smooth.count - 1) : .nan }

    /// True if steps need not have the number, so that one without it has not diverged.
    var isOptional: Bool { quantity != .loss }

    /// A value as text.
    func figure(_ value: Double) -> String { isOptional && value.isNaN ? "–" : Figure.loss(value) }

    /// The loss at an entry, as smooth as the line is; NaN where the steps need not have the number, and have not.
    func smoothed(at entry: Int) -> Double {
      isOptional && losses.raw.values[entry].isNaN ? .nan : Double(losses.smooth.values[entry])
    }
  }

  /// Steps of which each is kept, and no more than twice as many. Older ones are summed up.
  static let keptSteps = 16_384

  /// Where the steps are.
  private(set) var places: Places
  private(set) var tracks: [LossTrack] = []
  /// Further numbers of steps.
  private(set) var numbers = StepNumbers()
  private(set) var rate = Series()
  private(set) var tokensPerSecond = Series()
  private(set) var gradientNorm = Series()
  /// Seconds: data, forward, heads, backward, update, and what of a step they do not name.
  private(set) var phases: [Series] = Array(repeating: Series(), count: History.phaseNames.count)
  private(set) var evaluations = EvaluationHistory()
  private(set) var marks = Marks()
  private(set) var pace = Pace()
  private(set) var last: StepReport?
  /// What a branch has left behind of its parent's losses.
  private(set) var left: LeftCurves?
  private(set) var smoothing: Double

  /// Since the last step: whether there was a pause, and seconds of evaluations.
  private var isInterrupted = false
  private var evaluationSeconds = 0.0

  static let phaseNames = ["data", "forward", "heads", "backward", "update", "other"]

  init(smoothing: Double, keepingSteps kept: Int = History.keptSteps) {
    self.smoothing = smoothing
    places = Places(keeping: kept)
  }

  /// Entries held: a step each, but for old ones.
  var count: Int { places.count }

  /// All lines that the chart of the losses can have: the losses of the heads, each followed by what is beside it.
  var chartTracks: [LossTrack] {
    let beside = numbers.tracks.compactMap { number in
      number.place.map { LossTrack(head: $0.head, quantity: $0.kind, losses: number.values) }
    }
    guard !beside.isEmpty else { return tracks }
    return tracks.flatMap { track in [track] + beside.filter { $0.head == track.head } }
  }

  /// The largest x value that a chart has to show.
  func end(_ axis: Axis) -> Double {
    max(places.last?[axis] ?? 1, evaluations.places.last?[axis] ?? 0, left?.places.last?[axis] ?? 0)
  }

  /// Takes a step. One that was taken before (the run went back to a checkpoint) replaces it and all after it.
  mutating func append(_ report: StepReport) {
    if let last, report.step <= last.step { cut(after: report.step - 1) }
    let previous = places.last?.active
    addTracks(report.losses)
    numbers.append(report, after: places, smoothing: smoothing)
    places.append(Moment(report))
    for index in tracks.indices {
      tracks[index].losses.append(report.losses.first { $0.head == tracks[index].head }?.loss ?? .nan)
    }
    rate.append(Float(report.rate))
    tokensPerSecond.append(Float(report.tokensPerSecond))
    gradientNorm.append(report.gradientNorm)
    let parts = report.phases
    let named = [parts.data, parts.forward, parts.heads, parts.backward, parts.update]
    for (index, seconds) in named.enumerated() { phases[index].append(Float(seconds)) }
    phases[5].append(Float(other(in: report)))
    (isInterrupted, evaluationSeconds) = (false, 0)
    let whole = previous.map { report.active - $0 } ?? parts.total
    pace.add(whole > 0 ? whole : parts.total)
    last = report
    fold()
  }

  /// Seconds from the end of the step before to the end of this one that are in none of its phases: samples, copies of the
  /// weights, what reads the events. Without evaluations, which are told for themselves, and not measured over a pause.
  private func other(in report: StepReport) -> Double {
    guard let last, !isInterrupted, last.step + 1 == report.step else { return 0 }
    let seconds = report.time - last.time - report.phases.total - evaluationSeconds
    return seconds.isFinite ? max(seconds, 0) : 0
  }

  /// The speed of the last ten seconds of training, or of the last step where that took longer.
  var speed: Speed? {
    guard let last, count > 0 else { return nil }
    let active = places[.active]
    let first = max(min(active.lowerBound(of: active[count - 1] - RecentSpeed.window), count - 1), 0)
    let recent = first..<count
    let means = phases.map { $0.summary(of: recent).mean ?? 0 }
    let step = means.reduce(0, +)
    guard step > 0 else { return nil }
    // The first entry may be the first of all: its tokens are those of its step.
    let before = first > 0 ? places[.tokens][first - 1] : 0
    let steps = first > 0 ? places[.step][count - 1] - places[.step][first - 1] : places[.step][count - 1]
    let tokens = steps > 0 && count > 1 ? (places[.tokens][count - 1] - before) / steps : Double(last.tokens)
    let perStep = tokens.isFinite && tokens > 0 ? tokens : last.tokensPerSecond * step
    let totals = places[.tokens]
    let speed = RecentSpeed.tokensPerSecond(of: count) { (tokens: totals[$0], active: active[$0]) }
    return Speed(
      tokensPerSecond: speed ?? perStep / step, step: step, phases: means, uncertainty: pace.uncertainty ?? 0,
      range: recent)
  }

  /// Notes that training waited, so that the time since the last step belongs to no step.
  mutating func interrupt() { isInterrupted = true }

  /// Appends a sum of steps. All sums come before the first single step.
  mutating func append(_ steps: StepsReport) {
    guard rate.summedUp == count, steps.count > 0, steps.mean.step > last?.step ?? 0 else { return }
    let previous = places.last?.active
    addTracks(steps.mean.losses)
    numbers.append(steps, after: places, smoothing: smoothing)
    places.append(Moment(steps.mean), standingFor: steps.count)
    for index in tracks.indices {
      let head = tracks[index].head
      tracks[index].losses.append(
        steps.statistics { $0.losses.first { $0.head == head }.map { Double($0.loss) } ?? .nan })
    }
    rate.append(steps.statistics(\.rate))
    tokensPerSecond.append(steps.statistics(\.tokensPerSecond))
    gradientNorm.append(steps.statistics { Double($0.gradientNorm) })
    let parts: [(StepReport) -> Double] = [
      \.phases.data, \.phases.forward, \.phases.heads, \.phases.backward, \.phases.update,
    ]
    for (index, part) in parts.enumerated() { phases[index].append(steps.statistics(part)) }
    let whole = (steps.mean.active - (previous ?? 0)) / Double(steps.count)
    let other = Float(max(whole - steps.mean.phases.total, 0))
    phases[5].append(Series.Statistics(minimum: other, maximum: other, mean: other, bad: 0, of: steps.count))
    pace.add(whole > 0 ? whole : steps.mean.phases.total)
    last = steps.mean
    fold()
  }

  /// A head that was not there before has no values for the steps before.
  private mutating func addTracks(_ losses: [HeadLoss]) {
    for loss in losses where !tracks.contains(where: { $0.head == loss.head }) {
      tracks.append(LossTrack(head: loss.head, losses: SmoothedSeries(factor: smoothing, missingAt: places)))
    }
  }

  private mutating func fold() {
    for fold in places.fold() {
      for index in tracks.indices { tracks[index].losses.fold(fold) }
      numbers.fold(fold)
      rate.fold(fold)
      tokensPerSecond.fold(fold)
      gradientNorm.fold(fold)
      for index in phases.indices { phases[index].fold(fold) }
    }
  }

  mutating func append(_ evaluation: Evaluation) {
    evaluationSeconds += evaluation.seconds
    evaluations.append(evaluation, active: places.moment(of: evaluation.step)?.active ?? 0)
  }

  /// Marks a step; nothing is marked before the first one.
  mutating func mark(_ kind: Mark.Meaning, step: Int) {
    guard let at = places.moment(of: step) else { return }
    marks.append(Mark(kind: kind, at: at))
  }

  /// Forgets what came after a step: the run goes on from there.
  mutating func cut(after step: Int) {
    let kept = places[.step].lowerBound(of: Double(step).nextUp)
    if kept < count {
      places.cut(to: kept)
      for index in tracks.indices { tracks[index].losses.cut(to: kept) }
      numbers.cut(to: kept)
      rate.cut(to: kept)
      tokensPerSecond.cut(to: kept)
      gradientNorm.cut(to: kept)
      for index in phases.indices { phases[index].cut(to: kept) }
    }
    evaluations.cut(after: step)
    marks.cut(after: step)
  }

  /// Continues from a step as a branch. The parent's later steps do not belong to the run; the chart still shows them, dim.
  mutating func leave(after step: Int) {
    let start = places[.step].lowerBound(of: Double(step))
    if start + 1 < count { left = LeftCurves(places: places, tracks: chartTracks, start: start) }
    cut(after: step)
  }

  /// Takes another smoothing factor, for all steps.
  mutating func smooth(_ factor: Double) {
    guard factor != smoothing else { return }
    smoothing = factor
    for index in tracks.indices { tracks[index].losses.smoothAgain(factor: factor) }
    numbers.smooth(factor)
  }

  /// The last `count` entries.
  func recent(_ count: Int) -> Range<Int> { max(0, self.count - count)..<self.count }
}

extension StepsReport {
  /// Statistics of a number of these steps.
  func statistics(_ value: (StepReport) -> Double) -> Series.Statistics {
    let bad = value(self.bad)
    return Series.Statistics(
      minimum: Float(value(minimum)), maximum: Float(value(maximum)), mean: Float(value(mean)),
      bad: bad >= 0 && bad < Double(count) ? Int(bad) : count, of: count)
  }
}

extension Moment {
  fileprivate init(_ report: StepReport) {
    self.init(
      step: Double(report.step), tokens: Double(report.tokens), time: report.time, active: report.active)
  }
}
