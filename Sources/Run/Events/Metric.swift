// The metric table: every number of a step or an evaluation, once. The run file's columns, the charts, `--json` and the
// documentation are made from it.

/// A number of a `Report`: its place in files, its names, and its accessors.
package struct Metric<Report>: Sendable {
  package enum NumberFormat: Sendable { case float32, float64, unsigned64 }

  /// The path in the run file, below `/metrics` or `/heldout`: `loss/ntp`.
  package let path: String
  /// Its key in JSON, dots between levels: `loss.ntp`.
  package let key: String
  package let storage: NumberFormat
  /// `nats`, `s`, `tokens/s`, or `1` for a bare number.
  package let unit: String
  /// A few words for a person.
  package let longName: String
  /// True if a report may lack the number, which is then stored as NaN.
  package var isOptional = false
  /// Reads the number from a report; nil if the report lacks it.
  package let value: @Sendable (Report) -> Double?
  /// Puts a stored value back into a report.
  package let restore: @Sendable (inout Report, Double) -> Void
}

extension Metric where Report == StepReport {
  /// The name in comparisons and charts: the path, but `train-kl/top`, since `kl/top` is a number of an evaluation there.
  package var name: String { path.hasPrefix("kl/") ? "train-" + path : path }
}

extension Metric where Report == Evaluation {
  /// The name in comparisons, conditions and experiments: the path, but `held-out/ntp`, since `loss/ntp` is a loss of steps there.
  package var name: String { path.hasPrefix("loss/") ? "held-out/" + path.dropFirst(5) : path }
}

extension Metric where Report == StepReport {
  /// The columns of `/metrics` for a run with these heads, in file order.
  /// - Parameter isShaped: whether NTP's trained loss may be another one than its cross-entropy; where columns are only those
  ///   that have a value, the default does no harm.
  package static func ofSteps(heads: [Head], isShaped: Bool = true) -> [Metric] {
    place(step: \.step, tokens: \.tokens, time: \.time) + [
      Metric(
        path: "active", key: "active", storage: .float64, unit: "s", longName: "training time without pauses",
        value: { $0.active }, restore: { $0.active = $1 }),
      Metric(
        path: "loss/total", key: "loss.total", storage: .float32, unit: "nats", longName: "weighted sum of the losses",
        value: { Double($0.total) }, restore: { $0.total = Float($1) }),
    ] + losses(of: heads, at: \.losses) + (isShaped ? heads.filter { $0 == .ntp }.flatMap(shaped) : [])
      + heads.map(weight) + [
        Metric(
          path: "rate", key: "rate", storage: .float64, unit: "1", longName: "learning rate",
          value: { $0.rate }, restore: { $0.rate = $1 }),
        Metric(
          path: "gradient/norm", key: "gradientNorm", storage: .float32, unit: "1",
          longName: "norm of the gradient before clipping",
          value: { Double($0.gradientNorm) }, restore: { $0.gradientNorm = Float($1) }),
        Metric(
          path: "throughput", key: "tokensPerSecond", storage: .float32, unit: "tokens/s",
          longName: "tokens per second",
          value: { $0.tokensPerSecond }, restore: { $0.tokensPerSecond = $1 }),
        phase("data", \.data, "reading the batch"),
        phase("forward", \.forward, "forward through the blocks"),
        phase("heads", \.heads, "unembeddings, losses and their gradients"),
        phase("backward", \.backward, "backward through the blocks"),
        phase("update", \.update, "gradient norm and optimizer"),
      ]
  }

  /// What is trained where that is not the plain cross-entropy, which stays `loss`.
  private static func shaped(_ head: Head) -> [Metric] {
    func metric(
      _ name: String, _ path: WritableKeyPath<HeadLoss, Float?> & Sendable, _ longName: String
    ) -> Metric {
      Metric(
        path: "\(name)/\(head.name)", key: "\(name).\(head.name)", storage: .float32, unit: "nats", longName: longName,
        isOptional: true,
        value: { $0.losses.first { $0.head == head }?[keyPath: path].map(Double.init) },
        restore: { report, value in report.losses.update(head) { $0[keyPath: path] = Float(value) } })
    }
    return [
      metric("trained", \.trained, "mean loss that trains \(head.name), where it is not the cross-entropy"),
      metric("entropy", \.entropy, "mean entropy of the predictions of \(head.name)"),
    ]
  }

