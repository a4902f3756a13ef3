// What a trainer does when it is asked: stops, saves, steps, rates, refusals.
import Corpus
import Foundation
import Kernels
import Run
import Testing
import Training

extension TrainerTests {
  @Test func `it stops when asked, with a checkpoint or without`() throws {
    let saved = try Tiny.train(Tiny.recipe, asking: [.stop(saving: true)])
    #expect(saved.ending.reason == .stopped && saved.log.checkpoints.count == 1 && saved.log.steps.isEmpty)
    let left = try Tiny.train(Tiny.recipe, asking: [.stop(saving: false)])
    #expect(left.ending.reason == .abandoned && left.log.checkpoints.isEmpty)
    let savedLater = try Tiny.train(Tiny.recipe, after: [6: [.stop(saving: true)]])
    #expect(savedLater.ending.reason == .stopped && savedLater.ending.step == 6 && savedLater.log.steps.count == 6)
    #expect(savedLater.log.checkpoints.map(\.state.step) == [4, 6])
    // What is due after a step is left out by who is to stop.
    #expect(savedLater.log.evaluations.isEmpty && (savedLater.log.texts.first?.text.count ?? 0) <= 1)
    let leftLater = try Tiny.train(Tiny.recipe, after: [6: [.stop(saving: false)]])
    #expect(leftLater.ending.reason == .abandoned && leftLater.log.checkpoints.map(\.state.step) == [4])
  }

  /// Trains with a session that has no memory for a copy when it is first asked, `times` times.
  /// - Parameter meanwhile: what is asked of the trainer each time it waits.
  private func train(
    without times: Int = 1, meanwhile: [Request]
  ) throws -> (log: Log, ending: Ending) {
    let recipe = Tiny.recipe
    let trainer = try Trainer(recipe: recipe, corpus: Tiny.corpus(recipe), from: nil, threads: 2, name: "tiny")
    let commands = Mailbox<Request>()
    let log = Log()
    var left = times
    let outline = trainer.checkpointWithoutNumbers
    let ending = trainer.run(
      obeying: commands, isAttended: true,
      to: Trainer.Outlets(
        report: { log.events.append($0) }, save: { checkpoint in log.checkpoints.append(checkpoint) },
        spare: {
          guard left > 0 else { return outline }
          left -= 1
          for request in meanwhile { commands.send(request) }
          return nil
        }))
    return (log, ending)
  }

  @Test func `a save that finds no memory waits, obeys meanwhile, and is of the same step`() throws {
    let change = Request(.rate(.times(0.5)), by: .key)
    let (log, ending) = try train(meanwhile: [change, Request(.save, by: .program)])
    #expect(ending.reason == .finished && log.steps.count == 12)
    #expect(log.checkpoints.map(\.state.step) == [4, 8, 12])
    #expect(log.occurrences.map(\.kind) == [.rate] && log.occurrences.first?.step == 4)
  }

  @Test func `who goes on while a save waits for memory does so without it`() throws {
    let (log, ending) = try train(meanwhile: [Request(.proceed, by: .key)])
    #expect(ending.reason == .finished && log.checkpoints.map(\.state.step) == [8, 12])
  }

  @Test func `a stop while a save waits for memory saves when there is some, or leaves without`() throws {
    let saved = try train(
      without: 2, meanwhile: [Request(.stop(saving: true), by: .signal), Request(.save, by: .program)])
    #expect(saved.ending.reason == .stopped && saved.ending.step == 4)
    #expect(saved.log.checkpoints.map(\.state.step) == [4])
    let left = try train(
      without: 9, meanwhile: [Request(.stop(saving: true), by: .signal), Request(.stop(saving: false), by: .key)])
    #expect(left.ending.reason == .abandoned && left.log.checkpoints.isEmpty)
  }

  @Test func `a last save that finds no memory is waited for`() throws {
    let (log, ending) = try train(without: 3, meanwhile: [Request(.save, by: .program)])
    #expect(ending.reason == .finished && log.checkpoints.map(\.state.step) == [4, 8, 12])
  }

