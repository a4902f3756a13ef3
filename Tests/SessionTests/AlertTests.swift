// What looks wrong in a run is told once, and what looks right is not.
import Foundation
import Support
import Testing

@testable import Run
@testable import Session

struct AlertTests {
  private let recipe: Recipe = {
    var recipe = Recipe()
    recipe.steps = 10_000
    recipe.evaluate.every = 100
    recipe.sample.every = 0
    return recipe
  }()

  private var detector: AlertDetector {
    AlertDetector(
      Beginning(
        name: "made-up", recipe: recipe, step: 0, tokens: 0, time: 0, parameters: 1, threads: 1, precision: "fp32",
        corpus: "", vocabulary: 256, trainingTokens: 1, heldOutTokens: 1, unigramEntropy: 1))
  }

  private func step(_ number: Int, loss: Double, speed: Double = 1000, time: Double? = nil) -> Event {
    let time = time ?? Double(number)
    return .stepped(
      StepReport(
        step: number, tokens: number * 1000, time: time, active: time, total: Float(loss),
        losses: [HeadLoss(head: .ntp, loss: Float(loss), positions: 1000)], rate: 1e-3, gradientNorm: 1,
        tokensPerSecond: speed, phases: Phases(forward: 1)))
  }

  /// A loss that falls, with noise.
  private func loss(_ number: Int, _ dice: inout Dice) -> Double {
    3 + 5 * exp(-Double(number) / 100) + Double.random(in: -0.1...0.1, using: &dice)
  }

  @Test(arguments: [1, 2, 3])
  func `a run that learns gives rise to no alert`(seed: UInt64) {
    var detector = detector
    var dice = Dice(seed)
    for number in 1...3000 {
      #expect(detector.take(step(number, loss: loss(number, &dice)), now: Double(number)).isEmpty, "step \(number)")
      #expect(detector.look(now: Double(number) + 1, time: 0, freeDisk: 1 << 40).isEmpty)
    }
  }

  @Test(arguments: [3.9, 12, 1e6])
  func `a loss far above its average is told, once`(value: Double) throws {
    var detector = detector
    var dice = Dice(7)
    for number in 1...500 { _ = detector.take(step(number, loss: loss(number, &dice)), now: Double(number)) }
    let alert = try #require(detector.take(step(501, loss: value), now: 501).first)
    #expect(alert.kind == .alert && alert.key == "loss" && alert.step == 501 && alert.new == Double(Float(value)))
    #expect(alert.text.contains("the loss of ntp is"))
    for number in 502...520 { #expect(detector.take(step(number, loss: value), now: Double(number)).isEmpty) }
  }

  @Test func `a table of which half the rows are dead is told once, until fewer are`() throws {
    var detector = detector
    func evaluated(_ step: Int, _ dead: [Float]) -> [Occurrence] {
      var evaluation = Evaluation(
        step: step, tokens: step, time: Double(step), losses: [HeadLoss(head: .ntp, loss: 3, positions: 1)],
        isBest: false, seconds: 1)
      evaluation.memories = dead.enumerated().map { index, share in
        var use = MemoryUse(group: .block(index))
        use.dead = share
        return use
      }
      return detector.take(.evaluated(evaluation), now: Double(step))
    }
    #expect(evaluated(100, [.nan, .nan]).isEmpty && evaluated(1000, [0.1, 0.49]).isEmpty)
    let alert = try #require(evaluated(1100, [0.1, 0.75]).first)
    #expect(alert.kind == .alert && alert.key == "deadRows" && alert.new == 0.75 && alert.step == 1100)
    #expect(alert.text == "no token picked 75 % of the rows of block-1's table in the last 1 000 steps")
    for step in 2...30 { #expect(evaluated(step * 1000, [0.1, 0.8]).isEmpty, "while it lasts, it is told once") }
    #expect(evaluated(40_000, [0.6, 0.8]).map(\.text).first?.contains("60 % of the rows of block-0's") == true)
    #expect(evaluated(41_000, [0.1, 0.2]).isEmpty && evaluated(42_000, [.nan, .nan]).isEmpty)
    let again = evaluated(43_000, [0.7, 0.9])
    #expect(again.count == 1 && again[0].text.hasSuffix("and of 1 other memory layers at least 50 %"), "\(again)")
  }

  @Test func `a minute at less than a third of the usual speed is told, and a slow moment is not`() throws {
    var detector = detector
    for number in 1...50 { _ = detector.take(step(number, loss: 3), now: Double(number)) }
    for number in 51...60 { #expect(detector.take(step(number, loss: 3, speed: 100), now: Double(number)).isEmpty) }
    for number in 61...70 { #expect(detector.take(step(number, loss: 3), now: Double(number)).isEmpty) }
    var told: [Occurrence] = []
    for number in 71...170 { told += detector.take(step(number, loss: 3, speed: 300), now: Double(number)) }
    #expect(told.map(\.key) == ["throughput"])
    #expect(try #require(told.first).step == 131)
  }

  @Test func `no step for ten times the usual time is told, but not during a pause or an evaluation`() {
    var detector = detector
    for number in 1...250 { _ = detector.take(step(number, loss: 3), now: Double(number)) }
    #expect(detector.look(now: 255, time: 0, freeDisk: nil).isEmpty)
    #expect(detector.look(now: 262, time: 0, freeDisk: nil).map(\.key) == ["stalled"])
    #expect(detector.look(now: 300, time: 0, freeDisk: nil).isEmpty)

    var paused = self.detector
    for number in 1...250 { _ = paused.take(step(number, loss: 3), now: Double(number)) }
    _ = paused.take(.occurred(Occurrence(.pause, step: 250, time: 250, text: "")), now: 250)
    #expect(paused.look(now: 9999, time: 0, freeDisk: nil).isEmpty)

    // After step 300 the held-out part is evaluated, which takes longer.
    var evaluating = self.detector
    for number in 1...300 { _ = evaluating.take(step(number, loss: 3), now: Double(number)) }
    #expect(evaluating.look(now: 500, time: 0, freeDisk: nil).isEmpty)
    #expect(evaluating.look(now: 1000, time: 0, freeDisk: nil).map(\.key) == ["stalled"])
  }

  @Test func `a disk without room for two checkpoints and a held-out loss that is no number are told`() {
    var detector = detector
    _ = detector.take(step(1, loss: 3), now: 1)
    #expect(detector.look(now: 1, time: 0, freeDisk: 100).isEmpty)
    _ = detector.take(.occurred(Occurrence(.saved, step: 1, time: 1, new: 1000, text: "")), now: 1)
    #expect(detector.look(now: 1, time: 0, freeDisk: 2000).isEmpty)
    #expect(detector.look(now: 1, time: 0, freeDisk: 1999).map(\.key) == ["disk"])
    let evaluation = Evaluation(
      step: 1, tokens: 1, time: 1, losses: [HeadLoss(head: .ntp, loss: .nan, positions: 1)], isBest: false, seconds: 1)
    #expect(detector.take(.evaluated(evaluation), now: 2).map(\.key) == ["nonFinite"])
  }
}
