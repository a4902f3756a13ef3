// Comparing runs: curves, runs of several seeds, and what they say of each other.
import Foundation
import Testing

@testable import Dashboard
@testable import Run

struct ComparedCurveTests {
  @Test func `a value lies on the line between its neighbours, and nowhere outside`() {
    let curve = ComparedCurve([0, 10, 20], [5, 3, 4])
    #expect(curve.value(at: 5) == 4)
    #expect(curve.value(at: 10) == 3)
    #expect(curve.value(at: 20) == 4)
    #expect(curve.value(at: -1) == nil && curve.value(at: 21) == nil)
  }

  @Test func `values that are not finite are left out`() {
    let curve = ComparedCurve([0, 1, 2, 3], [4, .nan, .infinity, 1])
    #expect(curve.xs == [0, 3])
    #expect(curve.value(at: 1) == 3)
    #expect(ComparedCurve([1], [.nan]).isEmpty)
  }

  @Test func `a value is reached where the curve first crosses it`() {
    let curve = ComparedCurve([0, 10, 20, 30], [5, 3, 4, 1])
    #expect(curve.place(reaching: 4) == 5)
    // It was at 3 before it rose again.
    #expect(curve.place(reaching: 3) == 10)
    #expect(curve.place(reaching: 2.5) == 25)
    #expect(curve.place(reaching: 9) == 0)
    #expect(curve.place(reaching: 0.5) == nil)
    #expect(ComparedCurve([0, 10], [0, 1], aim: .high).place(reaching: 0.5) == 5)
  }

  @Test func `the best value is where it first was`() {
    let best = ComparedCurve([0, 1, 2, 3], [4, 2, 3, 2]).best
    #expect(best?.value == 2 && best?.x == 1)
  }

  @Test func `costs are the places over the values that were reached`() {
    let costs = ComparedCurve([0, 10, 20, 30], [5, 3, 4, 1]).costs
    #expect(costs.xs == [1, 3, 5] && costs.values == [30, 10, 0])
    #expect(costs.value(at: 2) == 20)
  }

  @Test func `a slope is that of a stretch around the place`() {
    let curve = ComparedCurve([0, 10, 20], [6, 4, 0])
    #expect(abs((curve.slope(at: 5, over: 4) ?? 0) + 0.2) < 1e-12)
    #expect(abs((curve.slope(at: 20, over: 10) ?? 0) + 0.4) < 1e-12)
    #expect(curve.slope(at: 25, over: 10) == nil)
    #expect(ComparedCurve([3], [1]).slope(at: 3, over: 1) == nil)
  }

  @Test func `a mean has the places that all have, and how far they lie apart`() {
    let mean = ComparedCurve.mean(of: [ComparedCurve([0, 1, 2], [1, 2, 3]), ComparedCurve([1, 3], [4, 8])])
    #expect(mean.xs == [1, 2])
    #expect(mean.values == [3, 4.5])
    #expect(abs((mean.deviation(at: 1) ?? 0) - 2.0.squareRoot()) < 1e-12)
    #expect(ComparedCurve.mean(of: [ComparedCurve([0], [1]), ComparedCurve([1], [1])]).isEmpty)
  }

  @Test func `a deviation needs two numbers`() {
    #expect(MeanDeviation([]) == nil)
    #expect(MeanDeviation([3])?.deviation == nil)
    #expect(MeanDeviation([1, 3])?.deviation == 2.0.squareRoot())
  }
}

