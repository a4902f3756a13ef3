// What of runs can be compared, and along what.
import Run
import TerminalUI

/// Along what runs are aligned.
package enum CompareAxis: String, Sendable, CaseIterable {
  case step, tokens
  /// Time of training, pauses taken out.
  case time
  /// Equal values of the metric: what is compared then is the number of tokens that they cost.
  case loss

  /// What the places of curves count.
  var axis: Axis {
    switch self {
    case .step: .step
    case .tokens, .loss: .tokens
    case .time: .active
    }
  }
}

/// A number of runs that can be compared.
package enum ComparedMetric: Hashable, Sendable {
  case loss(Head), heldOut(Head), accuracy(Head)
  /// A part of `OrderQuality`, by its place.
  case order(Int)
  /// The share of star graphs whose path is right.
  case path
  case rate, gradientNorm, throughput

  /// As layouts and options name it: `held-out/ntp`.
  package var name: String {
    switch self {
    case .loss(let head): "loss/\(head.name)"
    case .heldOut(let head): "held-out/\(head.name)"
    case .accuracy(let head): "accuracy/\(head.name)"
    case .order(let part): "order/\(OrderQuality().parts[part].name)"
    case .path: "accuracy/path"
    case .rate: "rate"
    case .gradientNorm: "gradient/norm"
    case .throughput: "throughput"
    }
  }

  /// As a title: `held-out ntp`.
  package var label: String { String(name.map { $0 == "/" ? " " : $0 }) }

  package var aim: ComparedCurve.Aim {
    switch self {
    case .loss, .heldOut, .rate, .gradientNorm: .low
    case .accuracy, .order, .path, .throughput: .high
    }
  }

  /// Whether its values are averages over steps, as smooth as one wishes.
  package var isSmoothed: Bool { if case .loss = self { true } else { false } }

  /// A value as people read it.
  package func figure(_ value: Double) -> String {
    switch self {
    case .loss, .heldOut, .gradientNorm: Figure.loss(value)
    case .accuracy, .order, .path: Figure.fixed(value, 3)
    case .rate: Figure.rate(value)
    case .throughput: Figure.short(value)
    }
  }

  /// A difference of two values, with its sign.
  package func difference(_ value: Double) -> String {
    let text = figure(abs(value))
    return (value < 0 ? "−" : "+") + text
  }
}

extension History {
  /// The numbers that it has.
  var comparedMetrics: [ComparedMetric] {
    var metrics = evaluations.heads.map(ComparedMetric.heldOut) + tracks.map { .loss($0.head) }
    metrics += evaluations.heads.filter { evaluations[.accuracy($0)] != nil }.map(ComparedMetric.accuracy)
    metrics += OrderQuality().parts.indices.filter { evaluations[.order($0)] != nil }.map(ComparedMetric.order)
    if evaluations[.path] != nil { metrics.append(.path) }
    return metrics + (count > 0 ? [.rate, .gradientNorm, .throughput] : [])
  }

  /// A number over an axis. Of steps that are summed up it has the means; a loss is as smooth as the history.
  func curve(_ metric: ComparedMetric, over axis: Axis) -> ComparedCurve {
    func curve(_ places: Places, _ series: Series?) -> ComparedCurve {
      guard let series else { return ComparedCurve([], [], aim: metric.aim) }
      let xs = places[axis]
      // Wall clocks start at the run's own beginning.
      let origin = axis == .time ? self.places[.time].first ?? 0 : 0
      return ComparedCurve(origin == 0 ? xs : xs.map { $0 - origin }, series.values.map { Double($0) }, aim: metric.aim)
    }
    switch metric {
    case .loss(let head): return curve(places, tracks.first { $0.head == head }?.losses.smooth)
    case .heldOut(let head): return curve(evaluations.places, evaluations[.loss(head)])
    case .accuracy(let head): return curve(evaluations.places, evaluations[.accuracy(head)])
    case .order(let part): return curve(evaluations.places, evaluations[.order(part)])
    case .path: return curve(evaluations.places, evaluations[.path])
    case .rate: return curve(places, rate)
    case .gradientNorm: return curve(places, gradientNorm)
    case .throughput: return curve(places, tokensPerSecond)
    }
  }
}