  /// Optional: a run keeps the columns that it began with, and runs of older foretops lack this one.
  private static func weight(of head: Head) -> Metric {
    Metric(
      path: "weight/\(head.name)", key: "weight.\(head.name)", storage: .float32, unit: "1",
      longName: "weight of the loss of \(head.name) in the total", isOptional: true,
      value: { $0.losses.first { $0.head == head }.map { Double($0.weight) } },
      restore: { report, value in report.losses.update(head) { $0.weight = Float(value) } })
  }

  private static func phase(
    _ name: String, _ path: WritableKeyPath<Phases, Double> & Sendable, _ longName: String
  ) -> Metric {
    Metric(
      path: "phase/\(name)", key: "phases.\(name)", storage: .float32, unit: "s", longName: "time of \(longName)",
      value: { $0.phases[keyPath: path] }, restore: { $0.phases[keyPath: path] = $1 })
  }
}

extension Metric where Report == Evaluation {
  /// The columns of `/heldout`, in file order.
  package static func ofEvaluations(_ content: EvaluationContent) -> [Metric] {
    let (heads, path, groups) = (content.heads, content.path, content.groups)
    var metrics = place(step: \.step, tokens: \.tokens, time: \.time)
    metrics.append(
      Metric(
        path: "seconds", key: "seconds", storage: .float32, unit: "s", longName: "time of the evaluation",
        value: { $0.seconds }, restore: { $0.seconds = $1 }))
    metrics += losses(of: heads, at: \.losses)
    metrics += heads.filter(\.hasAccuracy).map(accuracy)
    if heads.contains(where: \.ranks) { metrics += order }
    for count in (0..<path).reversed() { metrics.append(self.path(of: count + 1, all: path)) }
    if content.hasTask {
      metrics.append(
        Metric(
          path: "task/accuracy", key: "task.accuracy", storage: .float32, unit: "1",
          longName: "share of the questions of evaluate.task that are answered right", isOptional: true,
          value: { $0.taskAccuracy.map(Double.init) }, restore: { $0.taskAccuracy = Float($1) }))
    }
    return metrics + heads.map(gradientAtH) + groups.flatMap(gradient) + content.memories.flatMap(memory)
      + content.diagnostics.map(diagnostic)
  }

  /// The share of star graphs whose first tokens of the path are right: `accuracy/path` for the whole one.
  private static func path(of count: Int, all: Int) -> Metric {
    let name = count == all ? "path" : "path-\(count)"
    return Metric(
      path: "accuracy/\(name)", key: "accuracy.\(name)", storage: .float32, unit: "1",
      longName: "share of the test graphs whose "
        + (count == all ? "whole path is" : "first \(count) tokens of the path are") + " right",
      isOptional: true, value: { $0.paths.indices.contains(count - 1) ? Double($0.paths[count - 1]) : nil },
      restore: { report, value in
        if report.paths.count < count {
          report.paths += Array(repeating: .nan, count: count - report.paths.count)
        }
        report.paths[count - 1] = Float(value)
      })
  }

  private static func accuracy(of head: Head) -> Metric {
    number("accuracy", \.accuracy, of: head, "share of the positions whose token is the likeliest for \(head.name)")
  }

  private static func gradientAtH(of head: Head) -> Metric {
    number(
      "gradient-at-h", key: "gradientAtH", \.gradientAtH, of: head,
      "norm of the gradient of \(head.name) at the final hidden states")
  }

  /// A number that an evaluation may have for a head.
  private static func number(
    _ folder: String, key: String? = nil, _ place: WritableKeyPath<HeadLoss, Float?> & Sendable, of head: Head,
    _ longName: String
  ) -> Metric {
    Metric(
      path: "\(folder)/\(head.name)", key: "\(key ?? folder).\(head.name)", storage: .float32, unit: "1",
      longName: longName, isOptional: true,
      value: { $0.losses.first { $0.head == head }?[keyPath: place].map(Double.init) },
      restore: { report, value in report.losses.update(head) { $0[keyPath: place] = Float(value) } })
  }