struct ComparisonTests {
  /// A run whose held-out loss falls by `speed` a step from 8 on, with an evaluation every ten steps.
  static func run(
    _ name: String, speed: Double, to last: Int = 100, state: String = "finished",
    _ change: (inout Recipe) -> Void = { _ in }
  ) -> ComparedRun {
    var recipe = Recipe()
    recipe.steps = 100
    change(&recipe)
    var events: [Event] = []
    for step in 1...last {
      let loss = Float(8 - Double(step) * speed)
      let losses = [HeadLoss(head: .ntp, loss: loss, accuracy: Float(step) / 200, positions: 64)]
      events.append(
        .stepped(
          StepReport(
            step: step, tokens: step * 64, time: 1000 + Double(step) * 2, active: Double(step) * 1.5, total: loss,
            losses: losses, rate: 1e-3, gradientNorm: 1, tokensPerSecond: 32, phases: Phases())))
      if step % 10 == 0 {
        events.append(
          .evaluated(
            Evaluation(step: step, tokens: step * 64, time: 1000, losses: losses, isBest: true, seconds: 1)))
      }
    }
    return ComparedRun(name: name, recipe: recipe, state: state, events: events)
  }

  @Test func `a run reaches the others' last loss earlier or later`() throws {
    let comparison = Comparison([Self.run("a", speed: 0.02), Self.run("b", speed: 0.04) { $0.schedule.rate = 2e-3 }])
    #expect(comparison.metric == .heldOut(.ntp))
    let reach = try #require(comparison.reach(1, lastOf: 0))
    #expect(abs(reach.place - 50 * 64) < 1)
    #expect(abs((reach.change ?? 0) + 0.5) < 1e-4)
    #expect(comparison.reach(0, lastOf: 1) == nil)
    #expect(comparison.common == 6400)
    #expect(abs((comparison.difference(1, at: 6400) ?? 0) + 2) < 1e-5)
  }

  @Test func `runs are compared where the shorter one ends`() {
    let comparison = Comparison(
      [Self.run("a", speed: 0.02), Self.run("b", speed: 0.02, to: 50) { $0.steps = 50 }], axis: .step)
    #expect(comparison.common == 50)
    #expect(abs(comparison.difference(1, at: 50) ?? 1) < 1e-6)
  }

  @Test func `at equal loss the cost is compared`() {
    let comparison = Comparison(
      [Self.run("a", speed: 0.02), Self.run("b", speed: 0.04) { $0.schedule.rate = 2e-3 }], axis: .loss)
    // The slower one ends at 6, which cost it twice as much.
    #expect(abs((comparison.common ?? 0) - 6) < 1e-5)
    #expect(abs((comparison.difference(1, at: 6.5) ?? 0) + 0.5) < 1e-4)
  }

  @Test func `time is that of training`() {
    let comparison = Comparison([Self.run("a", speed: 0.02), Self.run("b", speed: 0.02) { $0.seed = 2 }], axis: .time)
    #expect(comparison.common == 150)
  }

  @Test func `runs that differ in their seed alone are one line, whatever they are called`() throws {
    let runs = [
      Self.run("x-s1", speed: 0.02) { $0.seed = 1 }, Self.run("other", speed: 0.02) { $0.model.width = 64 },
      Self.run("x-s2", speed: 0.04) { $0.seed = 2 },
    ]
    var comparison = Comparison(runs)
    #expect(comparison.lines.map(\.members) == [[0, 2], [1]])
    #expect(comparison.lines.map(\.name) == ["x ×2", "other"])
    let last = try #require(comparison.last(0))
    #expect(abs(last.mean - 5) < 1e-5 && abs((last.deviation ?? 0) - 2.0.squareRoot()) < 1e-5)
    comparison.joinsSeeds = false
    #expect(comparison.lines.count == 3)
    #expect(comparison.last(0)?.deviation == nil)
  }

  @Test func `the keys that differ are listed with a value a line`() {
    let comparison = Comparison([
      Self.run("a", speed: 0.02), Self.run("b", speed: 0.02) { $0.seed = 2 },
      Self.run("c", speed: 0.02) { $0.schedule.rate = 2e-3 },
    ])
    #expect(comparison.differences.map(\.key) == ["schedule.rate", "seed"])
    #expect(comparison.differences.last?.values == ["1 2", "1"])
  }

