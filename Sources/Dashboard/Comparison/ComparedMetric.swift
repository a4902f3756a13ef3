// The metrics by which runs can be compared, and the axes along which they are aligned.
import Run
import TerminalUI

/// The axis along which runs are aligned.
package enum CompareAxis: String, Sendable, CaseIterable {
  case step, tokens
  /// Training time without pauses.
  case time
  /// Equal values of the metric: then the runs are compared by the tokens that they needed.
  case loss

  /// The unit of places on curves.
  var axis: Axis {
    switch self {
    case .step: .step
    case .tokens, .loss: .tokens
    case .time: .active
    }
  }
}

/// A metric by which runs can be compared.
package enum ComparedMetric: Hashable, Sendable {
  case loss(Head), heldOut(Head), accuracy(Head)
  /// A number of `OrderQuality`, by its index.
  case order(Int)
  /// The share of star graphs whose path is right.
  case path
  /// The share of the questions of `evaluate.task` that are answered right.
  case task
  /// A number of a diagnostic, by its path.
  case diagnostic(String)
  case rate, gradientNorm, throughput

  /// The name in layouts and options: `held-out/ntp`.
  package var name: String {
    switch self {
    case .loss(let head): "loss/\(head.name)"
    case .heldOut(let head): "held-out/\(head.name)"
    case .accuracy(let head): "accuracy/\(head.name)"
    case .order(let part): "order/\(OrderQuality().parts[part].name)"
    case .path: "accuracy/path"
    case .task: "task/accuracy"
    case .diagnostic(let path): path
    case .rate: "rate"
    case .gradientNorm: "gradient/norm"
    case .throughput: "throughput"
    }
  }

  /// The title: `held-out ntp`.
  package var label: String { String(name.map { $0 == "/" ? " " : $0 }) }

  package var aim: ComparedCurve.Aim {
    self == .throughput || Evaluation.isBetterHigh(name) ? .high : .low
  }

  /// True if its values are averages over steps, which can be smoothed.
  package var isSmoothed: Bool { if case .loss = self { true } else { false } }

  /// A word for numbers that depend on what a run's tokens are; nil for other metrics.
  var perToken: String? {
    switch self {
    case .loss, .heldOut: "losses"
    case .accuracy, .order: "numbers"
    case .path, .task, .diagnostic, .rate, .gradientNorm, .throughput: nil
    }
  }

  /// A value as text.
  package func figure(_ value: Double) -> String {
    switch self {
    case .loss, .heldOut: Figure.loss(value)
    case .gradientNorm: Figure.norm(value)
    case .accuracy, .order, .path, .task: Figure.quality(value)
    case .diagnostic: Figure.fixed(value, 3)
    case .rate: Figure.rate(value)
    case .throughput: Figure.short(value)
    }
  }

  /// A signed difference of two values as text.
  package func difference(_ value: Double) -> String {
    Figure.change(value, figure)
  }
}

extension History {
  /// The metrics that the run has.
  var comparedMetrics: [ComparedMetric] {
    var metrics = evaluations.heads.map(ComparedMetric.heldOut) + tracks.map { .loss($0.head) }
    metrics += evaluations.heads.filter { evaluations[.accuracy($0)] != nil }.map(ComparedMetric.accuracy)
    metrics += OrderQuality().parts.indices.filter { evaluations[.order($0)] != nil }.map(ComparedMetric.order)
    if evaluations[.path] != nil { metrics.append(.path) }
    if evaluations[.task] != nil { metrics.append(.task) }
    metrics += evaluations.diagnostics.map(ComparedMetric.diagnostic)
    return metrics + (count > 0 ? [.rate, .gradientNorm, .throughput] : [])
  }

  /// The curve of a metric over an axis. Summed-up steps count as their means; losses have the history's smoothing.
  func curve(_ metric: ComparedMetric, over axis: Axis) -> ComparedCurve {
    func curve(_ places: Places, _ series: Series?) -> ComparedCurve {
      guard let series else { return ComparedCurve([], [], aim: metric.aim) }
      let xs = places[axis]
      // Time counts from the run's own beginning.
      let origin = axis == .time ? self.places[.time].first ?? 0 : 0
      return ComparedCurve(origin == 0 ? xs : xs.map { $0 - origin }, series.values.map { Double($0) }, aim: metric.aim)
    }
    switch metric {
    case .loss(let head): return curve(places, tracks.first { $0.head == head }?.losses.smooth)
    case .heldOut(let head): return curve(evaluations.places, evaluations[.loss(head)])
    case .accuracy(let head): return curve(evaluations.places, evaluations[.accuracy(head)])
    case .order(let part): return curve(evaluations.places, evaluations[.order(part)])
    case .path: return curve(evaluations.places, evaluations[.path])
    case .task: return curve(evaluations.places, evaluations[.task])
    case .diagnostic(let path): return curve(evaluations.places, evaluations[.diagnostic(path)])
    case .rate: return curve(places, rate)
    case .gradientNorm: return curve(places, gradientNorm)
    case .throughput: return curve(places, tokensPerSecond)
    }
  }
}
