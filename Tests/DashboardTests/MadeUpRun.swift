// A run that never was: the same events every time, for pictures and for random walks.
import Foundation
import Support
import Testing

@testable import Dashboard
@testable import Run

struct MadeUpRun {
  static let start = 1_790_000_000.0
  var recipe: Recipe = {
    var recipe = Recipe()
    recipe.steps = 2000
    recipe.sample.prompt = "And the king"
    return recipe
  }()

  var began: Event {
    .began(
      Beginning(
        name: "kjv-top-3", recipe: recipe, step: 0, tokens: 0, time: Self.start, parameters: 6_820_096, threads: 2,
        precision: "bf16", corpus: "kjv.txt, 31 102 lines, 1.2 M tokens, sentencepiece 4096", vocabulary: 4096,
        trainingTokens: 1_140_000, heldOutTokens: 60_000, unigramEntropy: 6.1))
  }

  /// The step with this number, counted from 1.
  func step(_ step: Int, factor: Double = 1) -> StepReport {
    var dice = Dice(UInt64(step))
    func noise() -> Double { Double.random(in: -1...1, using: &dice) }
    let progress = Double(step) / 300
    let ntp = 3.05 + 5.3 * exp(-progress * 2.2) + 0.6 * exp(-progress * 0.4) + 0.09 * noise()
    let top = 3.72 + 4.6 * exp(-progress * 2.6) + 0.5 * exp(-progress * 0.4) + 0.07 * noise()
    return StepReport(
      step: step, tokens: step * 4096, time: Self.start + Double(step) * 0.52 + 20,
      active: Double(step) * 0.518 + 0.02 * noise(),
      total: Float(ntp + top),
      losses: [
        HeadLoss(head: .ntp, loss: Float(ntp), positions: 4096),
        HeadLoss(head: .top, loss: Float(top), kl: Float(top - 1.0407), positions: 4096),
      ], rate: recipe.schedule.rate * recipe.schedule.multiplier(at: step - 1, of: recipe.steps) * factor,
      gradientNorm: Float(0.4 + 0.05 * noise()), tokensPerSecond: 7912 + 180 * noise(),
      phases: Phases(data: 0.0012, forward: 0.156, heads: 0.197, backward: 0.106, update: 0.048))
  }

  func evaluation(_ step: Int) -> Evaluation {
    let report = self.step(step)
    return Evaluation(
      step: step, tokens: report.tokens, time: report.time + 0.4,
      losses: [
        HeadLoss(
          head: .ntp, loss: report.losses[0].loss + 0.12, accuracy: 0.42 - 0.35 / (1 + Float(step) / 200),
          positions: 60_000, gradientAtH: 0.031),
        HeadLoss(
          head: .top, loss: report.losses[1].loss + 0.1, kl: report.losses[1].kl.map { $0 + 0.1 }, positions: 60_000,
          gradientAtH: 0.0224),
      ],
      order: OrderQuality(
        ndcg8: 0.61 - 0.5 / (1 + Float(step) / 300), tau: 0.3 - 0.33 / (1 + Float(step) / 400),
        recall8: 0.5 - 0.4 / (1 + Float(step) / 300), reciprocalRank: 0.52 - 0.4 / (1 + Float(step) / 250)),
      gradients: recipe.tensorGroups.enumerated().map { index, group in
        GroupGradient(group: group, norm: 0.4 / Float(index + 1), update: 1e-3 / Float(index + 1))
      }, isBest: true, seconds: 1.1)
  }

  func order(_ step: Int, probe: Int = 2) -> OrderSample {
    let share = Float(min(Double(step) / 1500, 0.9))
    return OrderSample(
      step: step, probe: probe, probes: 16,
      context: ["…", "␠and", "␠the", "␠LORD", "␠said", "␠unto", "␠Moses", ","].map { $0.replacing("␠", with: " ") },
      upcoming: [
        .init(token: "␠Say", distance: 1, weight: 0.632, rank: 1),
        .init(token: "␠unto", distance: 2, weight: 0.233, rank: 2),
        .init(token: "␠Aaron", distance: 3, weight: 0.086, rank: 6),
        .init(token: ",", distance: 4, weight: 0.031, rank: 3),
        .init(token: "␠Take", distance: 5, weight: 0.012, rank: 41),
        .init(token: "␠thy", distance: 6, weight: 0.004, rank: 5),
        .init(token: "␠rod", distance: 7, weight: 0.002, rank: 1204),
      ], ranking: ["␠Say", "␠unto", ",", "␠the", "␠thy", "␠Aaron", "␠of", "␠and", "␠Speak", "␠I", "␠children", "␠he"],
      ndcg8: 0.2 + 0.6 * share, tau: 0.54 * share, recall8: 0.7 * share, reciprocalRank: share)
  }

  func text(_ step: Int) -> TextSample {
    TextSample(
      step: step, prompt: "And the king",
      text: " said unto him, Go thou up to the house of the LORD, and set the people in the midst of the land. And it "
        + "came to pass in the days of Saul, that the priest took the ark, and went forth before them: and they "
        + "smote the city with the edge of the sword, and there was none left of all that were therein.")
  }

  func occurred(
    _ kind: Occurrence.Subject, _ step: Int, _ text: String, by actor: Occurrence.Actor = .program, old: Double? = nil,
    new: Double? = nil
  ) -> Event {
    .occurred(
      Occurrence(
        kind, step: step, time: Self.start + Double(step) * 0.52 + 20, key: kind == .rate ? "rate" : "", old: old,
        new: new, actor: actor, text: text))
  }

  /// Everything up to and with a step, in the order in which the trainer reports it; the rate is halved after step 820.
  func events(to last: Int) -> [Event] {
    var events = [
      occurred(.notice, 0, "training a tokenizer of 4096 tokens on kjv.txt …"), began,
      occurred(.start, 0, "a new run in runs/kjv-top-3"),
    ]
    guard last > 0 else { return events }
    for number in 1...last {
      events.append(.stepped(step(number, factor: number > 820 ? 0.5 : 1)))
      if number % 50 == 0 {
        events.append(.ordered(order(number)))
        events.append(.wrote(text(number)))
      }
      if number % 100 == 0 { events.append(.evaluated(evaluation(number))) }
      if number % 200 == 0 {
        events.append(
          occurred(.saved, number, "saved checkpoints/\(String(format: "%09d", number)).h5  82 MB in 210 ms"))
      }
      if number == 820 {
        let rate = step(821).rate
        events.append(
          occurred(
            .rate, 820,
            "rate \(rate) → \(rate / 2)".replacing(String(rate), with: "7.0e-4").replacing(
              String(rate / 2), with: "3.5e-4"),
            by: .key, old: rate, new: rate / 2))
      }
    }
    return events
  }

  /// The Unix time at a step.
  func now(_ step: Int) -> Double { self.step(max(step, 1)).time + 0.1 }

  /// A dashboard that has seen all of it up to a step.
  func dashboard(at step: Int, _ mode: Dashboard.Mode = .live) -> Dashboard {
    var dashboard = Dashboard(mode)
    for event in events(to: step) { dashboard.receive(event) }
    return dashboard
  }
}

extension Dashboard {
  /// Presses the keys of a text, none of which asks for anything yet.
  mutating func type(_ text: String) {
    for character in text { #expect(press(.character(character)) == nil) }
  }
}
