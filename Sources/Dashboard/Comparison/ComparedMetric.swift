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
  /// Another number of steps in nats, by its name in the metric table: `loss/total`, `trained/ntp`, `train-kl/top`.
  case furtherLoss(String)
  /// Another number of steps, by its name: `weight/top`, `phase/heads`.
  case stepNumber(String)
  /// Another number of evaluations, by its name: `kl/top`, `gradient-at-h/ntp`, `update/block-0`, `memory-used/block-2`.
  case evaluationNumber(String)

  /// What the names of the times of a step's phases begin with.
  static let phases = "phase/"

  /// The metrics without diagnostics, by families, for help: HEAD stands for any head, PART for any part of the network.
  package static let families: [(name: String, about: String)] = [
    ("held-out/HEAD", "loss on the held-out part"),
    ("loss/HEAD", "loss of steps; loss/total is the weighted sum"),
    ("trained/ntp", "the loss that is trained, at steps where that is not loss/ntp"),
    ("entropy/ntp", "entropy of the predictions at these steps"),
    ("kl/HEAD", "held-out loss above its floor"),
    ("train-kl/HEAD", "the same of steps"),
    ("accuracy/HEAD", "share of right first choices"),
    ("accuracy/path", "share of star graphs whose path is right; accuracy/path-N: of those whose first N tokens are"),
    ("task/accuracy", "share of right answers to evaluate.task"),
    ("order/NAME", "quality of TOP's rankings: ndcg8, tau, recall8, mrr"),
    ("rate", "learning rate"),
    ("gradient/norm", "norm of the gradient before clipping"),
    ("gradient/PART", "the same of a part of the network, at evaluations"),
    ("update/PART", "size of the part's last update by that of its weights"),
    ("gradient-at-h/HEAD", "norm of a head's gradient at the final hidden states"),
    ("throughput", "tokens per second"),
    ("phase/NAME", "seconds of a step's phase: data, forward, heads, backward, update, other"),
    ("weight/HEAD", "weight of a loss in the total"),
    ("memory-NAME/PART", "memory layers: used, entropy, dead, most, gap, output, mlp"),
  ]

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
    case .furtherLoss(let name), .stepNumber(let name), .evaluationNumber(let name): name
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
  package var isSmoothed: Bool {
    switch self {
    case .loss, .furtherLoss: true
    default: false
    }
  }

  /// True if its values are nats.
  var isInNats: Bool {
    switch self {
    case .loss, .heldOut, .furtherLoss: true
    case .evaluationNumber(let name): name.hasPrefix("kl/")
    default: false
    }
  }

  /// A word for numbers that depend on what a run's tokens are; nil for other metrics.
  var perToken: String? {
    switch self {
    case .accuracy, .order: "numbers"
    default: isInNats ? "losses" : nil
    }
  }

  /// A value as text.
  package func figure(_ value: Double) -> String {
    switch self {
    case .loss, .heldOut, .furtherLoss: Figure.loss(value)
    case .gradientNorm: Figure.norm(value)
    case .accuracy, .order, .path, .task: Figure.quality(value)
    case .diagnostic: Figure.fixed(value, 3)
    case .rate: Figure.rate(value)
    case .throughput: Figure.short(value)
    case .stepNumber(let name): name.hasPrefix("weight/") ? Figure.factor(value) : Figure.milliseconds(value)
    case .evaluationNumber(let name):
      isInNats ? Figure.loss(value) : name.hasPrefix("accuracy/") ? Figure.quality(value) : Figure.norm(value)
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
    // What is trained in the place of a loss comes after the losses, and what is seldom asked for at the end.
    metrics += numbers.tracks.filter { $0.place != nil }.map { ComparedMetric.furtherLoss($0.metric.name) }
    metrics += evaluations.heads.filter { evaluations[.accuracy($0)] != nil }.map(ComparedMetric.accuracy)
    metrics += OrderQuality().parts.indices.filter { evaluations[.order($0)] != nil }.map(ComparedMetric.order)
    if evaluations[.path] != nil { metrics.append(.path) }
    if evaluations[.task] != nil { metrics.append(.task) }
    metrics += evaluations.diagnostics.map(ComparedMetric.diagnostic)
    if count > 0 { metrics += [.rate, .gradientNorm, .throughput] }
    metrics += evaluations.further.map { ComparedMetric.evaluationNumber($0.name) }
    for number in numbers.tracks where number.place == nil {
      metrics.append(number.isLoss ? .furtherLoss(number.metric.name) : .stepNumber(number.metric.name))
    }
    if count > 0 { metrics += Self.phaseNames.map { ComparedMetric.stepNumber(ComparedMetric.phases + $0) } }
    return metrics
  }

  /// A further number of steps by its name, one value per entry; nil if no step has it.
  private func stepValues(named name: String) -> [Float]? {
    guard name.hasPrefix(ComparedMetric.phases) else { return numbers[name]?.curve }
    return Self.phaseNames.firstIndex { ComparedMetric.phases + $0 == name }.map { phases[$0].values }
  }

  /// The curve of a metric over an axis. Summed-up steps count as their means; losses have the history's smoothing.
  func curve(_ metric: ComparedMetric, over axis: Axis) -> ComparedCurve {
    func curve(_ places: Places, _ values: [Float]?) -> ComparedCurve {
      guard let values else { return ComparedCurve([], [], aim: metric.aim) }
      let xs = places[axis]
      // Time counts from the run's own beginning.
      let origin = axis == .time ? self.places[.time].first ?? 0 : 0
      return ComparedCurve(origin == 0 ? xs : xs.map { $0 - origin }, values.map { Double($0) }, aim: metric.aim)
    }
    func evaluated(_ quantity: EvaluationHistory.Quantity) -> ComparedCurve {
      curve(evaluations.places, evaluations[quantity]?.values)
    }
    switch metric {
    case .loss(let head): return curve(places, tracks.first { $0.head == head }?.losses.smooth.values)
    case .heldOut(let head): return evaluated(.loss(head))
    case .accuracy(let head): return evaluated(.accuracy(head))
    case .order(let part): return evaluated(.order(part))
    case .path: return evaluated(.path)
    case .task: return evaluated(.task)
    case .diagnostic(let path): return evaluated(.diagnostic(path))
    case .evaluationNumber(let name): return curve(evaluations.places, evaluations[further: name]?.values)
    case .furtherLoss(let name), .stepNumber(let name): return curve(places, stepValues(named: name))
    case .rate: return curve(places, rate.values)
    case .gradientNorm: return curve(places, gradientNorm.values)
    case .throughput: return curve(places, tokensPerSecond.values)
    }
  }
}