  /// The gradient of a part of the network, and how far the last step moved its weights.
  private static func gradient(of group: TensorGroup) -> [Metric] {
    func metric(
      _ folder: String, _ path: WritableKeyPath<GroupGradient, Float> & Sendable, _ longName: String
    ) -> Metric {
      Metric(
        path: "\(folder)/\(group.name)", key: "\(folder).\(group.name)", storage: .float32, unit: "1",
        longName: "\(longName) of \(group.name)", isOptional: true,
        value: { $0.gradients.first { $0.group == group }.map { Double($0[keyPath: path]) } },
        restore: { report, value in report.gradients.update(group) { $0[keyPath: path] = Float(value) } })
    }
    return [
      metric("gradient", \.norm, "norm of the last step's gradient before clipping"),
      metric("update", \.update, "norm of the last step's update as a share of the weights' norm"),
    ]
  }

  /// TOP's rank quality, at the same positions in every evaluation.
  private static var order: [Metric] {
    func metric(
      _ name: String, _ path: WritableKeyPath<OrderQuality, Float> & Sendable, _ longName: String
    ) -> Metric {
      Metric(
        path: "order/\(name)", key: "order.\(name)", storage: .float32, unit: "1", longName: longName, isOptional: true,
        value: { $0.order.map { Double($0[keyPath: path]) } },
        restore: { report, value in
          var order = report.order ?? OrderQuality()
          order[keyPath: path] = Float(value)
          report.order = order
        })
    }
    return [
      metric("ndcg8", \.ndcg8, "NDCG@8 of top's ranking of the upcoming tokens"),
      metric("tau", \.tau, "Kendall's tau of top's ranking of the upcoming tokens"),
      metric("recall8", \.recall8, "share of the 8 nearest tokens among top's first 8"),
      metric("mrr", \.reciprocalRank, "mean of 1 / top's rank of the next token"),
    ]
  }
}

extension Metric {
  /// When a report was made: what every table begins with.
  private static func place(
    step: WritableKeyPath<Report, Int> & Sendable, tokens: WritableKeyPath<Report, Int> & Sendable,
    time: WritableKeyPath<Report, Double> & Sendable
  ) -> [Metric] {
    [
      Metric(
        path: "step", key: "step", storage: .unsigned64, unit: "steps", longName: "optimizer steps taken",
        value: { Double($0[keyPath: step]) }, restore: { $0[keyPath: step] = Int($1) }),
      Metric(
        path: "tokens", key: "tokens", storage: .unsigned64, unit: "tokens", longName: "training tokens seen",
        value: { Double($0[keyPath: tokens]) }, restore: { $0[keyPath: tokens] = Int($1) }),
      Metric(
        path: "time", key: "time", storage: .float64, unit: "s", longName: "wall clock, Unix time",
        value: { $0[keyPath: time] }, restore: { $0[keyPath: time] = $1 }),
    ]
  }

  /// A loss and, for heads with a floor, a KL divergence a head.
  private static func losses(
    of heads: [Head], at path: WritableKeyPath<Report, [HeadLoss]> & Sendable
  ) -> [Metric] {
    let losses = heads.map { head in
      Metric(
        path: "loss/\(head.name)", key: "loss.\(head.name)", storage: .float32, unit: "nats",
        longName: "mean cross-entropy of \(head.name)",
        value: { $0[keyPath: path].first { $0.head == head }.map { Double($0.loss) } },
        restore: { report, value in report[keyPath: path].update(head) { $0.loss = Float(value) } })
    }
    let divergences = heads.filter(\.hasFloor).map { head in
      Metric(
        path: "kl/\(head.name)", key: "kl.\(head.name)", storage: .float32, unit: "nats",
        longName: "cross-entropy of \(head.name) above the entropy of its targets", isOptional: true,
        value: { $0[keyPath: path].first { $0.head == head }?.kl.map(Double.init) },
        restore: { report, value in report[keyPath: path].update(head) { $0.kl = Float(value) } })
    }
    return losses + divergences
  }
}

extension [HeadLoss] {
  fileprivate mutating func update(_ head: Head, _ change: (inout HeadLoss) -> Void) {
    if !contains(where: { $0.head == head }) { append(HeadLoss(head: head, loss: .nan, positions: 0)) }
    for index in indices where self[index].head == head { change(&self[index]) }
  }
}
