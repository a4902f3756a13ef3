// A tiny run for tests: a corpus of a few kilobytes, a network of a few thousand weights, and everything it reports.
import Corpus
import Foundation
import Run
import Support
import Training

/// What a session reported.
final class Log: @unchecked Sendable {
  // Used by one thread at a time.
  var events: [Event] = []
  var checkpoints: [Checkpoint] = []

  var steps: [StepReport] { events.compactMap { if case .stepped(let report) = $0 { report } else { nil } } }
  var evaluations: [Evaluation] { events.compactMap { if case .evaluated(let value) = $0 { value } else { nil } } }
  var occurrences: [Occurrence] { events.compactMap { if case .occurred(let value) = $0 { value } else { nil } } }
  var texts: [TextSample] { events.compactMap { if case .wrote(let value) = $0 { value } else { nil } } }
  var samples: [OrderSample] { events.compactMap { if case .ordered(let value) = $0 { value } else { nil } } }
}

enum Tiny {
  static var recipe: Recipe {
    var recipe = Recipe.tinyRun(steps: 12)
    recipe.batch.rows = 4
    recipe.schedule.rate = 3e-3
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (6, 6, 4)
    return recipe
  }

  static func corpus(_ recipe: Recipe) throws -> Corpus {
    let words = ["the", "lookout", "sees", "a", "sail", "and", "calls", "down", "to", "deck"]
    var dice = Dice(1)
    let text = (0..<800).map { _ in words.randomElement(using: &dice)! }.joined(separator: " ")
    return try Corpus(text: text, for: recipe)
  }

  /// Trains, asking `requests` before the first step, and what comes later right after the steps with these numbers.
  static func train(
    _ recipe: Recipe, on text: Corpus? = nil, from checkpoint: Checkpoint? = nil, asking requests: [Command] = [],
    after later: [Int: [Command]] = [:],
    replaying edits: [ReplayedCommand] = [], isAttended: Bool = false, threads: Int = 2
  ) throws -> (log: Log, ending: Ending, checkpoint: Checkpoint) {
    let trainer = try Trainer(
      recipe: recipe, corpus: text ?? corpus(recipe), from: checkpoint, threads: threads, name: "tiny")
    let commands = Mailbox<Request>()
    func ask(_ requests: [Command]) { for command in requests { commands.send(Request(command, by: .key)) } }
    ask(requests)
    let log = Log()
    func report(_ event: Event) {
      log.events.append(event)
      if case .stepped(let report) = event { ask(later[report.step] ?? []) }
    }
    let ending = trainer.run(
      obeying: commands, replaying: edits, isAttended: isAttended,
      to: Trainer.Outlets(report: report, save: { checkpoint in log.checkpoints.append(checkpoint) }))
    return (log, ending, trainer.checkpoint)
  }
}
