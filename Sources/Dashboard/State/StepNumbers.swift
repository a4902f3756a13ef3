// The numbers of steps that the history has no other place for, such as what is trained where that is not the plain loss. Which
// numbers these are follows from the metric table.
import Run

/// Series of the other numbers of steps, an entry per entry of the history.
struct StepNumbers: Sendable {
  /// The values of one number.
  struct NumberTrack: Sendable {
    let metric: Metric<StepReport>
    /// The head and the kind of a number that belongs on the chart of the losses, such as `trained` of NTP; nil for others.
    let place: (head: Head, kind: History.LossTrack.TrackQuantity)?
    /// NaN at entries without the number. Only losses are smoothed.
    var values: SmoothedSeries

    /// True for numbers in nats.
    var isLoss: Bool { metric.unit == "nats" }

    /// The smoothed values; NaN at entries without the number.
    var curve: [Float] { zip(values.smooth.values, values.raw.values).map { $1.isNaN ? .nan : $0 } }
  }

  private(set) var tracks: [NumberTrack] = []
  /// The heads of the newest report, and their numbers that no report has had.
  private var heads: [Head] = []
  private var waiting: [Metric<StepReport>] = []

  /// A number by the name that comparisons have for it.
  subscript(name: String) -> NumberTrack? { tracks.first { $0.metric.name == name } }

  /// - Parameter places: the entries before this one.
  mutating func append(_ report: StepReport, after places: Places, smoothing: Double) {
    begin(report.losses, after: places, smoothing: smoothing) { $0.value(report) != nil }
    for index in tracks.indices {
      let value: Float = tracks[index].metric.value(report).map { Float($0) } ?? .nan
      tracks[index].values.append(value)
    }
  }

  /// - Parameter places: the entries before this one.
  mutating func append(_ steps: StepsReport, after places: Places, smoothing: Double) {
    begin(steps.mean.losses, after: places, smoothing: smoothing) { $0.value(steps.mean)?.isNaN == false }
    for index in tracks.indices {
      let metric = tracks[index].metric
      tracks[index].values.append(steps.statistics { metric.value($0) ?? .nan })
    }
  }

  /// Adds a track for each number that a report is the first to have.
  private mutating func begin(
    _ losses: [HeadLoss], after places: Places, smoothing: Double, _ isThere: (Metric<StepReport>) -> Bool
  ) {
    if !heads.elementsEqual(losses.lazy.map(\.head)) {
      heads = losses.map(\.head)
      let known = Set(tracks.map(\.metric.path)).union(Self.elsewhere).union(heads.map { "loss/\($0.name)" })
      waiting = Metric<StepReport>.ofSteps(heads: heads).filter { metric in
        !known.contains(metric.path) && !metric.path.hasPrefix(ComparedMetric.phases)
      }
    }
    for metric in waiting.filter(isThere) {
      waiting.removeAll { $0.path == metric.path }
      let place = History.LossTrack.TrackQuantity.beside.compactMap { kind in
        heads.first { metric.path == "\(kind.rawValue)/\($0.name)" }.map { (head: $0, kind: kind) }
      }.first
      let values = SmoothedSeries(factor: metric.unit == "nats" ? smoothing : 0, missingAt: places)
      tracks.append(NumberTrack(metric: metric, place: place, values: values))
    }
  }

  /// Paths of the metric table that the history has in other series.
  private static let elsewhere: Set = [
    "step", "tokens", "time", "active", "rate", "gradient/norm", "throughput",
  ]

  mutating func fold(_ fold: Places.Fold) {
    for index in tracks.indices { tracks[index].values.fold(fold) }
  }

  mutating func cut(to count: Int) {
    for index in tracks.indices { tracks[index].values.cut(to: count) }
  }

  mutating func smooth(_ factor: Double) {
    for index in tracks.indices where tracks[index].isLoss { tracks[index].values.smoothAgain(factor: factor) }
  }
}
