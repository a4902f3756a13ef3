// Several ranks: the same losses as one process, the same bits however late something comes, and one will.
import Corpus
import Foundation
import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct RankTests {
  private func numbers(_ log: Log) -> [[Double]] {
    log.steps.map { report in
      var numbers = [Double(report.step), Double(report.total), report.rate, Double(report.gradientNorm)]
      for loss in report.losses { numbers += [Double(loss.loss), Double(loss.kl ?? 0), Double(loss.positions)] }
      return numbers
    }
  }

  private func heldOut(_ log: Log) -> [[Double]] {
    log.evaluations.map { evaluation in
      var numbers: [Double] = []
      for loss in evaluation.losses {
        numbers += [Double(loss.loss), Double(loss.accuracy ?? 0), Double(loss.gradientAtH ?? 0)]
      }
      for group in evaluation.gradients { numbers += [Double(group.norm), Double(group.update)] }
      for path in evaluation.paths { numbers.append(Double(path)) }
      return numbers
    }
  }

  /// How often rows of memory layers' tables were picked.
  private func use(_ log: Log) -> [[Double]] {
    // Not a number where no step was counted before.
    func number(_ x: Float) -> Double { x.isNaN ? -1 : Double(x) }
    return log.evaluations.flatMap { $0.memories.map { [number($0.used), number($0.entropy), number($0.most)] } }
  }

  private func expectClose(
    _ a: [[Double]], _ b: [[Double]], within tolerance: Double, _ what: String, isThere: Bool = true
  ) {
    #expect(a.count == b.count && a.isEmpty != isThere, "\(what)")
    for (x, y) in zip(a.joined(), b.joined()) {
      #expect(abs(x - y) <= tolerance * max(1, abs(y)), "\(what): \(x) is not \(y)")
    }
  }

  /// Networks whose gradients come about in different orders.
  enum Shape: String, CaseIterable {
    case plain, order, parallel, sequential, tied, dropout, accumulated, recomputed, muon, memory

    var recipe: Recipe {
      var recipe = Tiny.recipe
      recipe.model.blocks = 2
      recipe.batch.rows = 8
      recipe.objective.top = 0
      recipe.steps = 6
      (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (3, 0, 0)
      switch self {
      case .plain: break
      case .order: recipe.objective.top = 1
      case .parallel:
        recipe.model.blocks = 4
        recipe.objective.mtp.heads = 3
      case .sequential:
        recipe.objective.mtp.heads = 3
        recipe.objective.mtp.kind = .sequential
      case .tied:
        recipe.model.tied = true
        recipe.model.kind = .gpt2
      case .dropout: recipe.model.dropout = 0.2
      case .accumulated: recipe.batch.accumulation = 3
      case .recomputed: recipe.model.recompute = .block
      case .muon: recipe.optimizer.kind = .muon
      case .memory:
        recipe.batch.accumulation = 2
        recipe.model.memory.keys = 24
        (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 4)
        (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 5)
      }
      return recipe
    }
  }

  @Test(arguments: Shape.allCases, [2, 4])
  func `ranks lose what one process loses`(shape: Shape, ranks: Int) throws {
    let one = try Tiny.train(shape.recipe, threads: 1)
    let many = try Tiny.train(shape.recipe, ranks: ranks)
    #expect(many.errors.isEmpty && many.ending?.reason == .finished)
    // Muon turns small differences of a gradient into larger ones of a direction; a memory layer may pick another of two rows whose
    // scores are nearly the same.
    let isRough = shape == .muon || shape == .memory
    expectClose(numbers(many.log), numbers(one.log), within: isRough ? 1e-4 : 1e-6, "\(shape) steps")
    expectClose(heldOut(many.log), heldOut(one.log), within: isRough ? 1e-3 : 1e-5, "\(shape) held out")
    // Picks of all ranks are counted.
    expectClose(use(many.log), use(one.log), within: 1e-2, "\(shape) use of tables", isThere: shape == .memory)
    #expect(many.log.steps.map(\.tokens) == one.log.steps.map(\.tokens))
    for rank in 1..<ranks { #expect(many.weights[rank] == many.weights[0], "rank \(rank) has other weights") }
  }

  @Test(arguments: [Recipe.RankSettings.Transport.fp32, .bf16], [Recipe.RankSettings.Sharding.none, .optimizer])
  func `the same number of ranks gives the same bits, whoever comes late`(
    transport: Recipe.RankSettings.Transport, sharding: Recipe.RankSettings.Sharding
  ) throws {
    var recipe = Shape.order.recipe
    (recipe.ranks.transport, recipe.ranks.sharding) = (transport, sharding)
    let seed = Trial.seed
    let first = try Tiny.train(recipe, ranks: 4, seed: seed)
    let second = try Tiny.train(recipe, ranks: 4, seed: seed &+ 1000)
    #expect(first.errors.isEmpty && first.log.steps.count == 6, "seed \(seed)")
    #expect(numbers(first.log) == numbers(second.log), "seed \(seed)")
    #expect(heldOut(first.log) == heldOut(second.log), "seed \(seed)")
    #expect(first.checkpoint?.weights == second.checkpoint?.weights)
    for rank in 1..<4 { #expect(first.weights[rank] == first.weights[0], "rank \(rank) has other weights") }
  }

  @Test func `tables of memory layers are the same on all ranks, also where rows get their updates late`() throws {
    var recipe = Shape.memory.recipe
    // A step picks at most a sixteenth of the rows, and there are more steps than decide on late updates.
    recipe.model.memory.keys = 128
    recipe.steps = 40
    (recipe.evaluate.every, recipe.save.every) = (10, 20)
    let seed = Trial.seed
    let first = try Tiny.train(recipe, ranks: 4, seed: seed)
    #expect(first.errors.isEmpty && first.log.steps.count == 40, "seed \(seed)")
    for rank in 1..<4 { #expect(first.weights[rank] == first.weights[0], "rank \(rank) has other weights") }
    let second = try Tiny.train(recipe, ranks: 4, seed: seed &+ 1000)
    #expect(numbers(first.log) == numbers(second.log), "seed \(seed)")
    // Another session brings all rows up to date in between.
    let start = try #require(first.log.checkpoints.first)
    let rest = try Tiny.train(recipe, ranks: 4, from: start)
    #expect(numbers(rest.log) == Array(numbers(first.log).dropFirst(20)))
    #expect(rest.checkpoint?.weights == first.checkpoint?.weights)
    #expect(rest.checkpoint?.secondMoments == first.checkpoint?.secondMoments)
  }

  @Test func `divided moments change nothing to the bit`() throws {
    var recipe = Shape.order.recipe
    recipe.save.every = 2
    let copied = try Tiny.train(recipe, ranks: 4)
    recipe.ranks.sharding = .optimizer
    let divided = try Tiny.train(recipe, ranks: 4)
    #expect(numbers(copied.log) == numbers(divided.log) && copied.log.steps.count == 6)
    expectClose(heldOut(divided.log), heldOut(copied.log), within: 1e-6, "held out")
    let (a, b) = (try #require(copied.log.checkpoints.last), try #require(divided.log.checkpoints.last))
    #expect(copied.log.checkpoints.count == divided.log.checkpoints.count)
    #expect(a.weights == b.weights && a.firstMoments == b.firstMoments && a.secondMoments == b.secondMoments)
    #expect(a.secondMoments.contains { $0 != 0 })
  }

  @Test func `divided moments take their share of memory`() throws {
    var recipe = Recipe()
    func moments(_ ranks: Int) throws -> Int {
      try #require(
        try RunPlan(recipe, vocabulary: 4096, threads: 1, ranks: ranks).network.memory.first { $0.part == .moments }
      )
      .bytes
    }
    let whole = try moments(1)
    #expect(try moments(4) == whole)
    recipe.ranks.sharding = .optimizer
    #expect(try moments(1) == whole && moments(4) == whole / 4)
  }

  @Test func `gradients that travel in bf16 are added up in fp32`() throws {
    var recipe = Shape.plain.recipe
    let exact = try Tiny.train(recipe, ranks: 4)
    recipe.ranks.transport = .bf16
    let rounded = try Tiny.train(recipe, ranks: 4)
    #expect(numbers(rounded.log) != numbers(exact.log))
    expectClose(numbers(rounded.log), numbers(exact.log), within: 5e-3, "bf16")
  }

  @Test(arguments: [(1, 4), (4, 2), (2, 1), (4, 4)], Recipe.RankSettings.Sharding.allCases)
  func `a run goes on with another number of ranks`(
    ranks: (before: Int, after: Int), sharding: Recipe.RankSettings.Sharding
  ) throws {
    var recipe = Shape.order.recipe
    recipe.ranks.sharding = sharding
    recipe.save.every = 3
    func train(_ ranks: Int, from checkpoint: Checkpoint?) throws -> Log {
      guard ranks > 1 else { return try Tiny.train(recipe, from: checkpoint, threads: 1).log }
      let together = try Tiny.train(recipe, ranks: ranks, from: checkpoint)
      #expect(together.errors.isEmpty)
      return together.log
    }
    let whole = try train(ranks.before, from: nil)
    let start = try #require(whole.checkpoints.first)
    #expect(start.state.step == 3 && start.state.ranks == (ranks.before == 1 ? nil : ranks.before))
    let rest = try train(ranks.after, from: start)
    let expected = Array(numbers(whole).dropFirst(3))
    if ranks.before == ranks.after {
      #expect(numbers(rest) == expected)
    } else {
      expectClose(numbers(rest), expected, within: 1e-6, "\(ranks)")
    }
  }

  /// Commands of every kind that changes what is computed, at steps.
  private static let commands: [Int: [Command]] = [
    1: [.rate(.times(0.5)), .save],
    2: [.setting(SettingChange(.clip, to: 0.25)), .weight(WeightChange(.top, to: 0.5))],
    3: [.pause, .evaluate, .generate, .step(1), .proceed],
    4: [.setting(SettingChange(.decay, to: 0.2))],
    5: [.undo],
  ]

  @Test(arguments: [1, 3]) func `commands take effect on all ranks at the same step`(accumulation: Int) throws {
    var recipe = Shape.order.recipe
    recipe.batch.accumulation = accumulation
    let one = try Tiny.train(recipe, after: Self.commands, isAttended: true, threads: 1)
    let many = try Tiny.train(recipe, ranks: 4, after: Self.commands, isAttended: true)
    #expect(many.errors.isEmpty && many.ending?.reason == .finished)
    func words(_ log: Log) -> [String] { log.occurrences.map { "\($0.kind) \($0.step) \($0.key)" } }
    #expect(words(many.log) == words(one.log) && words(one.log).count >= 6)
    #expect(many.log.steps.map(\.rate) == one.log.steps.map(\.rate))
    expectClose(numbers(many.log), numbers(one.log), within: 1e-6, "commands")
    for rank in 1..<4 { #expect(many.weights[rank] == many.weights[0]) }
  }

  @Test func `what one process alone can compute is refused on ranks`() throws {
    let asked = try ["drawn share 0.2", "clip 0.5"].map { try Command(typed: $0) }
    let together = try Tiny.train(Shape.plain.recipe, ranks: 2, after: [2: asked])
    #expect(together.errors.isEmpty)
    #expect(together.log.occurrences.map(\.kind) == [.refused, .setting])
    #expect(together.log.occurrences.first?.text.contains("in one process") == true)
  }

  @Test func `a stop ends all ranks, with what was learned`() throws {
    var recipe = Shape.plain.recipe
    recipe.batch.accumulation = 2
    let stopped = try Tiny.train(recipe, ranks: 2, after: [4: [.stop(saving: true)]])
    #expect(stopped.errors.isEmpty && stopped.ending?.reason == .stopped)
    #expect(stopped.log.steps.count == 4 && stopped.log.checkpoints.last?.state.step == 4)
  }

  @Test func `a loss that is not finite is left out on all ranks`() throws {
    var recipe = Shape.plain.recipe
    recipe.schedule.warmup = 0
    recipe.guard.does = .skip
    let start = try #require(try Tiny.train(recipe, asking: [.stop(saving: true)]).log.checkpoints.first)
    var spoilt = start
    let norm = try #require(spoilt.tensors.first { $0.path == "model/norm/weight" })
    spoilt.weights[norm.offset] = .infinity
    let together = try Tiny.train(recipe, ranks: 2, from: spoilt)
    #expect(together.errors.isEmpty && together.ending?.reason == .diverged)
    #expect(together.log.steps.isEmpty)
  }

  @Test(arguments: Recipe.RankSettings.Sharding.allCases)
  func `a rank that is lost ends the run with a sentence`(sharding: Recipe.RankSettings.Sharding) throws {
    var recipe = Shape.plain.recipe
    recipe.ranks.sharding = sharding
    recipe.save.every = 2
    let together = try Tiny.train(recipe, ranks: 3 + 1, losing: (rank: 2, after: 3))
    #expect(together.ending?.reason == .failed && together.errors.count == 3)
    let sentence = try #require(together.log.occurrences.last { $0.kind == .failure }).text
    #expect(sentence.contains("rank 2 of 4 has ended"), "\(sentence)")
    #expect(together.log.checkpoints.last?.state.step == 2)
  }

  @Test func `star graphs are measured by all ranks`() throws {
    var recipe = Recipe.tiny(context: 12)
    recipe.data.kind = .stargraph
    (recipe.data.graph.degree, recipe.data.graph.length, recipe.data.graph.nodes) = (2, 2, 30)
    recipe.data.graph.test = 96
    recipe.objective.top = 0
    recipe.precision = .fp32
    (recipe.steps, recipe.batch.rows) = (4, 4)
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (2, 0, 0)
    var source = Corpus.Source(paths: [], context: recipe.model.context, cache: "/nowhere")
    source.graphs = Corpus.StarGraphSource(recipe.data.graph, seed: recipe.seed)
    let corpus = try Corpus(opening: source)
    let one = try Tiny.train(recipe, on: corpus, threads: 1)
    let many = try Tiny.train(recipe, ranks: 2, on: corpus)
    #expect(many.errors.isEmpty)
    #expect(one.log.evaluations.last?.paths.isEmpty == false)
    #expect(many.log.evaluations.map(\.paths) == one.log.evaluations.map(\.paths))
    expectClose(heldOut(many.log), heldOut(one.log), within: 1e-5, "graphs")
  }

  // MARK: What cannot be divided

  @Test func `rows that ranks do not divide are refused with the numbers that work`() throws {
    var recipe = Recipe()
    recipe.batch.rows = 12
    let error = try #require(throws: UserError.self) { try recipe.require(ranks: 5) }
    #expect(error.status == .usage)
    #expect(error.message.contains("start 1, 2, 3, 4, 6, 12 of them") && error.message.contains("10 or 15"), "\(error)")
    for ranks in [1, 2, 3, 4, 6, 12] { try recipe.require(ranks: ranks) }
    recipe.ranks.sharding = .optimizer
    recipe.optimizer.kind = .muon
    #expect(throws: UserError.self) { try recipe.require(ranks: 2) }
    try recipe.require(ranks: 1)
    recipe.optimizer.kind = .adamw
    try recipe.require(ranks: 2)
    recipe.model.memory.keys = 16
    let divided = try #require(throws: UserError.self) { try recipe.require(ranks: 2) }
    #expect(divided.message.contains("model.memory.keys 16"), "\(divided)")
    recipe.ranks.sharding = .none
    try recipe.require(ranks: 2)
    let together = try Tiny.train(Tiny.recipe, ranks: 3)
    #expect(together.errors.count == 3 && together.errors[2]?.message.contains("batch.rows 4") == true)
  }

  @Test func `each element has one owner, and owners have about as much`() {
    for ranks in [2, 3, 8] {
      for (count, sections) in [
        (1 << 16, [100..<4_112, 32_000..<65_536]), (1008, [0..<16, 16..<992]), (16, []), (160, [0..<160]),
      ] {
        let units = GradientUnits(count, sections: sections, ranks: ranks, most: 5_000)
        #expect(units.units.flatMap { Array($0) } == Array(0..<count))
        let owned = (0..<ranks).map { units.owned(by: $0) }
        #expect(Set(owned.joined().joined()).count == count && owned.joined().joined().count == count)
        for section in sections {
          #expect(units.indices(in: section).reduce(0) { $0 + units.units[$1].count } == section.count)
        }
        for unit in units.units.indices {
          let sizes = (0..<ranks).map { units.part(of: unit, rank: $0).count }
          #expect(units.units[unit].count <= 5_000 && (sizes.max() ?? 0) - (sizes.min() ?? 0) <= 32)
        }
      }
    }
  }

  @Test func `a rank's failure is every rank's sentence`() throws {
    let hub = RankSwitch(3, seed: 1)
    let sentences = Mailbox<String>()
    let threads = try (0..<3).map { rank in
      try WorkerThread("rank \(rank)") {
        guard let ranks = try? Ranks({ () throws(UserError) in ThreadLink(rank, hub) }) else { return }
        defer { ranks.close() }
        do throws(UserError) {
          try ranks.agree(on: nil)
          try ranks.agree(on: rank == 1 ? UserError(.data, "the text is “naïve”") : nil)
        } catch {
          sentences.send("\(error.status) \(error.message)")
        }
      }
    }
    for thread in threads { thread.join() }
    #expect(sentences.takeAll() == Array(repeating: "data rank 1 of 3: the text is “naïve”", count: 3))
  }
}
