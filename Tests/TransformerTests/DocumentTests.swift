// Documents in one row: nothing looks from one into another, over several tiles of attention too.
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@Suite struct DocumentTests {
  /// A row over several tiles whose documents begin inside of them, at their bounds and right beside each other.
  private func rows(_ c: NetworkCase) -> Rows {
    var rows = Rows(c, seed: 9)
    let starts = [0, 3, 64, 65, 150, 160, 256, 290]
    rows.documents = rows.tokens.indices.map { place in
      Int32(starts.lastIndex { $0 <= place % rows.stride }! + place / rows.stride * 100)
    }
    return rows
  }

  private func tall(_ kind: NetworkKind = .llama) -> NetworkCase {
    NetworkCase(
      testDescription: "", vocabulary: 20, blocks: 2, width: 8, heads: 2, keyValueHeads: 1, inner: 8, context: 300,
      objectives: [.nextToken(NextToken())], weights: [1], rows: 2, kind: kind)
  }

  @Test(arguments: [NetworkKind.llama, .gpt2])
  func `over several tiles it is its twin's`(kind: NetworkKind) throws {
    let c = tall(kind)
    let model = try Transformer(NetworkPlan(c.configuration, rows: 2, precision: .fp32, threads: 2))
    model.shake(8)
    let rows = rows(c)
    let losses = model.learn(rows, weights: [1])
    let tensors = model.tensors(model.parameters.weights).mapValues(\.doubles)
    let expected = TransformerTests.loss(c, rows, tensors)
    #expect(abs(losses[0].loss / Double(losses[0].positions) - expected) < 1e-4)
    var packed = rows
    packed.documents = nil
    #expect(abs(TransformerTests.loss(c, packed, tensors) - expected) > 1e-3)
    let gradients = model.tensors(model.parameters.gradients)
    let paths =
      kind == .gpt2
      ? ["transformer/h/0/attn/c_attn/weight", "transformer/wpe/weight"]
      : ["model/layers/0/self_attn/q_proj/weight", "model/layers/0/self_attn/k_proj/weight"]
    for path in paths {
      let slope = slope(
        of: { values in
          var changed = tensors
          changed[path] = values
          return TransformerTests.loss(c, rows, changed)
        }, at: tensors[path]!, 5)
      #expect(abs(Double(gradients[path]![5]) - slope) < 1e-5 + 1e-3 * abs(slope), "\(path)")
    }
  }

  @Test(arguments: [Precision.fp32, .bf16])
  func `a token of another document changes nothing, to the bit`(precision: Precision) throws {
    try requireHere(precision)
    let c = tall()
    let model = try Transformer(NetworkPlan(c.configuration, rows: 2, precision: precision, threads: 2))
    model.shake(8)
    var rows = rows(c)
    // Only the document at 160 … 255 of the first row counts.
    rows.mask = rows.tokens.indices.map { (160..<256).contains($0) ? 1 : 0 }
    func learn(_ rows: Rows) -> (LossSum, [String: [Float]]) {
      (model.learn(rows, weights: [1])[0], model.tensors(model.parameters.gradients))
    }
    let (loss, gradients) = learn(rows)
    #expect(loss.positions == 95)
    var changed = rows
    for place in changed.tokens.indices where changed.documents?[place] != rows.documents?[160] {
      changed.tokens[place] = changed.tokens[place] < 0 ? -1 : (changed.tokens[place] + 7) % 20
    }
    #expect(changed.tokens != rows.tokens)
    let other = learn(changed)
    #expect(other.0 == loss)
    #expect(other.1 == gradients)
    // A token of its own does.
    changed.tokens[161] = (changed.tokens[161] + 1) % 20
    #expect(learn(changed).0 != loss)
  }

  @Test func `one document a row is as if there were none, to the bit`() throws {
    let c = tall()
    let model = try Transformer(NetworkPlan(c.configuration, rows: 2, precision: .fp32, threads: 2))
    model.shake(8)
    var rows = Rows(c, seed: 9)
    let packed = model.learn(rows, weights: [1])
    rows.documents = rows.tokens.map { _ in 5 }
    #expect(model.learn(rows, weights: [1]) == packed)
  }
}
