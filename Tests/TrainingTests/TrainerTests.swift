// The loop: what is the same again, what is due when, and what is obeyed.
import Corpus
import Foundation
import Kernels
import Run
import Testing
import Training

@Suite struct TrainerTests {
  /// What a step computed; its times differ from run to run.
  func numbers(_ reports: [StepReport]) -> [[Double]] {
    reports.map { report in
      [Double(report.step), Double(report.total), report.rate, Double(report.gradientNorm)]
        + report.losses.flatMap { [Double($0.loss), Double($0.kl ?? 0)] }
    }
  }

  @Test func `the same recipe gives the same bits again`() throws {
    let first = try Tiny.train(Tiny.recipe)
    let second = try Tiny.train(Tiny.recipe)
    #expect(first.log.steps.count == 12)
    #expect(numbers(first.log.steps) == numbers(second.log.steps))
    #expect(first.checkpoint.weights == second.checkpoint.weights)
    var other = Tiny.recipe
    other.seed = 2
    #expect(try numbers(Tiny.train(other).log.steps) != numbers(first.log.steps))
  }

  @Test func `one thread and two agree to a hundred-thousandth`() throws {
    let one = numbers(try Tiny.train(Tiny.recipe, threads: 1).log.steps)
    let two = numbers(try Tiny.train(Tiny.recipe, threads: 2).log.steps)
    for (a, b) in zip(one.joined(), two.joined()) { #expect(abs(a - b) <= 1e-5 * max(1, abs(b))) }
  }

  @Test func `a resumed run goes on to the bit`() throws {
    let whole = try Tiny.train(Tiny.recipe)
    let atFour = try #require(whole.log.checkpoints.first)
    #expect(atFour.state.step == 4)
    let rest = try Tiny.train(Tiny.recipe, from: atFour)
    #expect(numbers(rest.log.steps) == numbers(Array(whole.log.steps.dropFirst(4))))
    #expect(rest.checkpoint.weights == whole.checkpoint.weights)
    #expect(rest.checkpoint.secondMoments == whole.checkpoint.secondMoments)
  }

  @Test(arguments: [NetworkKind.llama, .gpt2])
  func `a resumed run drops what the whole one dropped`(kind: NetworkKind) throws {
    var recipe = Tiny.recipe
    recipe.model.kind = kind
    recipe.model.dropout = 0.2
    recipe.model.tied = true
    recipe.batch.rows = 2
    recipe.batch.accumulation = 2
    let whole = try Tiny.train(recipe)
    let atFour = try #require(whole.log.checkpoints.first)
    let rest = try Tiny.train(recipe, from: atFour)
    #expect(rest.log.steps.count == 8)
    #expect(numbers(rest.log.steps) == numbers(Array(whole.log.steps.dropFirst(4))))
    #expect(rest.checkpoint.weights == whole.checkpoint.weights)
    recipe.model.recompute = .block
    #expect(try Tiny.train(recipe).checkpoint.weights == whole.checkpoint.weights)
    // Evaluation drops nothing: a reader, which never does, measures the same.
    let measured = try #require(whole.log.evaluations.last).losses
    let read = try TrainedNetwork(whole.checkpoint, threads: 2).measure(on: Tiny.corpus(recipe).heldOut).losses
    for (a, b) in zip(read, measured) { #expect(abs(a.loss - b.loss) < 1e-5) }
    recipe.model.dropout = 0
    #expect(try numbers(Tiny.train(recipe).log.steps) != numbers(whole.log.steps))
  }

  @Test func `matrices decay, positions with them, and norms and biases only where all do`() throws {
    var recipe = Tiny.recipe
    recipe.model.kind = .gpt2
    recipe.optimizer.weightDecay = 0.5
    recipe.steps = 1
    /// By tensor, how far a step goes with decay from where it goes without.
    func difference(_ decays: Recipe.OptimizerSettings.Decay) throws -> [String: Float] {
      recipe.optimizer.decays = decays
      var without = recipe
      without.optimizer.weightDecay = 0
      let start = try Tiny.train(recipe, asking: [.stop(saving: true)]).checkpoint
      var shifted = start
      // Biases begin at 0, where nothing decays.
      shifted.weights = start.weights.map { $0 + 0.25 }
      let (a, b) = (try Tiny.train(recipe, from: shifted).checkpoint, try Tiny.train(without, from: shifted).checkpoint)
      return Dictionary(
        uniqueKeysWithValues: a.tensors.map { tensor in
          let places = tensor.offset..<tensor.offset + tensor.count
          return (tensor.path, zip(a.weights[places], b.weights[places]).map { abs($0 - $1) }.max()!)
        })
    }
    for (path, distance) in try difference(.matrices) {
      let isVector = path.hasSuffix("/bias") || path.contains("/ln_")
      #expect((distance == 0) == isVector, "\(path) \(distance)")
    }
    for (path, distance) in try difference(.all) { #expect(distance > 0, "\(path)") }
  }

  @Test func `each part of the state matters`() throws {
    let whole = try Tiny.train(Tiny.recipe)
    let expected = numbers(Array(whole.log.steps.dropFirst(4)))
    func changed(_ change: (inout Checkpoint) -> Void) throws -> [[Double]] {
      var checkpoint = whole.log.checkpoints[0]
      change(&checkpoint)
      return try numbers(Tiny.train(Tiny.recipe, from: checkpoint).log.steps)
    }
    #expect(try changed { $0.state.window = 0 } != expected)
    #expect(try changed { $0.state.rateFactor = 0.5 } != expected)
    #expect(try changed { $0.firstMoments[4200] += 0.5 } != expected)
    #expect(try changed { $0.secondMoments[4200] += 0.5 } != expected)
    #expect(try changed { $0.weights[4200] += 0.5 } != expected)
    #expect(try changed { $0.state.step = 3 } != expected)
  }

  @Test func `a rate that was edited before a crash is made again by its stored value`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 8
    let edited = try Tiny.train(recipe, asking: [.rate(.times(1.1))], after: [5: [.rate(.times(0.7))]])
    let changes = edited.log.occurrences.filter { $0.kind == .rate }
    #expect(changes.map(\.step) == [0, 5])
    let once = numbers(try Tiny.train(recipe, asking: [.rate(.times(1.1))]).log.steps)
    #expect(numbers(edited.log.steps).prefix(5) == once.prefix(5) && numbers(edited.log.steps)[5] != once[5])
    let replayed = try Tiny.train(recipe, replaying: changes.compactMap(ReplayedCommand.init))
    #expect(numbers(replayed.log.steps) == numbers(edited.log.steps))
    #expect(numbers(edited.log.steps) != numbers(try Tiny.train(recipe).log.steps))
  }

  @Test func `a weight that was edited changes what is learned, goes into the checkpoint, and is made again`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 8
    let edit = Command.weight(WeightChange(.top, to: 0.25))
    let edited = try Tiny.train(recipe, after: [3: [edit, .rate(.times(0.5))]])
    #expect(edited.log.steps.map { $0.losses[1].weight } == [1, 1, 1, 0.25, 0.25, 0.25, 0.25, 0.25])
    #expect(edited.log.occurrences.map(\.step) == [3, 3])
    #expect(numbers(edited.log.steps) != numbers(try Tiny.train(recipe).log.steps))
    let replayed = try Tiny.train(recipe, replaying: edited.log.occurrences.compactMap(ReplayedCommand.init))
    #expect(numbers(replayed.log.steps) == numbers(edited.log.steps))
    let atFour = edited.log.checkpoints[0]
    let rest = try Tiny.train(recipe, from: atFour)
    #expect(numbers(rest.log.steps) == numbers(Array(edited.log.steps.dropFirst(4))))
    var without = atFour
    without.state.weights = nil
    #expect(numbers(try Tiny.train(recipe, from: without).log.steps) != numbers(rest.log.steps))
  }

  @Test func `a run that goes on with other rows learns from the next ones, and counts what it learns from`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 4
    recipe.schedule.kind = .constant
    let start = try Tiny.train(recipe).checkpoint
    #expect(start.state.window == 16)
    recipe.steps = 6
    let whole = try Tiny.train(recipe, from: start).log.steps
    recipe.batch.rows = 2
    recipe.batch.accumulation = 2
    // The same rows in two pieces: what differs is rounding.
    let pieces = try Tiny.train(recipe, from: start).log.steps
    for (one, other) in zip(whole, pieces) {
      #expect(abs(one.total - other.total) < 1e-4 && one.tokens == other.tokens)
    }
    recipe.batch.rows = 3
    let other = try Tiny.train(recipe, from: start)
    #expect(other.log.steps.map(\.tokens) == [1, 2].map { start.state.tokens + $0 * 6 * 16 })
    #expect(other.checkpoint.state.window == 16 + 2 * 6)
    #expect(abs(other.log.steps[0].total - whole[0].total) > 1e-4)
  }