  @Test func `tokenizers that differ are named where losses are compared`() {
    func run(_ name: String, vocabulary: Int) -> ComparedRun {
      var run = Self.run(name, speed: 0.02) { $0.tokenizer.kind = .characters }
      if case .began(var beginning) = MadeUpRun().began {
        beginning.vocabulary = vocabulary
        run.receive(.began(beginning))
      }
      return run
    }
    let (small, large) = (run("a", vocabulary: 64), run("b", vocabulary: 70))
    let hint = "losses per token are not comparable: characters 64, characters 70"
    #expect(Comparison([small, large], metric: .loss(.ntp)).tokenizerHint == hint)
    #expect(Comparison([small, large], metric: .rate).tokenizerHint == nil)
    #expect(Comparison([small, small], metric: .loss(.ntp)).tokenizerHint == nil)
    // A run that has not begun has no tokenizer yet.
    #expect(Comparison([small, Self.run("c", speed: 0.02)], metric: .loss(.ntp)).tokenizerHint == nil)
    let screen = CompareScreen(Comparison([small, large], metric: .heldOut(.ntp)))
    #expect(screen.draw(size: (80, 24)).text.contains(hint))
  }

  @Test func `a metric is one that all runs have, and a wrong name says which was meant`() throws {
    let comparison = Comparison([Self.run("a", speed: 0.02), Self.run("b", speed: 0.02, to: 5)])
    // The short one has no evaluation yet.
    #expect(comparison.metric == .loss(.ntp))
    #expect(try comparison.metric(named: "gradient/norm") == .gradientNorm)
    #expect(throws: (any Error).self) { try comparison.metric(named: "held-out/ntp") }
    do { _ = try comparison.metric(named: "loss/nt") } catch { #expect("\(error)".contains("did you mean loss/ntp?")) }
    #expect { try comparison.metric(named: "NORM") } throws: { "\($0)".contains("they have gradient/norm") }
  }

  /// A run that was compared before its first step has no metric; the other's evaluations would be shown for ever.
  @Test func `a metric that nobody chose gives way to one that all runs have`() {
    let first = Self.run("b", speed: 0.02, to: 5)
    let empty = ComparedRun(name: "b", recipe: first.recipe, state: "training", events: [])
    let loss = HeadLoss(head: .ntp, loss: 1, positions: 64)
    let step = Event.stepped(
      StepReport(
        step: 1, tokens: 64, time: 1000, active: 1.5, total: 1, losses: [loss], rate: 1e-3, gradientNorm: 1,
        tokensPerSecond: 32, phases: Phases()))
    var comparison = Comparison([Self.run("a", speed: 0.02), empty])
    #expect(comparison.metric == .heldOut(.ntp))
    comparison.receive([step], ofRun: 1, state: "training")
    #expect(comparison.metric == .loss(.ntp))
    var chosen = Comparison([Self.run("a", speed: 0.02), empty])
    chosen.metric = .heldOut(.ntp)
    chosen.receive([step], ofRun: 1, state: "training")
    #expect(chosen.metric == .heldOut(.ntp))
  }

  @Test func `a run that goes on changes the comparison`() {
    let longer = Self.run("b", speed: 0.02, to: 60)
    var comparison = Comparison(
      [Self.run("a", speed: 0.02), Self.run("b", speed: 0.02, to: 50, state: "training") { $0.seed = 2 }], axis: .step)
    comparison.joinsSeeds = false
    #expect(comparison.runs[1].step == 50 && longer.step == 60)
    let loss = HeadLoss(head: .ntp, loss: 1, positions: 64)
    comparison.receive(
      [.evaluated(Evaluation(step: 60, tokens: 60 * 64, time: 0, losses: [loss], isBest: true, seconds: 1))], ofRun: 1,
      state: "training")
    #expect(comparison.common == 60)
  }

  @Test func `nothing to compare says so instead of failing`() {
    let empty = ComparedRun(name: "a", recipe: Recipe(), state: "failed", events: [])
    // Nor does one line of several that have nothing.
    let comparison = Comparison([empty, empty])
    #expect(comparison.common == nil && comparison.extent == nil && comparison.last(0) == nil)
    #expect(comparison.reach(0, lastOf: 0) == nil)
  }
}