  @Test func `a refusal names the command that it refuses`() throws {
    let asked: [Command] = [.rate(.times(1e9)), .weight(WeightChange(.top, to: -1)), .probe(99)]
    let occurrences = try Tiny.train(Tiny.recipe, asking: asked + [.stop(saving: false)]).log.occurrences
    #expect(occurrences.map(\.kind) == [.refused, .refused, .refused])
    #expect(occurrences.map(\.key) == ["rate", "top", "probe"] && occurrences.allSatisfy { $0.actor == .key })
  }

  @Test func `a change by more than ten times needs a yes, however many commands make it`() throws {
    func occurrences(_ requests: [(Command, isSure: Bool)]) throws -> [Occurrence] {
      let requests = requests.map { Request($0.0, by: .tell, isSure: $0.isSure) }
      return try train(meanwhile: requests + [Request(.proceed, by: .key)]).log.occurrences.filter { $0.actor == .tell }
    }
    func kinds(_ requests: [(Command, isSure: Bool)]) throws -> [Occurrence.Subject] {
      try occurrences(requests).map(\.kind)
    }
    let top = WeightChange(.top, to: 0.01)
    // The first change of a chain is small, and the chain is not.
    #expect(try kinds([(.rate(.times(0.05)), false)]) == [.refused])
    #expect(try kinds([(.rate(.times(0.05)), true)]) == [.rate])
    #expect(try kinds([(.rate(.times(0.2)), false), (.rate(.times(0.2)), false)]) == [.rate, .refused])
    #expect(try kinds([(.rate(.times(0.2)), false), (.rate(.times(0.2)), true)]) == [.rate, .rate])
    #expect(try kinds([(.course(CourseChange(.hold, rate: 1e-5)), false)]) == [.refused])
    #expect(try kinds([(.weight(top), false)]) == [.refused] && kinds([(.weight(top), true)]) == [.weight])
    #expect(
      try kinds([(.rate(.times(0.11)), false), (.weight(WeightChange(.top, to: 0.2)), false)]) == [.rate, .weight])
    let refused = try #require(try occurrences([(.rate(.times(0.05)), false)]).first)
    #expect(refused.text.contains("0.05") && refused.text.contains("--yes"), "\(refused.text)")
  }

  @Test func `a single step is one step`() throws {
    let commands: [Command] = [.pause, .stepOnce, .stepOnce, .stop(saving: false)]
    let result = try Tiny.train(Tiny.recipe, asking: commands)
    #expect(result.log.steps.count == 2)
    #expect(result.log.occurrences.map(\.kind) == [.pause, .pause, .pause])
    let later = try Tiny.train(Tiny.recipe, after: [3: commands])
    #expect(later.log.steps.count == 5)
    #expect(later.log.occurrences.map(\.kind) == [.pause, .pause, .pause])
    #expect(later.log.occurrences.map(\.step) == [3, 4, 5])
  }

  @Test func `a rate out of range is refused and changes nothing`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 2
    let result = try Tiny.train(recipe, asking: [.rate(.times(1e9))])
    #expect(result.log.occurrences.first?.kind == .refused)
    #expect(numbers(result.log.steps) == numbers(try Tiny.train(recipe).log.steps))
  }

  @Test func `a loss that is not finite takes no step: unattended it ends, attended it waits`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 3
    var start = try Tiny.train(recipe).checkpoint
    start.state.step = 0
    start.weights = start.weights.map { $0 * 1e30 }
    let alone = try Tiny.train(recipe, from: start)
    #expect(alone.ending.reason == .diverged && alone.log.steps.isEmpty)
    #expect(alone.log.occurrences.last?.kind == .diverged)
    #expect(alone.checkpoint.weights == start.weights)
    let watched = try Tiny.train(
      recipe, from: start, asking: [.stepOnce, .stop(saving: false)], isAttended: true)
    #expect(watched.ending.reason == .abandoned && watched.log.steps.isEmpty)
  }

  @Test func `a checkpoint of another network is refused by name`() throws {
    let checkpoint = try Tiny.train(Tiny.recipe, asking: [.stop(saving: true)]).checkpoint
    var wider = Tiny.recipe
    wider.model.inner = 32
    #expect(throws: UserError.self) { try Tiny.train(wider, from: checkpoint) }
  }
}
