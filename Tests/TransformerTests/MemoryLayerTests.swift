// Memory layers in a network: what they begin with, and what they come to where it is known otherwise.
import Foundation
import Kernels
@testable import Run
import Support
import Testing
import Transformer

@Suite struct MemoryLayerTests {
  private static let sizes = MemorySize(
    keys: 12, keyWidth: 16, top: 6, candidates: 5, valueWidth: 24, preWidth: 8)

  private func network(_ c: NetworkCase, rows: Int? = nil, microBatches: Int = 1) throws -> Transformer {
    try Transformer(
      NetworkPlan(
        c.configuration, rows: rows ?? c.rows, precision: .fp32, threads: c.threads, microBatches: microBatches))
  }

  @Test(arguments: [NetworkKind.llama, .gpt2])
  func `without values a network is that without memory, to the bit, and values learn`(kind: NetworkKind) throws {
    let c = NetworkCase(testDescription: "", width: 16, kind: kind, memory: Self.sizes)
    var dense = c
    dense.memory = nil
    let rows = Rows(c, seed: 4)
    let with = try network(c)
    let without = try network(dense)
    with.shake(3)
    let weights = with.tensors(with.parameters.weights)
    for tensor in with.parameters.layout.tensors where tensor.description.role == .memoryTable {
      for i in 0..<tensor.count where i % Self.sizes.rowWidth >= Self.sizes.preWidth {
        with.parameters.weights[tensor.offset + i] = 0
      }
    }
    for tensor in without.parameters.layout.tensors {
      for (i, value) in weights[tensor.path]!.enumerated() { without.parameters.weights[tensor.offset + i] = value }
    }
    let (a, b) = (with.learn(rows, weights: c.weights), without.learn(rows, weights: c.weights))
    #expect(a == b)
    let gradients = with.tensors(with.parameters.gradients)
    for (path, gradient) in without.tensors(without.parameters.gradients) {
      #expect(gradients[path]! == gradient, "\(path)")
    }
    // A pre-value learns nothing from a value of 0, but the value does.
    let table = gradients["\(kind == .llama ? "model/layers" : "transformer/h")/0/memory/table/weight"]!
    let width = Self.sizes.rowWidth
    #expect(table.indices.allSatisfy { $0 % width >= Self.sizes.preWidth || table[$0] == 0 })
    #expect(table.contains { $0 != 0 })
  }

  @Test func `keys in another order find the same values there`() throws {
    let c = NetworkCase(testDescription: "", width: 16, memory: Self.sizes)
    let rows = Rows(c, seed: 4)
    let one = try network(c)
    let other = try network(c)
    one.shake(3)
    other.shake(3)
    let (n, width, sizes) = (Self.sizes.keys, Self.sizes.rowWidth, Self.sizes)
    var dice = Dice(for: "keys in another order")
    let (first, second) = ((0..<n).shuffled(using: &dice), (0..<n).shuffled(using: &dice))
    for tensor in one.parameters.layout.tensors {
      let (source, place) = (one.parameters.weights + tensor.offset, other.parameters.weights + tensor.offset)
      if tensor.description.role == .memoryTable {
        for a in 0..<n {
          for b in 0..<n {
            (place + (first[a] * n + second[b]) * width).update(from: source + (a * n + b) * width, count: width)
          }
        }
      } else if tensor.description.role == .memoryKeys {
        for matrix in 0..<sizes.heads * sizes.queries {
          let order = matrix % sizes.queries < sizes.rank ? first : second
          for a in 0..<n {
            (place + (matrix * n + order[a]) * sizes.keyWidth).update(
              from: source + (matrix * n + a) * sizes.keyWidth, count: sizes.keyWidth)
          }
        }
      }
    }
    other.parameters.roundOperands(threads: 1)
    for (a, b) in zip(one.learn(rows, weights: c.weights), other.learn(rows, weights: c.weights)) {
      #expect(abs(a.loss - b.loss) < 1e-5 * a.loss && a.loss > 0)
    }
  }

