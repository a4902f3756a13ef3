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
    /// The steps after which a checkpoint still lacked rows.
    let growing: Set<Int>
  }

  /// - Parameters:
  ///   - updates: how tables are updated after the steps with these numbers.
  ///   - commands: given after the steps with these numbers.
  ///   - rows: of lazily updated tables, copied for a checkpoint after each step; nil for as many as there is time for.
  private func train(
    _ recipe: Recipe, _ updates: [Int: TableUpdates], from checkpoint: Checkpoint? = nil,
    after commands: [Int: [String]] = [:], copying rows: Int? = nil, threads: Int = 2
  ) throws -> LazyRun {
    // As the trainer's thread of a session.
    Team.flushSubnormals()
    defer { Team.keepSubnormals() }
    let trainer = try Trainer(
      recipe: recipe, corpus: Tiny.corpus(recipe), from: checkpoint, threads: threads, name: "lazy")
    trainer.rowsCopiedPerStep = rows
    let requests = Mailbox<Request>()
    let log = Log()
    var lacking: [Int: Int] = [:]
    var growing: Set<Int> = []
    func report(_ event: Event) {
      log.events.append(event)
      guard case .stepped(let report) = event else { return }
      lacking[report.step] = trainer.model.parameters.mostPostponedUpdates
      if trainer.growing != nil { growing.insert(report.step) }
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
      to: Trainer.Outlets(
        report: report,
        save: { checkpoint in
          log.checkpoints.append(checkpoint)
          // What waits for this would wait forever.
          if trainer.isPaused { requests.send(Request(.proceed, by: .key)) }
        }))
    return LazyRun(
      log: log, last: trainer.checkpoint, sizes: trainer.guarded.soundSizes,
      areLazy: trainer.model.parameters.lazyTables, lacking: lacking, growing: growing)
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
    let lazy = try train(Self.recipe, [0: .lazy], copying: 300)
    let checkpoint = try #require(lazy.log.checkpoints.first)
    #expect(checkpoint.state.step == 50)
    for updates in [TableUpdates.streamed, .lazy, .measured] {
      let rest = try train(Self.recipe, [0: updates], from: checkpoint)
      #expect(rest.log.steps.map(\.losses) == whole.log.steps[50...].map(\.losses))
      #expect(bits(rest.last) == bits(whole.last))
    }
  }

  @Test(arguments: changes.keys.sorted(), [1, 2, 3])
  func `a checkpoint whose rows are copied between later steps has the weights of its own step`(
    name: String, threads: Int
  ) throws {
    var recipe = Self.recipe
    Self.changes[name]?(&recipe)
    // Evaluations, texts, drawn inputs and the end of the steps in which MTP heads learn alone come while rows are copied.
    recipe.save.every = 20
    let lazy = try train(recipe, [0: .lazy], copying: 300, threads: threads)
    let streamed = try train(recipe, [0: .streamed], threads: threads)
    expectEqual(lazy, streamed)
    #expect(lazy.log.checkpoints.map(\.state.step) == [20, 40, 60, 80])
    // A table of 4 096 rows takes 14 steps.
    #expect(lazy.growing.isSuperset(of: 21...34) && lazy.growing.isDisjoint(with: 0...20) && streamed.growing.isEmpty)
  }

  @Test func `commands, and a pause, while rows are copied change nothing in a checkpoint`() throws {
    // The run waits in its pause until a checkpoint is handed over.
    let commands = [53: ["rate x0.5", "save"], 56: ["pause"], 70: ["decay 0.5", "save"]]
    let lazy = try train(Self.recipe, [0: .lazy], after: commands, copying: 300)
    #expect(lazy.log.checkpoints.map(\.state.step) == [50, 53, 70, 80])
    #expect(lazy.growing == Set(51...56).union(71...80))
    let same = [53: ["rate x0.5", "save"], 70: ["decay 0.5", "save"]]
    expectEqual(lazy, try train(Self.recipe, [0: .streamed], after: same))
  }

  @Test func `without moments of tables, rows are copied as well`() throws {
    var recipe = Self.recipe
    recipe.save.weightsOnly = true
    let lazy = try train(recipe, [0: .lazy], copying: 300)
    expectEqual(lazy, try train(recipe, [0: .streamed]))
    #expect(lazy.growing.contains(60) && lazy.last.firstMoments.count < lazy.last.weights.count)
  }

  @Test func `of large tables, the guard looks at rows at equal distances`() throws {
    var recipe = Self.recipe
    (recipe.steps, recipe.model.memory.keys) = (44, 100)
    let lazy = try train(recipe, [0: .lazy])
    expectEqual(lazy, try train(recipe, [0: .streamed]))
    #expect(lazy.lacking[44]! > 1, "the other rows still lack updates")
    let index = try #require(lazy.last.tensors.firstIndex { $0.path.hasSuffix("/memory/table/weight") })
    let table = lazy.last.tensors[index]
    let squares = lazy.last.weights[table.offset..<table.offset + table.count].reduce(0.0) { $0 + Double($1 * $1) }
    #expect(abs(Double(lazy.sizes[index]) / (squares / Double(table.count)).squareRoot() - 1) < 0.05)
  }

  @Test(arguments: [1, 2])
  func `updates may become lazy and streamed again at any step`(threads: Int) throws {
    let streamed = try train(Self.recipe, [0: .streamed], threads: threads)
    // After step 55, a checkpoint still lacks rows.
    let updates: [Int: TableUpdates] = [
      0: .streamed, 5: .lazy, 21: .streamed, 22: .lazy, 55: .streamed, 57: .lazy, 66: .streamed, 70: .lazy,
    ]
    let mixed = try train(Self.recipe, updates, copying: 300, threads: threads)
    expectEqual(mixed, streamed)
    #expect(mixed.growing == Set(51...55))
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
