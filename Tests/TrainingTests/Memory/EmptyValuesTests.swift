// A memory layer whose values are 0: the network is that without the layer, to the bit, and learns from there.
import Corpus
import Foundation
import Kernels
@testable import Run
import Support
import Testing
import Transformer

@testable import Training

@Suite struct EmptyValuesTests {
  private static func recipe(_ kind: NetworkKind, hasMemory: Bool) -> Recipe {
    var recipe = Tiny.recipe
    recipe.model.kind = kind
    recipe.optimizer.clip = 0
    guard hasMemory else { return recipe }
    recipe.model.memory.keys = 24
    (recipe.model.memory.keyWidth, recipe.model.memory.top) = (8, 6)
    (recipe.model.memory.valueWidth, recipe.model.memory.preWidth) = (12, 4)
    return recipe
  }

  /// A network with its optimizer, and the rows that it learns.
  private final class Learner {
    let model: Transformer
    private let recipe: Recipe
    private let optimizer: Optimizer
    private var batches: Batches
    private(set) var steps = 0
    static let rate = 0.01

    init(_ recipe: Recipe, on corpus: Corpus) throws {
      let model = try recipe.network(vocabulary: 256, rows: recipe.batch.rows, threads: 2, isTrained: true, from: nil)
      model.parameters.initialize(seed: 1, deviation: 0.05, threads: 2)
      optimizer = try Optimizer(recipe.optimizer, for: model)
      self.recipe = recipe
      self.model = model
      batches = Batches(
        of: corpus.training, rows: recipe.batch.rows, context: recipe.model.context, lookahead: recipe.lookahead,
        seed: 1)
    }

    /// The losses on the first rows, whose gradients are left.
    func losses() throws -> [LossSum] {
      batches.goBack(to: 0)
      let batch = try batches.next()
      let rows = TokenRows(batch, first: 0, count: recipe.batch.rows)
      var sums = recipe.heads.map { _ in LossSum() }
      var counts = recipe.heads.map { _ in 0 }
      model.countPositions(rows, into: &counts)
      model.forward(rows)
      model.heads(rows, weights: recipe.weights, denominators: counts, accumulates: false, into: &sums)
      model.backward(rows, accumulates: false)
      return sums
    }

    func update() {
      optimizer.update(model, norm: model.gradientNorm(), rate: Self.rate, step: steps)
      steps += 1
    }

    func numbers(_ base: UnsafeMutablePointer<Float>, _ tensor: PlacedTensor) -> [Float] {
      Array(UnsafeBufferPointer(start: base + tensor.offset, count: tensor.count))
    }

    var weights: [String: [Float]] {
      Dictionary(
        uniqueKeysWithValues: model.parameters.layout.tensors.map { ($0.path, numbers(model.parameters.weights, $0)) })
    }

    /// The first memory layer's table.
    var table: PlacedTensor { model.parameters.layout.tensors.first { $0.description.role == .memoryTable }! }

    /// The places of values in the table, the pre-values beside them left out.
    var values: [Int] {
      let width = recipe.model.memory.preWidth + recipe.model.memory.valueWidth
      return (0..<table.count).filter { $0 % width >= recipe.model.memory.preWidth }
    }

    func clearValues() { for place in values { model.parameters.weights[table.offset + place] = 0 } }
  }

  /// Of the specification's eleven tests the tenth.
  @Test(arguments: [NetworkKind.llama, .gpt2])
  func `values of 0 leave the network as it is without the layer, and in the next steps it learns`(
    kind: NetworkKind
  ) throws {
    let plain = Self.recipe(kind, hasMemory: false)
    let corpus = try Tiny.corpus(plain)
    let dense = try Learner(plain, on: corpus)
    let memory = try Learner(Self.recipe(kind, hasMemory: true), on: corpus)
    memory.clearValues()
    func expectEqualTensors() {
      let weights = memory.weights
      for (path, numbers) in dense.weights { #expect(weights[path]! == numbers, "\(path), step \(memory.steps)") }
    }
    expectEqualTensors()
    let start = try memory.losses()
    #expect(try start == dense.losses())

    // Only the values have a gradient, and the first update of AdamW moves each of them by the rate.
    let layer = memory.model.parameters.layout.tensors.filter { $0.path.contains("/memory/") && $0.hasStoredGradient }
    #expect(layer.count == 7)
    for tensor in layer {
      #expect(memory.numbers(memory.model.parameters.gradients, tensor).allSatisfy { $0 == 0 }, "\(tensor.path)")
    }
    let gradient = memory.model.parameters.tableGradient(0).doubles
    let before = memory.weights[memory.table.path]!
    memory.update()
    dense.update()
    expectEqualTensors()
    let after = memory.weights[memory.table.path]!
    let places = Set(memory.values)
    var moved = 0
    for (place, g) in gradient.enumerated() {
      if places.contains(place) {
        #expect(abs(Double(after[place]) + Learner.rate * g / (abs(g) + 1e-8)) < 1e-6, "value \(place), gradient \(g)")
        moved += after[place] != 0 ? 1 : 0
      } else {
        #expect(g == 0 && abs(after[place] - before[place] * Float(1 - Learner.rate * 0.1)) < 1e-6)
      }
    }
    #expect(moved > 0 && moved < places.count, "rows that nobody picked stay 0")

    // From the second step on, the layer adds something, and all of it learns.
    #expect(try memory.losses() != dense.losses())
    for tensor in layer {
      #expect(memory.numbers(memory.model.parameters.gradients, tensor).contains { $0 != 0 }, "\(tensor.path)")
    }
    let second = memory.model.parameters.tableGradient(0)
    #expect(second.indices.contains { !places.contains($0) && second[$0] != 0 }, "pre-values learn too")
    for _ in 0..<30 {
      memory.update()
      _ = try memory.losses()
    }
    let learned = try memory.losses()[0].loss
    memory.clearValues()
    let without = try memory.losses()[0].loss
    #expect(learned < start[0].loss && learned < without, "\(start[0].loss), \(learned), without values \(without)")
  }
}