  @Test func `weights that make no sense are refused and change nothing`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 2
    let asked: [Command] = [
      .weight(WeightChange(.mtp(2), to: 1)), .weight(WeightChange(.top, to: -1)), .weight(WeightChange(.top, to: .nan)),
      .weight(WeightChange(.top, to: 101)), .weight(WeightChange(.ntp, to: 0)), .weight(WeightChange(.top, to: 0)),
      .weight(WeightChange(.ntp, to: 1)),
    ]
    let result = try Tiny.train(recipe, asking: asked)
    #expect(result.log.occurrences.map(\.kind) == [.refused, .refused, .refused, .refused, .weight, .refused, .weight])
    #expect(numbers(result.log.steps) == numbers(try Tiny.train(recipe).log.steps))
  }

  @Test func `accumulating two micro-batches is one batch of both`() throws {
    var halves = Tiny.recipe
    halves.batch.rows = 2
    halves.batch.accumulation = 2
    let whole = try Tiny.train(Tiny.recipe)
    let parts = try Tiny.train(halves)
    for (a, b) in zip(whole.log.steps, parts.log.steps) {
      #expect(abs(a.total - b.total) < 2e-5 * a.total)
      #expect(a.losses.map(\.positions) == b.losses.map(\.positions))
    }
  }

  @Test(.enabled(if: Machine.hasBF16, "this processor has no bf16"))
  func `bf16 stays within a hundredth of fp32 over 300 steps`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 300
    recipe.model.blocks = 2
    recipe.model.width = 64
    recipe.model.inner = 128
    recipe.model.context = 32
    recipe.batch.rows = 16
    // Slow enough that no step falls off a cliff, which a curve may come to a little sooner or later.
    recipe.schedule.rate = 3e-4
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (0, 0, 0)
    let exact = try Tiny.train(recipe).log.steps
    recipe.precision = .bf16
    let near = try Tiny.train(recipe).log.steps
    // The curve that a chart shows: single steps of so small a batch differ by their noise.
    for first in stride(from: 0, to: 300, by: 20) {
      for head in recipe.heads.indices {
        func mean(_ steps: [StepReport]) -> Float {
          steps[first..<first + 20].reduce(0) { $0 + $1.losses[head].loss } / 20
        }
        let (a, b) = (mean(exact), mean(near))
        #expect(abs(a - b) < 0.01 * a, "\(recipe.heads[head].name) from step \(first): \(a), \(b)")
      }
    }
  }

  @Test func `it learns more than how often each byte comes`() throws {
    var recipe = Tiny.recipe
    recipe.steps = 300
    recipe.model.width = 32
    recipe.evaluate.every = 0
    let entropy = try Tiny.corpus(recipe).unigramEntropy
    let result = try Tiny.train(recipe)
    let heldOut = try #require(result.log.evaluations.last)
    #expect(Double(heldOut.losses[0].loss) < 0.8 * entropy)
    #expect(heldOut.losses[1].kl! < 0.8 * result.log.steps[0].losses[1].kl!)
  }

  @Test func `only the objectives with a weight are computed`() throws {
    var recipe = Tiny.recipe
    recipe.objective.top = 0
    let log = try Tiny.train(recipe).log
    #expect(log.steps[0].losses.map(\.head) == [.ntp])
    #expect(log.checkpoints[0].tensors.allSatisfy { $0.path != "top_head/weight" })
    recipe.objective.top = 1
    recipe.objective.ntp = 0
    let other = try Tiny.train(recipe).log
    #expect(other.steps[0].losses.map(\.head) == [.top])
    #expect(other.texts.isEmpty)
  }
}
