// Every number that a run file has is a metric of comparisons and of charts: by its name, with its values.
import Foundation
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct StoredMetricTests {
  private static let recipe: Recipe = {
    var recipe = Recipe()
    recipe.objective.mtp.heads = 3
    for kind in DiagnosticKind.all { recipe.measure[every: kind.name] = 1 }
    return recipe
  }()

  /// A step with a value for each number that steps can have; no two are the same.
  private static func step(_ step: Int, isShaped: Bool = true) -> StepReport {
    var report = StepReport.empty
    let metrics = Metric<StepReport>.ofSteps(heads: recipe.heads, isShaped: isShaped)
    for (index, metric) in metrics.enumerated() { metric.restore(&report, Double(step) + Double(index) / 128) }
    (report.step, report.tokens) = (step, step * 64)
    return report
  }

  /// An evaluation with a value for each number that evaluations can have.
  private static func evaluation(_ step: Int) -> Evaluation {
    var evaluation = Evaluation(step: 0, tokens: 0, time: 0, losses: [], isBest: true, seconds: 1)
    for (index, metric) in Metric<Evaluation>.ofEvaluations(content).enumerated() {
      metric.restore(&evaluation, Double(step) + Double(index) / 1024)
    }
    (evaluation.step, evaluation.tokens) = (step, step * 64)
    return evaluation
  }

  private static let content: EvaluationContent = {
    var content = recipe.evaluationContent
    (content.path, content.hasTask, content.memories) = (3, true, [.block(1)])
    return content
  }()

  private static let comparison = Comparison([
    ComparedRun(
      name: "a", recipe: recipe, state: "finished", events: [.stepped(step(10)), .evaluated(evaluation(10))])
  ])

  /// Places and times, which are no metrics.
  private static let places = ["step", "tokens", "time", "active", "seconds"]

  @Test func `every stored number of a step is a metric with its value`() throws {
    var comparison = Self.comparison
    let report = Self.step(10)
    let stored = Metric<StepReport>.ofSteps(heads: Self.recipe.heads).filter { !Self.places.contains($0.path) }
    #expect(stored.map(\.name).contains("trained/ntp") && stored.map(\.name).contains("train-kl/top"))
    for metric in stored {
      comparison.metric = try comparison.metric(named: metric.name)
      let value = try #require(comparison.lines[0].curve.last, "\(metric.name)")
      let wanted = try #require(metric.value(report), "\(metric.name)")
      #expect(abs(value - wanted) < 1e-5 * abs(wanted), "\(metric.name) is \(value), and \(wanted) is stored")
    }
  }

  @Test func `every stored number of an evaluation is a metric with its value`() throws {
    var comparison = Self.comparison
    let evaluation = Self.evaluation(10)
    let stored = Metric<Evaluation>.ofEvaluations(Self.content).filter { !Self.places.contains($0.path) }
    for name in ["kl/top", "gradient-at-h/ntp", "update/block-0", "accuracy/path-1", "memory-used/block-1"] {
      #expect(stored.map(\.name).contains(name))
    }
    for metric in stored {
      comparison.metric = try comparison.metric(named: metric.name)
      let value = try #require(comparison.lines[0].curve.last, "\(metric.name)")
      let wanted = try #require(metric.value(evaluation), "\(metric.name)")
      #expect(abs(value - wanted) < 1e-5 * abs(wanted), "\(metric.name) is \(value), and \(wanted) is stored")
      // A condition on the same name reads the same number.
      #expect(evaluation.number(named: metric.name) == wanted)
    }
  }

  @Test func `no name stands for two metrics, and each has a form`() throws {
    let names = Self.comparison.metrics.map(\.name)
    #expect(Set(names).count == names.count)
    for metric in Self.comparison.metrics { #expect(!metric.figure(0.25).isEmpty && !metric.label.contains("/")) }
    #expect(Self.comparison.metrics.first { $0.name == "phase/heads" }?.figure(0.0124) == "12 ms")
    #expect(Self.comparison.metrics.first { $0.name == "kl/top" }?.figure(0.25) == "0.250")
  }

  @Test func `help names every metric`() throws {
    let families = (ComparedMetric.families + DiagnosticKind.families).map { family in
      ["HEAD", "PART", "NAME"].compactMap { family.name.firstRange(of: $0)?.lowerBound }.min()
        .map { String(family.name[..<$0]) } ?? family.name
    }
    for name in Self.comparison.metrics.map(\.name) {
      #expect(families.contains { name.hasPrefix($0) }, "\(name) is in no family")
    }
    // Of diagnostics, each number that a chart shows has its name there.
    for (kind, family) in zip(DiagnosticKind.all, DiagnosticKind.families) {
      for number in kind.charted(Self.recipe) where !number.path.contains("mtp") && !number.path.contains("top-") {
        #expect(family.about.contains(kind.part(of: number).replacing("ntp-", with: "HEAD-")), "\(number.path)")
      }
    }
  }

  @Test func `what is trained for a part of the run has a curve for that part`() throws {
    let events = (1...40).map { Event.stepped(Self.step($0, isShaped: $0 <= 20)) }
    let run = ComparedRun(name: "a", recipe: Self.recipe, state: "finished", events: events)
    let metric = ComparedMetric.furtherLoss("trained/ntp")
    let comparison = Comparison([run], axis: .step, metric: metric)
    #expect(metric.isSmoothed && comparison.lines[0].curve.ends?.first == 1)
    #expect(comparison.lines[0].curve.ends?.last == 20)
    // Smoothed as the losses are.
    let raw = try #require(run.history.numbers["trained/ntp"]?.values.raw.values[19])
    let last = try #require(comparison.last(0)?.mean)
    #expect(last < Double(raw) - 1)
    // A run without it has no such metric.
    let plain = ComparedRun(
      name: "b", recipe: Self.recipe, state: "finished", events: [.stepped(Self.step(1, isShaped: false))])
    #expect(!Comparison([plain]).metrics.contains(metric))
    #expect(Comparison([plain]).metrics.contains(.furtherLoss("loss/total")))
  }

  @Test func `further numbers of a long run are summed up, cut and smoothed with the losses`() throws {
    var history = History(smoothing: 0.9, keepingSteps: 128)
    for number in 1...5000 { history.append(Self.step(number, isShaped: number > 1000)) }
    let trained = try #require(history.numbers["trained/ntp"]?.values)
    let total = try #require(history.numbers["loss/total"]?.values)
    #expect(total.raw.count == history.count && trained.raw.count == history.count)
    #expect(total.raw.summary.count == 5000 && total.raw.summary.bad == 0)
    #expect(trained.raw.summary.count == 4000 && trained.raw.summary.bad == 1000)
    history.smooth(0)
    let unsmoothed = try #require(history.numbers["loss/total"]?.values)
    #expect(unsmoothed.smooth.values == unsmoothed.raw.values)
    history.cut(after: 4990)
    #expect(history.numbers["loss/total"]?.values.raw.count == history.count)
    #expect(history.numbers["weight/top"]?.values.raw.count == history.count)
  }

  @Test func `sums of stored steps have the further numbers too`() throws {
    var sum = StepsReport(
      count: 64, mean: Self.step(64), minimum: Self.step(1), maximum: Self.step(64), bad: .empty)
    for metric in Metric<StepReport>.ofSteps(heads: Self.recipe.heads) { metric.restore(&sum.bad, 0) }
    var history = History(smoothing: 0.9)
    history.append(sum)
    history.append(Self.step(65))
    let trained = try #require(history.numbers["trained/ntp"]?.values.raw)
    #expect(trained.summary.count == 65 && trained.values.count == 2)
    #expect(trained.summary.minimum == Self.step(1).losses.first { $0.head == .ntp }?.trained)
  }
}
