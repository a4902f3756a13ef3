// The gradients of everything in a memory layer, and of what it reads, against slopes of the twin while its choice of rows is held.
import Kernels
@testable import Run
import Support
import Testing
import Transformer

@Suite struct MemoryGradientTests {
  /// A network of one block whose memory layer is looked at.
  private struct LayerCase: Sendable {
    var sizes: MemorySize
    var kind = NetworkKind.llama
    /// Whether the block adds nothing else to the stream, so that the layer alone is between the embedding and the heads.
    var isAlone = false
    /// Whether all heads have the same keys and cores, so that a token picks each of its rows once for each head.
    var hasEqualHeads = false

    var network: NetworkCase {
      NetworkCase(
        testDescription: "", blocks: 1, width: 16, objectives: [.nextToken(NextToken())], weights: [1], kind: kind,
        memory: sizes)
    }
  }

  private static let cases = [
    LayerCase(
      sizes: MemorySize(keys: 7, keyWidth: 6, top: 5, candidates: 4, valueWidth: 8, preWidth: 3), isAlone: true),
    LayerCase(
      sizes: MemorySize(
        keys: 6, keyWidth: 5, top: 4, candidates: 3, heads: 2, cores: 2, rank: 2, valueWidth: 10, preWidth: 4),
      isAlone: true, hasEqualHeads: true),
    LayerCase(
      sizes: MemorySize(
        keys: 8, keyWidth: 6, top: 6, candidates: 4, heads: 2, cores: 1, rank: 3, valueWidth: 9, preWidth: 5),
      kind: .gpt2),
    LayerCase(
      sizes: MemorySize(
        keys: 9, keyWidth: 6, top: 5, candidates: 5, cores: 0, rank: 1, valueWidth: 7, preWidth: 0)),
  ]

  /// The step of a slope, and how many of them must leave the choice of rows as it is: at other points, a slope says nothing.
  private static let step = 1e-5
  private static let clearance = 10.0

  /// A network of a case with weights that matter.
  private func network(_ layer: LayerCase, seed: UInt64) throws -> Transformer {
    let c = layer.network
    let model = try Transformer(
      NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: c.threads))
    model.shake(seed)
    for tensor in model.parameters.layout.tensors {
      let weights = model.parameters.weights + tensor.offset
      let isOther = ["v_proj", "down_proj"].contains { tensor.path.contains("/\($0)/") }
      if layer.isAlone && isOther { weights.update(repeating: 0, count: tensor.count) }
      let isOfHeads = [.memoryKeys, .memoryCores, .memoryFilter].contains(tensor.description.role)
      guard layer.hasEqualHeads && isOfHeads else { continue }
      let part = tensor.count / layer.sizes.heads
      for head in 1..<layer.sizes.heads { (weights + head * part).update(from: weights, count: part) }
    }
    model.parameters.roundOperands(threads: 1)
    return model
  }

  /// Of the specification's eleven tests the first.
  @Test(arguments: cases.indices) func `gradients are slopes where the choice of rows is clear`(index: Int) throws {
    let layer = Self.cases[index]
    let c = layer.network
    let rows = Rows(c, seed: 4)
    // The first weights whose choice does not hang by what fp32 rounds off.
    var found: (model: Transformer, tensors: [String: [Double]], picks: HeldPicks)?
    for seed in UInt64(3)..<20 where found == nil {
      let model = try network(layer, seed: seed)
      let tensors = model.tensors(model.parameters.weights).mapValues(\.doubles)
      let picks = HeldPicks()
      _ = TransformerTests.loss(c, rows, tensors) { $0.memory?.layer.picks = picks }
      if picks.smallestGap > 1e-4 { found = (model, tensors, picks) }
    }
    let (model, tensors, picks) = try #require(found)
    let chosen = picks.rows
    picks.hold()
    func loss(_ tensors: [String: [Double]]) -> Double {
      TransformerTests.loss(c, rows, tensors) { $0.memory?.layer.picks = picks }
    }
    func changed(_ path: String, _ i: Int, by difference: Double) -> [String: [Double]] {
      var copy = tensors
      copy[path]![i] += difference
      return copy
    }
    let losses = model.learn(rows, weights: c.weights)
    let expected = loss(tensors)
    #expect(abs(losses[0].loss / Double(losses[0].positions) - expected) < 1e-5 * (1 + expected))
    let gradients = model.tensors(model.parameters.gradients)
    let embedding = layer.kind == .llama ? "model/embed_tokens/weight" : "transformer/wte/weight"
    var dice = Dice(for: "gradients of memory layers")
    var looked: Set<String> = []
    for (path, gradient) in gradients.sorted(by: { $0.key < $1.key })
    where path == embedding || path.contains("/memory/") && !path.contains("/filter/") {
      let rounding = 2e-6 + 4e-5 * Double(gradient.map(abs).max() ?? 0)
      // Of what has a gradient: most rows of a table and many tokens are read by nobody.
      let places = gradient.indices.filter { gradient[$0] != 0 }.shuffled(using: &dice)
      var clear = 0
      for i in places where clear < 3 {
        let far = [-1.0, 1].map { sign -> [[Int]] in
          let there = HeldPicks()
          _ = TransformerTests.loss(c, rows, changed(path, i, by: sign * Self.clearance * Self.step)) {
            $0.memory?.layer.picks = there
          }
          return there.rows
        }
        guard far.allSatisfy({ $0 == chosen }) else { continue }
        clear += 1
        let slope =
          (loss(changed(path, i, by: Self.step)) - loss(changed(path, i, by: -Self.step))) / (2 * Self.step)
        #expect(abs(Double(gradient[i]) - slope) < rounding, "\(path)[\(i)]: \(gradient[i]), slope \(slope)")
      }
      #expect(clear == 3, "\(path) has \(clear) points where the choice is clear, of \(places.count)")
      looked.insert(path)
    }
    // Queries, keys, both norms and the table, cores and pre-values where there are any, W_v, and the embedding.
    #expect(looked.count == 7 + (layer.sizes.cores > 0 ? 1 : 0) + (layer.sizes.preWidth > 0 ? 1 : 0), "\(looked)")
    // Rows that several tokens pick, and rows that one token picks for both heads.
    #expect(Set(chosen.flatMap { $0 }).count < chosen.reduce(0) { $0 + $1.count } / layer.sizes.heads)
    if layer.hasEqualHeads {
      #expect(stride(from: 0, to: chosen.count, by: 2).allSatisfy { chosen[$0] == chosen[$0 + 1] })
    }
  }
}
