// Statistics against values computed by hand, and by another program's integrals.
import Run
import Support
import Testing

@Suite struct StatisticsTests {
  private func isNear(_ value: Double, _ expected: Double, _ tolerance: Double = 1e-9) -> Bool {
    abs(value - expected) <= tolerance * max(1, abs(expected))
  }

  @Test func `bounds of the t distribution are those of printed tables`() {
    for (freedom, bound) in [(1.0, 12.706), (2, 4.303), (5, 2.571), (10, 2.228), (30, 2.042), (1000, 1.962)] {
      #expect(abs(StudentT.bound(within: 0.95, freedom: freedom) - bound) < 0.0006, "\(freedom) degrees of freedom")
    }
    // One degree of freedom is Cauchy's distribution: P(|T| ≤ 1) = 1/2.
    #expect(isNear(StudentT.probability(within: 1, freedom: 1), 0.5))
    // Two: P(|T| ≤ t) = t / √(2 + t²).
    #expect(isNear(StudentT.probability(within: 3, freedom: 2), 3 / 11.0.squareRoot()))
    #expect(isNear(NormalDistribution.bound(within: 0.95), 1.959963984540054))
  }

  @Test func `the incomplete beta function is that of small whole numbers`() {
    // I_x(2, 3) = 6x² − 8x³ + 3x⁴.
    for x in [0.1, 0.4, 0.75] {
      #expect(isNear(IncompleteBeta.regularised(2, 3, at: x), 6 * x * x - 8 * x * x * x + 3 * x * x * x * x))
      #expect(isNear(IncompleteBeta.inverse(2, 3, of: IncompleteBeta.regularised(2, 3, at: x)), x))
    }
  }

  @Test func `Welch's interval is that computed by hand`() throws {
    let interval = try #require(WelchInterval([1, 2, 3, 4, 5], minus: [2, 4, 6, 8, 10]))
    // Means 3 and 6; variances of the means 2.5/5 and 10/5; 2.5² / (0.5²/4 + 2²/4) degrees of freedom.
    #expect(interval.difference == -3)
    #expect(isNear(interval.freedom, 6.25 / 1.0625))
    let half = StudentT.bound(within: 0.95, freedom: 6.25 / 1.0625) * 2.5.squareRoot()
    #expect(isNear(interval.lower, -3 - half) && isNear(interval.upper, -3 + half))
    // By numerical integration of the density.
    #expect(isNear(interval.p, 0.1075311949, 1e-6) && isNear(half, 3.8877416437, 1e-6))
  }

  @Test func `a difference needs two numbers on each side, and some spread`() {
    #expect(WelchInterval([1], minus: [1, 2]) == nil)
    #expect(WelchInterval([1, 1], minus: [2, 2]) == nil)
  }

  @Test func `the share of solved runs is that computed by hand`() {
    let curve = KaplanMeier([
      .init(3, isSolved: true), .init(1, isSolved: true), .init(6, isSolved: false), .init(5, isSolved: true),
      .init(2, isSolved: false), .init(3, isSolved: true),
    ])
    #expect(curve.steps.map(\.place) == [0, 1, 3, 5])
    #expect(curve.steps.map(\.atRisk) == [6, 6, 4, 2])
    #expect(curve.steps.map(\.solved) == [0, 1, 2, 1])
    for (step, share) in zip(curve.steps, [0, 1.0 / 6, 7.0 / 12, 19.0 / 24]) { #expect(isNear(step.share, share)) }
    // Greenwood's sum at 3 is 1/(6·5) + 2/(4·2).
    #expect(isNear(curve.steps[2].lower, 0.2334777804, 1e-6) && isNear(curve.steps[2].upper, 0.9440081351, 1e-6))
    #expect(curve.median == 3)
    #expect(curve.end == 6)
    #expect(curve.step(at: 4.9).place == 3)
  }

  @Test func `where no run or every run has solved it, the interval is the exact binomial one`() {
    let none = KaplanMeier((1...4).map { .init(Double($0), isSolved: false) })
    #expect(none.steps.count == 1 && none.median == nil)
    #expect(none.steps[0].lower == 0)
    // (1 − p)⁴ = 0.025.
    #expect(isNear(none.steps[0].upper, 1 - 0.025.squareRoot().squareRoot()))
    let all = KaplanMeier((1...4).map { .init(Double($0), isSolved: true) })
    #expect(all.steps.last?.share == 1 && all.steps.last?.upper == 1)
    #expect(isNear(all.steps.last?.lower ?? 0, 0.025.squareRoot().squareRoot()))
  }

  @Test func `bounds hold the share, and neither falls`() {
    var dice = Dice(for: "shares of solved runs")
    for round in 0..<200 {
      let observations = (0..<(3 + round % 9)).map { _ -> KaplanMeier.Observation in
        .init(Double(Int.random(in: 0..<64, using: &dice)), isSolved: Bool.random(using: &dice))
      }
      let steps = KaplanMeier(observations).steps
      let place: Comment = "round \(round), \(Trial.note)"
      for step in steps { #expect(step.lower <= step.share + 1e-12 && step.share <= step.upper + 1e-12, place) }
      for (a, b) in zip(steps, steps.dropFirst()) { #expect(a.share < b.share && a.place <= b.place, place) }
    }
  }
}
