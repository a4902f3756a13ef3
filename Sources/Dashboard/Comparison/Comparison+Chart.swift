// A comparison as a chart for export: every line with its mean, its spread and its seeds.
import Run
import TerminalUI

extension Comparison {
  /// The curves of the metric over the axis.
  package var chart: ChartData {
    let curves = lines.map { line -> ChartData.DataCurve in
      let curve = line.curve
      let band = curve.deviations
      return ChartData.DataCurve(
        line.name, xs: curve.xs, ys: curve.values,
        lower: band.isEmpty ? [] : zip(curve.values, band).map { $0 - $1 },
        upper: band.isEmpty ? [] : zip(curve.values, band).map { $0 + $1 })
    }
    let seeds = lines.map { line in
      "\(line.name): \(line.members.map { "\(runs[$0].recipe.seed)" }.joined(separator: ", "))"
    }
    var notes = ["seeds: " + seeds.joined(separator: "; ")]
    if curves.contains(where: { !$0.lower.isEmpty }) { notes.append("bands: ± standard deviation over seeds") }
    if metric.isSmoothed { notes.append("smoothed by \(Figure.factor(smoothing))") }
    return ChartData(
      title: yTitle, xLabel: axis == .loss ? metric.unitLabel : axis.unitLabel,
      yLabel: axis == .loss ? CompareAxis.tokens.unitLabel : metric.unitLabel, curves: curves, notes: notes)
  }

  /// The title of the y axis.
  package var yTitle: String { axis == .loss ? "tokens to reach \(metric.label)" : metric.label }

  /// The losses of one run over tokens: of the steps and of evaluations, each head's, and what is trained in the place of a loss.
  package static func chart(of run: ComparedRun) -> ChartData {
    var comparison = Comparison([run])
    let losses = comparison.metrics.filter { metric in
      switch metric {
      case .loss, .heldOut: true
      case .furtherLoss(let name):
        History.LossTrack.TrackQuantity.beside.contains { name.hasPrefix($0.rawValue + "/") }
      default: false
      }
    }
    let curves = losses.map { metric -> ChartData.DataCurve in
      comparison.metric = metric
      let curve = comparison.lines[0].curve
      return ChartData.DataCurve(metric.label, xs: curve.xs, ys: curve.values)
    }
    return ChartData(
      title: run.name, xLabel: CompareAxis.tokens.unitLabel, yLabel: "loss (nats)", curves: curves,
      notes: ["seed: \(run.recipe.seed)", "losses of steps are smoothed by \(Figure.factor(comparison.smoothing))"])
  }
}

extension CompareAxis {
  /// With its unit, for the axis of a picture.
  fileprivate var unitLabel: String {
    switch self {
    case .step: "steps"
    case .tokens, .loss: "tokens"
    case .time: "training time (s)"
    }
  }
}

extension ComparedMetric {
  /// With its unit, for the axis of a picture.
  fileprivate var unitLabel: String {
    switch self {
    case .throughput: "throughput (tokens/s)"
    case .stepNumber(let name) where name.hasPrefix(Self.phases): "\(label) (s)"
    default: isInNats ? "\(label) (nats)" : label
    }
  }
}
