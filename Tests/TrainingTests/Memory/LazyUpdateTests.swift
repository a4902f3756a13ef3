// Lazy updates of memory layers' tables in whole runs: every number has the bits that streamed updates give.
import Corpus
import Foundation
import Kernels
@testable import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct LazyUpdateTests {
  /// A step picks at most a sixteenth of 4 096 rows, and there are more steps than updates that a row may lack.
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.steps = 80
    recipe.model.memory.keys = 64
    (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 4)
    (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 5)
    recipe.optimizer.clip = 0.3
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (30, 20, 50)
    return recipe
  }

  private static let changes: [String: @Sendable (inout Recipe) -> Void] = [
    "as it is": { _ in },
    "accumulation, dropout, recompute, sequential heads": {
      ($0.batch.rows, $0.batch.accumulation) = (2, 2)
      $0.model.dropout = 0.1
      $0.model.recompute = .block
      $0.objective.mtp.heads = 2
      $0.objective.mtp.kind = .sequential
    },
    "product keys, plain values, Muon, two blocks": {
      ($0.model.memory.cores, $0.model.memory.rank, $0.model.memory.preWidth) = (0, 1, 0)
      $0.optimizer.kind = .muon
      $0.model.blocks = 2
    },
    "heads that learn alone at first": {
      $0.objective.top = 0
      ($0.objective.mtp.heads, $0.objective.mtp.kind, $0.objective.mtp.alone) = (2, .sequential, 30)
      $0.objective.mtp.weights = [0.3]
    },
    "drawn inputs": {
      $0.data.drawn.share = 0.4
      $0.data.drawn.every = 7
    },
  ]

  /// What a run came to.
  private struct LazyRun {
    let log: Log
    let last: Checkpoint
    /// Root mean squares of tensors after step 43, as the guard looks at them.
    let sizes: [Float]
    /// Whether updates were lazy at the end, of each table.
    let areLazy: [Bool]
    /// The largest number of updates that a row lacked after each step, before anything else was done.
    let lacking: [Int: Int]
  }

  /// - Parameters:
  ///   - updates: how tables are updated after the steps with these numbers.
  ///   - commands: given after the steps with these numbers.
  private func train(
    _ recipe: Recipe, _ updates: [Int: TableUpdates], from checkpoint: Checkpoint? = nil,
    after commands: [Int: [String]] = [:], threads: Int = 2
  ) throws -> LazyRun {
    // As the trainer's thread of a session.
    Team.flushSubnormals()
    defer { Team.keepSubnormals() }
    let trainer = try Trainer(
      recipe: recipe, corpus: Tiny.corpus(recipe), from: checkpoint, threads: threads, name: "lazy")
    let requests = Mailbox<Request>()
    let log = Log()
    var lacking: [Int: Int] = [:]
    func report(_ event: Event) {
      log.events.append(event)
      guard case .stepped(let report) = event else { return }
      lacking[report.step] = trainer.model.parameters.mostPostponedUpdates
      if let updates = updates[report.step] { trainer.model.parameters.setTableUpdates(updates, threads: threads) }
      if report.step == 43 { trainer.noteSizes() }
      for line in commands[report.step] ?? [] {
        guard let command = try? Command(typed: line) else { continue }
        requests.send(Request(command, by: .key))
      }
    }
    if let updates = updates[0] { trainer.model.parameters.setTableUpdates(updates, threads: threads) }
    _ = trainer.run(
      obeying: requests, isAttended: false,
      to: Trainer.Outlets(report: report, save: { checkpoint, _ in log.checkpoints.append(checkpoint) }))
    return LazyRun(
      log: log, last: trainer.checkpoint, sizes: trainer.guarded.soundSizes,
      areLazy: trainer.model.parameters.lazyTables, lacking: lacking)
  }

  /// All bits of weights and moments.
  private func bits(_ checkpoint: Checkpoint) -> [Data] {
    [checkpoint.weights, checkpoint.firstMoments, checkpoint.secondMoments, checkpoint.drawing].map { block in
      block.withUnsafeBytes { Data($0) }
    }
  }

  private func expectEqual(_ run: LazyRun, _ other: LazyRun) {
    #expect(run.log.steps.map(\.losses) == other.log.steps.map(\.losses))
    #expect(run.log.steps.map(\.gradientNorm) == other.log.steps.map(\.gradientNorm))
    #expect(run.sizes == other.sizes && run.log.texts.map(\.text) == other.log.texts.map(\.text))
    let (evaluations, others) = (run.log.evaluations, other.log.evaluations)
    #expect(evaluations.map(\.step) == others.map(\.step))
    #expect(evaluations.map { $0.losses.map(\.loss) } == others.map { $0.losses.map(\.loss) })
    #expect(evaluations.map { $0.memories.map(\.output) } == others.map { $0.memories.map(\.output) })
    #expect(run.log.checkpoints.map(\.state.step) == other.log.checkpoints.map(\.state.step))
    for (one, another) in zip(run.log.checkpoints + [run.last], other.log.checkpoints + [other.last]) {
      #expect(bits(one) == bits(another), "step \(one.state.step)")
    }
  }

  @Test(arguments: changes.keys.sorted(), [1, 2, 3])
  func `lazy updates change no bit of a run, also where commands change the updates`(
    name: String, threads: Int
  ) throws {
    var recipe = Self.recipe
    Self.changes[name]?(&recipe)
    let commands = [25: ["rate x0.5"], 35: ["decay 0.5"], 45: ["clip 0.1", "rate x3"]]
    let lazy = try train(recipe, [0: .lazy], after: commands, threads: threads)
    let streamed = try train(recipe, [0: .streamed], after: commands, threads: threads)
    expectEqual(lazy, streamed)
    #expect(lazy.log.steps.count == 80 && lazy.log.steps.allSatisfy { $0.total.isFinite })
    // Of the first head: the total also depends on weights, which differ while MTP heads learn alone.
    #expect(lazy.log.steps[79].losses[0].loss < lazy.log.steps[0].losses[0].loss)
    #expect(lazy.log.occurrences.count { [.rate, .setting].contains($0.kind) } == 4)
    #expect(lazy.log.evaluations.map(\.step) == [30, 60, 80])
    #expect(lazy.log.checkpoints.map(\.state.step) == [50, 80] && !lazy.log.texts.isEmpty && !lazy.sizes.isEmpty)
    #expect(!lazy.areLazy.isEmpty && lazy.areLazy.allSatisfy { $0 } && !streamed.areLazy.contains(true))
    // Some rows are never picked, and some are picked and then left alone for long.
    let table = try #require(lazy.last.tensors.first { $0.path.hasSuffix("/memory/table/weight") })
    let moments = lazy.last.secondMoments[table.offset..<table.offset + table.count]
    #expect(moments.contains(0) && moments.contains { $0 > 0 })
  }

  @Test func `a run goes on from a checkpoint of lazy updates, however tables are updated then`() throws {
    let whole = try train(Self.recipe, [0: .streamed])
    let lazy = try train(Self.recipe, [0: .lazy])
    let checkpoint = try #require(lazy.log.checkpoints.first)
    #expect(checkpoint.state.step == 50)
    for updates in [TableUpdates.streamed, .lazy, .measured] {
      let rest = try train(Self.recipe, [0: updates], from: checkpoint)
      #expect(rest.log.steps.map(\.losses) == whole.log.steps[50...].map(\.losses))
      #expect(bits(rest.last) == bits(whole.last))
    }
  }

  @Test func `before whole tables are read, rows come up to date within few updates`() throws {
    var recipe = Self.recipe
    (recipe.steps, recipe.save.every, recipe.evaluate.every, recipe.sample.every) = (60, 40, 0, 0)
    let run = try train(recipe, [0: .lazy])
    // Whole tables are read for the checkpoints of steps 40 and 60, and by the test after step 43.
    for step in [32, 52] { #expect(run.lacking[step]! > PostponedUpdates.few, "step \(step)") }
    for step in [40, 60] { #expect((1..<PostponedUpdates.few).contains(run.lacking[step]!), "step \(step)") }
    #expect(run.lacking[41] == 1)
    expectEqual(run, try train(recipe, [0: .streamed]))
  }

  @Test(arguments: [1, 2])
  func `updates may become lazy and streamed again at any step`(threads: Int) throws {
    let streamed = try train(Self.recipe, [0: .streamed], threads: threads)
    let mixed = try train(
      Self.recipe, [0: .streamed, 5: .lazy, 21: .streamed, 22: .lazy, 66: .streamed, 70: .lazy], threads: threads)
    expectEqual(mixed, streamed)
  }

  @Test func `tables of which steps pick few rows are updated lazily, and small tables are streamed`() throws {
    let measured = try train(Self.recipe, [:])
    #expect(measured.areLazy == [true])
    expectEqual(measured, try train(Self.recipe, [0: .streamed]))
    var small = Self.recipe
    small.steps = 40
    // Each token picks a quarter of 16 rows.
    small.model.memory.keys = 4
    #expect(try train(small, [:]).areLazy == [false])
  }
}