  /// Of the specification's eleven tests the third: [cores, rank].
  @Test(arguments: [(1, 3), (2, 2), (0, 1)])
  func `where all pairs are picked, a layer is bilinear in both sides' scores, whatever finds candidates`(
    cores: Int, rank: Int
  ) throws {
    let sizes = MemorySize(
      keys: 4, keyWidth: 6, top: 16, candidates: 4, cores: cores, rank: rank, valueWidth: 12, preWidth: 5)
    let c = NetworkCase(testDescription: "", width: 16, memory: sizes)
    let rows = Rows(c, seed: 4)
    let model = try network(c)
    model.shake(3)
    let losses = model.learn(rows, weights: c.weights)
    let gradients = model.tensors(model.parameters.gradients)
    let total = zip(losses, c.weights).reduce(0.0) { $0 + $1.0.loss / Double($1.0.positions) * Double($1.1) }
    let tensors = model.tensors(model.parameters.weights).mapValues(\.doubles)
    func bilinear(_ tensors: [String: [Double]]) -> Double {
      TransformerTests.loss(c, rows, tensors) { $0.memory?.layer.isBilinear = true }
    }
    #expect(abs(total - bilinear(tensors)) < 1e-5 * (1 + total))
    var dice = Dice(for: "bilinear layers")
    for (path, gradient) in gradients.sorted(by: { $0.key < $1.key }) where path.contains("/memory/") {
      let rounding = 2e-6 + 4e-5 * Double(gradient.map(abs).max() ?? 0)
      let i = Int.random(in: gradient.indices, using: &dice)
      let slope = slope(
        of: { values in
          var changed = tensors
          changed[path] = values
          return bilinear(changed)
        }, at: tensors[path]!, i)
      #expect(abs(Double(gradient[i]) - slope) < rounding, "\(path)[\(i)]: \(gradient[i]), slope \(slope)")
    }
    // Any u and v find all candidates.
    for _ in 0..<3 {
      for tensor in model.parameters.layout.tensors where tensor.description.role == .memoryFilter {
        for (i, x) in dice.floats(tensor.count).enumerated() { model.parameters.weights[tensor.offset + i] = x }
      }
      #expect(model.learn(rows, weights: c.weights) == losses)
      #expect(model.tensors(model.parameters.gradients) == gradients, "\(Trial.note)")
    }
  }

  @Test func `the sign of the vectors that find candidates decides what is found`() throws {
    let c = NetworkCase(testDescription: "", width: 16, memory: Self.sizes)
    let rows = Rows(c, seed: 4)
    let model = try network(c)
    model.parameters.initialize(seed: 1, deviation: 0.3, threads: 1)
    let before = model.learn(rows, weights: c.weights)
    for tensor in model.parameters.layout.tensors where tensor.description.role == .memoryFilter {
      for i in 0..<tensor.count { model.parameters.weights[tensor.offset + i].negate() }
    }
    let after = model.learn(rows, weights: c.weights)
    #expect(before != after)
    // An update keeps the sign.
    let filters = model.tensors(model.parameters.weights).filter { $0.key.hasSuffix("filter/weight") }
    model.parameters.finishUpdate(threads: 1)
    for (path, filter) in filters {
      let kept = model.tensors(model.parameters.weights)[path]!
      #expect(zip(filter, kept).allSatisfy { abs($0 - $1) < 1e-5 }, "\(path)")
    }
    #expect(model.learn(rows, weights: c.weights) == after)
  }

  /// [kind: how much narrower the MLP's last matrix begins, cores, pre-width].
  @Test(arguments: [
    (NetworkKind.llama, 1.0, 2, 16), (.llama, 0.25, 2, 0), (.gpt2, 0.5, 1, 16), (.llama, 1, 0, 16),
  ])
  func `a layer begins with scores of 1 and adds as much as the MLP`(
    kind: NetworkKind, scale: Double, cores: Int, preWidth: Int
  ) throws {
    let sizes = MemorySize(
      keys: 32, keyWidth: 32, top: 12, candidates: 12, cores: cores, rank: cores == 0 ? 1 : 2, valueWidth: 48,
      preWidth: preWidth)
    let c = NetworkCase(testDescription: "", blocks: 1, width: 64, inner: 128, kind: kind, memory: sizes)
    let model = try network(c)
    model.parameters.initialize(seed: 5, deviation: 0.05, residualScale: scale, threads: 2)
    let tensors = model.tensors(model.parameters.weights).mapValues(\.doubles)
    let layer = kind == .llama ? "model/layers/0" : "transformer/h/0"
    var dice = Dice(for: "a layer begins")
    let x = Reference.rmsNorm(dice.floats(200 * 64).doubles, [Double](repeating: 1, count: 64))
    let twin = ReferenceMemory(sizes)
    func deviation(_ y: [Double]) -> Double { (y.reduce(0) { $0 + $1 * $1 } / Double(y.count)).squareRoot() }
    let added = deviation(twin.output(x, width: 64) { tensors["\(layer)/memory/\($0)/weight"]! })
    let scores = twin.pickedScores(x, width: 64) { tensors["\(layer)/memory/\($0)/weight"]! }
    let mean = scores.reduce(0, +) / Double(scores.count)
    #expect(scores.count == 200 * 12 * max(1, cores))
    #expect((0.8...1.2).contains(mean), "the mean score is \(mean), \(Trial.note)")
    func product(_ x: [Double], _ name: String, _ k: Int) -> [Double] {
      Reference.product(x, tensors["\(layer)/mlp/\(name)/weight"]!, k)
    }
    let inner: [Double]
    if kind == .gpt2 {
      inner = Reference.gelu(product(x, "c_fc", 64))
    } else {
      let gates = Reference.rows(product(x, "gate_proj", 64), 128)
      inner = Reference.swiGLU(zip(gates, Reference.rows(product(x, "up_proj", 64), 128)).flatMap { $0 + $1 }, 128)
    }
    let mlp = deviation(product(inner, kind == .gpt2 ? "c_proj" : "down_proj", 128))
    #expect((0.6...1.6).contains(added / mlp), "memory \(added), MLP \(mlp), \(Trial.note)")
    let norms = ["query_norm", "key_norm"].map { tensors["\(layer)/memory/\($0)/weight"]! }
    #expect(norms[0] == norms[1] && norms[0].allSatisfy { $0 > 0.05 && $0 < 2 })
  }

