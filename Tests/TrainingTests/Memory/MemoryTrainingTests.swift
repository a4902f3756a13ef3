// Training with memory layers: everything that holds without them, and updates against dense AdamW.
import Corpus
import Foundation
import Kernels
@testable import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct MemoryTrainingTests {
  private static var recipe: Recipe {
    var recipe = Tiny.recipe
    recipe.model.memory.keys = 24
    recipe.model.memory.keyWidth = 8
    recipe.model.memory.top = 8
    recipe.model.memory.valueWidth = 12
    recipe.model.memory.preWidth = 4
    return recipe
  }

  private static let changes: [String: @Sendable (inout Recipe) -> Void] = [
    "as it is": { _ in },
    "product keys, plain values": {
      ($0.model.memory.cores, $0.model.memory.rank, $0.model.memory.preWidth) = (0, 1, 0)
    },
    "gpt2, Muon, dropout, recompute": {
      $0.model.kind = .gpt2
      $0.optimizer.kind = .muon
      $0.model.dropout = 0.1
      $0.model.recompute = .block
    },
    "sequential heads, accumulation, documents": {
      $0.objective.mtp.heads = 2
      $0.objective.mtp.kind = .sequential
      $0.batch = .init()
      ($0.batch.rows, $0.batch.accumulation) = (2, 2)
      $0.data.documents = .separate
    },
    "parallel heads, tied, one block": {
      $0.model.blocks = 3
      $0.objective.mtp.heads = 2
      $0.model.tied = true
      $0.model.memory.blocks = [1]
    },
  ]

  @Test(arguments: changes.keys.sorted())
  func `a run goes on from its checkpoint to the bit, and learns`(name: String) throws {
    var recipe = Self.recipe
    Self.changes[name]?(&recipe)
    let whole = try Tiny.train(recipe)
    let losses = whole.log.steps.map(\.total)
    #expect(losses.count == 12 && losses.allSatisfy(\.isFinite) && losses[11] < losses[0])
    let first = try #require(whole.log.checkpoints.first { $0.state.step == 4 })
    let rest = try Tiny.train(recipe, from: first)
    #expect(rest.log.steps.map(\.total) == Array(losses[4...]))
    #expect(rest.checkpoint.weights == whole.checkpoint.weights)
    #expect(rest.checkpoint.firstMoments == whole.checkpoint.firstMoments)
    #expect(rest.checkpoint.secondMoments == whole.checkpoint.secondMoments)
    let again = try Tiny.train(recipe)
    #expect(again.log.steps.map(\.total) == losses)
    // Evaluation and generation go through memory layers too.
    #expect(!whole.log.evaluations.isEmpty && !whole.log.texts.isEmpty)
  }

  @Test(arguments: changes.keys.sorted(), [1, 3])
  func `an update of a table is that of dense AdamW, to the bit`(name: String, threads: Int) throws {
    var recipe = Self.recipe
    Self.changes[name]?(&recipe)
    recipe.model.dropout = 0
    let corpus = try Tiny.corpus(recipe)
    let model = try recipe.network(
      vocabulary: 256, rows: recipe.batch.rows, threads: threads, isTrained: true, from: nil)
    model.parameters.initialize(seed: 1, deviation: 0.05, threads: threads)
    var dense: [Int: (w: [Float], m: [Float], v: [Float])] = [:]
    let tables = model.parameters.layout.tensors.filter { $0.description.role == .memoryTable }
    let (weights, first, second) = (
      model.parameters.weights, model.parameters.firstMoments, model.parameters.secondMoments
    )
    func numbers(_ base: UnsafeMutablePointer<Float>, _ offset: Int, _ count: Int) -> [Float] {
      Array(UnsafeBufferPointer(start: base + offset, count: count))
    }
    for (index, table) in tables.enumerated() {
      dense[index] = (
        numbers(weights, table.offset, table.count), [Float](repeating: 0, count: table.count),
        [Float](repeating: 0, count: table.count)
      )
    }
    let optimizer = try Optimizer(recipe.optimizer, for: model)
    var batches = Batches(
      of: corpus.training, rows: recipe.samplesPerStep, context: recipe.model.context, lookahead: recipe.lookahead,
      seed: 1, window: 0)
    for step in 0..<3 {
      let batch = try batches.next()
      var sums = recipe.heads.map { _ in LossSum() }
      var counts = recipe.heads.map { _ in 0 }
      let parts = (0..<recipe.batch.accumulation).map {
        TokenRows(batch, first: $0 * recipe.batch.rows, count: recipe.batch.rows)
      }
      for part in parts { model.countPositions(part, into: &counts) }
      for (index, part) in parts.enumerated() {
        model.forward(part)
        model.heads(part, weights: recipe.weights, denominators: counts, accumulates: index > 0, into: &sums)
        model.backward(part, accumulates: index > 0)
      }
      let norm = model.gradientNorm()
      var squares = 0.0
      let gradients = tables.indices.map { model.parameters.tableGradient($0) }
      for gradient in gradients { squares += gradient.reduce(0) { $0 + Double($1) * Double($1) } }
      #expect(norm * norm >= squares * (1 - 1e-6))
      optimizer.update(model, norm: norm, rate: 0.01, step: step, tableRate: 3)
      let settings = recipe.optimizer
      let adam = AdamW(
        beta1: settings.beta1, beta2: settings.beta2, epsilon: settings.epsilon, weightDecay: settings.weightDecay,
        rate: 0.03, clip: norm > settings.clip ? settings.clip / norm : 1, step: step)
      for (index, table) in tables.enumerated() {
        var expected = dense[index]!
        adam.update(
          w: &expected.w, g: gradients[index], m: &expected.m, v: &expected.v, rounded: nil, count: table.count,
          threads: 1)
        #expect(numbers(weights, table.offset, table.count) == expected.w, "step \(step)")
        #expect(numbers(first, table.offset, table.count) == expected.m)
        #expect(numbers(second, table.secondMoment!, table.count) == expected.v)
        dense[index] = expected
      }
    }
  }

  @Test(arguments: changes.keys.sorted())
  func `evaluations say how tables are used, and change no bit of the training`(name: String) throws {
    var recipe = Self.recipe
    Self.changes[name]?(&recipe)
    (recipe.evaluate.every, recipe.sample.every) = (3, 0)
    let often = try Tiny.train(recipe)
    var without = recipe
    without.evaluate.every = 0
    let once = try Tiny.train(without)
    #expect(often.log.steps.map(\.losses) == once.log.steps.map(\.losses))
    #expect(often.checkpoint.weights == once.checkpoint.weights)
    let groups = recipe.memoryGroups
    #expect(!groups.isEmpty && often.log.evaluations.count == 4)
    for evaluation in often.log.evaluations {
      #expect(evaluation.memories.map(\.group) == groups)
      for use in evaluation.memories {
        #expect((0.01...1).contains(use.used) && (0.1...1).contains(use.entropy) && (0.001...1).contains(use.most))
        #expect(use.dead.isNaN && use.output > 0 && use.feedForward > 0 && use.gap >= 0 && use.gap < 1)
      }
    }
    let maps = often.log.events.compactMap { if case .mapped(let map) = $0 { map } else { nil } }
    #expect(maps.map(\.step) == [3, 6, 9, 12] && maps.allSatisfy { $0.steps == 3 })
    for map in maps {
      #expect(map.layers.map(\.name) == groups.map(\.name))
      for layer in map.layers {
        #expect(abs(layer.ranks.reduce(0, +) - 1) < 1e-4 && layer.cells.count == layer.side * layer.side)
        #expect(layer.first.count == 5 && layer.first.map(\.share) == layer.first.map(\.share).sorted(by: >))
      }
    }
  }

  @Test func `rows that a thousand steps did not pick are dead`() throws {
    var recipe = Self.recipe
    recipe.model.blocks = 1
    recipe.model.context = 4
    recipe.batch.rows = 1
    recipe.steps = 1010
    recipe.schedule.rate = 1e-12
    (recipe.evaluate.every, recipe.sample.every, recipe.save.every) = (500, 0, 0)
    let log = try Tiny.train(recipe).log
    let dead = log.evaluations.map { $0.memories[0].dead }
    #expect(dead.count == 3 && dead[0].isNaN && (0.0..<1).contains(dead[1]) && (0.0..<1).contains(dead[2]), "\(dead)")
    #expect(dead[1] > 0, "with hardly any rate the same few hundred contexts find the same rows")
  }

  @Test func `the factor of the tables' rate falls to 1`() {
    var memory = Recipe.MemorySettings()
    memory.rate = 4
    #expect([0, 50, 100, 200].map { memory.rateFactor(at: $0, of: 100) } == [4, 2.5, 1, 1])
  }

  @Test func `a table larger than the machine's memory is refused with the numbers`() throws {
    var recipe = Self.recipe
    (recipe.model.memory.keys, recipe.model.memory.valueWidth) = (8000, 192)
    let plan = try RunPlan(recipe, vocabulary: 256, threads: 1)
    let bytes = 8000 * 8000 * 196 * 12
    #expect(plan.bytes > bytes)
    let error = #expect(throws: UserError.self) {
      try plan.check(MachineMemory(total: 24 << 30, available: 20 << 30))
    }
    let message = error?.message ?? ""
    #expect(message.contains("21.5 GB are available") && message.contains("model.memory.keys"), "\(message)")
    #expect(plan.network.parameters.activeParameters < plan.network.parameters.parameters / 1000)
    #expect(plan.network.parameters.tableBytesPerToken == 4 * 8 * 196)
  }

  @Test(arguments: [
    ("keys", "2", "model.memory.top is 8, but 2 candidates a side make 4 pairs"),
    ("candidates", "25", "a side has no more keys"),
    ("valueWidth", "13", "model.memory.cores 2 must divide model.memory.valueWidth 13"),
    ("cores", "0", "product keys (model.memory.cores 0) have one score a side"),
    ("blocks", "[1]", "whole numbers from 0 to 0"), ("blocks", "[0, 0]", "each larger than the one before"),
    ("blocks", "[0.5]", "whole numbers from 0 to 0"),
  ])
  func `numbers that do not go together are refused in words`(key: String, value: String, words: String) throws {
    var numbers = ["keys": "24", "top": "8", "valueWidth": "12"]
    func check() throws {
      let memory = numbers.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: ", ")
      try Recipe(yaml: "model: {blocks: 1, memory: {\(memory)}}", source: "x.yaml").validate(source: "x.yaml")
    }
    try check()
    numbers[key] = value
    let error = #expect(throws: UserError.self) { try check() }
    #expect(error?.message.contains(words) == true, "\(error?.message ?? "nothing")")
  }
}
