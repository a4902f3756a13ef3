// Any keys, any events, any sizes: nothing stops the dashboard.
import Foundation
import Support
import Testing

@testable import Dashboard
@testable import Run
@testable import TerminalUI

struct RandomWalkTests {
  private static let rounds = Trial.isFull ? 2500 : 600

  static let keys: [Key] =
    "?qlxyebsgcadknjtm,.<>[]{}+-=0123456789:/wruTRLCMS é漢🙂".map { .character($0) }
    + [
      .enter, .escape, .tab, .backTab, .backspace, .delete, .insert, .up, .down, .left, .right, .home, .end, .pageUp,
      .pageDown, .function(1), .control("l"), .control("u"), .paste("x0.5\n\u{1B}[2J"), .resize, .space, .space,
    ]
    + mouse

  private static let mouse: [Key] = (0..<8).flatMap { (place: Int) -> [Key] in
    [
      .click(column: place * 13, row: place * 5),
      .wheel(isUp: place.isMultiple(of: 2), column: place * 11, row: place * 4),
    ]
  }

  private func number(_ dice: inout Dice) -> Double {
    switch Int.random(in: 0..<12, using: &dice) {
    case 0: .nan
    case 1: .infinity
    case 2: -1e300
    case 3: 1e300
    case 4: 0
    case 5: .leastNonzeroMagnitude
    default: Double.random(in: -10...10, using: &dice)
    }
  }

  private func word(_ dice: inout Dice) -> String {
    let words = [
      "", "Say", "␠unto", "漢字漢字漢字", "\u{1B}[31m", "e\u{301}\u{301}\u{301}\u{301}", "🙂👨‍👩‍👧", "שלום", "\n\n", "a b\tc",
      "\u{FFFD}", "नमस्ते",
    ]
    return words[Int.random(in: 0..<words.count, using: &dice)]
  }

  private func event(_ dice: inout Dice, _ step: inout Int) -> Event {
    let run = MadeUpRun()
    switch Int.random(in: 0..<20, using: &dice) {
    case 0:
      guard case .began(var beginning) = run.began else { return run.began }
      beginning.name = word(&dice)
      beginning.step = Int.random(in: 0...max(step, 0), using: &dice)
      beginning.recipe.steps = [0, 1, 50, 3000, Int.max, Int.min].randomElement(using: &dice) ?? 0
      beginning.recipe.schedule.kind = Recipe.ScheduleSettings.Curve.allCases.randomElement(using: &dice) ?? .cosine
      beginning.recipe.schedule.warmup = Int.random(in: 0...100, using: &dice)
      step = beginning.step
      return .began(beginning)
    case 1:
      return .ended(
        Ending(
          [.finished, .stopped, .abandoned, .diverged, .failed].randomElement(using: &dice) ?? .failed, step: step,
          time: number(&dice)))
    case 2:
      return .evaluated(
        Evaluation(
          step: Int.random(in: 0...max(step, 1), using: &dice), tokens: 1, time: number(&dice),
          losses: [HeadLoss(head: .ntp, loss: Float(number(&dice)), kl: Float(number(&dice)), positions: 0)],
          isBest: Bool.random(using: &dice),
          seconds: number(&dice)))
    case 3:
      let count = Int.random(in: 0...12, using: &dice)
      return .ordered(
        OrderSample(
          step: step, probe: Int.random(in: 0...20, using: &dice), probes: Int.random(in: 0...16, using: &dice),
          context: (0..<count).map { _ in word(&dice) },
          upcoming: (0..<count).map {
            .init(
              token: word(&dice), distance: $0, weight: Float(number(&dice)),
              rank: Int.random(in: 0...40_000, using: &dice))
          },
          ranking: (0..<count).map { _ in word(&dice) }, ndcg8: Float(number(&dice)), tau: Float(number(&dice)),
          recall8: Float(number(&dice)), reciprocalRank: Float(number(&dice))))
    case 4:
      return .wrote(
        TextSample(step: step, prompt: word(&dice), text: (0..<40).map { _ in word(&dice) }.joined(separator: " ")))
    case 5, 6:
      return .occurred(
        Occurrence(
          Occurrence.Subject.allCases.randomElement(using: &dice) ?? .notice, step: step, time: number(&dice),
          old: number(&dice),
          new: number(&dice), actor: Occurrence.Actor.allCases.randomElement(using: &dice) ?? .key, text: word(&dice)))
    default:
      var report = run.step(max(step, 1))
      step += Int.random(in: -1...3, using: &dice)
      report.step = step
      if Int.random(in: 0..<6, using: &dice) == 0 {
        report.losses = report.losses.map { loss in
          var loss = loss
          loss.loss = Float(number(&dice))
          return loss
        }
        report.time = number(&dice)
        report.active = number(&dice)
        report.rate = number(&dice)
        report.tokensPerSecond = number(&dice)
        report.phases.forward = number(&dice)
        if Int.random(in: 0..<4, using: &dice) == 0 {
          report.step = [Int.min, Int.max, -1, 1 << 60].randomElement(using: &dice) ?? 0
        }
        report.tokens = Int.random(in: Int.min...Int.max, using: &dice)
      }
      if Int.random(in: 0..<10, using: &dice) == 0 { report.losses.removeLast() }
      return .stepped(report)
    }
  }

  @Test(arguments: 0..<12)
  func `nothing that is pressed, happens or is resized stops it`(seed: Int) throws {
    var dice = Dice(for: "random walk \(seed)")
    var pictures = Set<String>()
    let layouts = try shippedLayouts()
    var dashboard = Dashboard(
      seed % 3 == 0 ? .stored : .live, layouts: seed % 2 == 0 ? layouts : [], glyphs: Glyphs.allCases[seed % 3])
    var step = 0
    for round in 0..<Self.rounds {
      for _ in 0..<Int.random(in: 0...3, using: &dice) { dashboard.receive(event(&dice, &step)) }
      for _ in 0..<Int.random(in: 0...3, using: &dice) {
        _ = dashboard.press(Self.keys[Int.random(in: 0..<Self.keys.count, using: &dice)])
      }
      let sizes = [(1, 1), (2, 2), (20, 4), (80, 24), (120, 36), (500, 200)]
      let isUsual = round % 50 != 0
      let size =
        isUsual
        ? (Int.random(in: 0...130, using: &dice), Int.random(in: 0...45, using: &dice))
        : sizes[(round / 50) % sizes.count]
      let canvas = dashboard.draw(size: (columns: size.0, rows: size.1), now: number(&dice))
      #expect(canvas.columns == max(size.0, 1) && canvas.rows == max(size.1, 1))
      if round % 10 == 0 { pictures.insert(canvas.text) }
      canvas.expectSound()
    }
    let looks = Self.rounds / 10
    #expect(pictures.count > looks * 4 / 5, "\(Trial.note): it saw \(pictures.count) pictures in \(looks) looks")
  }
}

extension Canvas {
  /// No cell holds anything that steers a terminal, and wide ones are whole.
  func expectSound(sourceLocation: SourceLocation = #_sourceLocation) {
    for row in 0..<rows {
      var column = 0
      while column < columns {
        let cell = self[column, row]
        if cell.character.unicodeScalars.contains(where: \.steersTerminals) {
          Issue.record("an unsafe cell at \(column), \(row)", sourceLocation: sourceLocation)
        }
        if cell.width == 0 {
          Issue.record("half of a wide character at \(column), \(row)", sourceLocation: sourceLocation)
        }
        column += max(Int(cell.width), 1)
      }
      if column != columns {
        Issue.record("a wide character beyond the edge of row \(row)", sourceLocation: sourceLocation)
      }
    }
  }
}