  @Test func `where MTP heads learn alone, the gradient's norm is theirs, and the tables of others stay`() throws {
    let c = NetworkCase(
      testDescription: "", width: 16, objectives: NetworkCase.heads(3, top: false), weights: [0, 1, 1],
      multiToken: .sequential, memory: Self.sizes)
    let rows = Rows(c, seed: 4)
    let model = try network(c)
    model.shake(3)
    let adam = AdamW(beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0.1, rate: 0.01, clip: 1, step: 0)
    /// The tables with their moments, by path.
    func tables() -> [String: [Float]] {
      var found: [String: [Float]] = [:]
      for table in model.parameters.layout.tensors where table.description.role == .memoryTable {
        for place in [
          model.parameters.weights + table.offset, model.parameters.firstMoments + table.offset,
          model.parameters.secondMoments + table.secondMoment!,
        ] {
          found[table.path, default: []] += Array(UnsafeBufferPointer(start: place, count: table.count))
        }
      }
      return found
    }
    for isAlone in [true, false, true] {
      _ = model.learn(rows, weights: c.weights)
      let squares = model.tensors(model.parameters.gradients).mapValues { $0.doubles.reduce(0) { $0 + $1 * $1 } }
      let own = squares.filter { $0.key.hasPrefix("mtp/") || !isAlone }
      if isAlone { model.keepFurtherGradients() }
      let expected = own.values.reduce(0, +).squareRoot()
      let norm = model.gradientNorm()
      #expect(expected > 0 && abs(norm - expected) < 1e-5 * expected, "norm \(norm), twin \(expected)")
      let before = tables()
      model.parameters.updateTables(adam, threads: c.threads)
      for (path, after) in tables() {
        #expect((after != before[path]!) == (path.hasPrefix("mtp/") || !isAlone), "\(path)")
      }
    }
  }

  @Test func `how rows are put into micro-batches changes a table's gradient only by what products round`() throws {
    // The order of sums is that of positions (KernelsTests); products of other shapes round differently.
    var c = NetworkCase(testDescription: "", width: 16, context: 8, memory: Self.sizes)
    c.rows = 4
    c.threads = 1
    let data = Rows(c, seed: 8)
    let results = try [1, 2, 4].map { parts in
      let model = try network(c, rows: 4 / parts, microBatches: parts)
      model.shake(3)
      data.view { batch in
        var counts = c.weights.map { _ in 0 }
        var sums = c.weights.map { _ in LossSum() }
        let pieces = (0..<parts).map { batch.rows($0 * 4 / parts, count: 4 / parts) }
        for piece in pieces { model.countPositions(piece, into: &counts) }
        for (index, piece) in pieces.enumerated() {
          model.forward(piece)
          model.heads(piece, weights: c.weights, denominators: counts, accumulates: index > 0, into: &sums)
          model.backward(piece, accumulates: index > 0)
        }
      }
      return (gradient: model.parameters.tableGradient(1), norm: model.gradientNorm())
    }
    for other in results.dropFirst() {
      #expect(largestError(other.gradient, results[0].gradient.doubles) < 1e-6)
      #expect(abs(other.norm - results[0].norm) < 1e-5 * results[0].norm)
    }
  }
}
