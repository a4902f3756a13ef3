// Sizes and values at the ends: vocabularies and logits that overflow 32 bits, activations that overflow e^x, more threads
// than rows, positions that do not count.
import Kernels
import Support
import Testing
import Transformer

@Suite struct ScaleTests {
  /// A network of one narrow block, so that everything is in the heads.
  private func narrow(vocabulary: Int, context: Int, rows: Int) -> NetworkCase {
    NetworkCase(
      testDescription: "", vocabulary: vocabulary, blocks: 1, width: 8, heads: 1, keyValueHeads: 1, inner: 8,
      context: context, rows: rows)
  }

  @Test func `a vocabulary of 128 000 has its twin's losses and slopes, to the last token`() throws {
    let c = narrow(vocabulary: 128_000, context: 4, rows: 1)
    let model = try Transformer(NetworkPlan(c.configuration, rows: 1, precision: .fp32, threads: 2))
    model.shake(3)
    var rows = Rows(c, seed: 4)
    rows.tokens[1] = 127_999
    let losses = model.learn(rows, weights: c.weights)
    let tensors = model.tensors(model.parameters.weights).mapValues(\.doubles)
    let total = zip(losses, c.weights).reduce(0.0) { $0 + $1.0.loss / Double($1.0.positions) * Double($1.1) }
    let expected = TransformerTests.loss(c, rows, tensors)
    #expect(abs(total - expected) < 1e-5 * expected, "loss \(total), twin \(expected)")
    let gradients = model.tensors(model.parameters.gradients)
    for path in ["lm_head/weight", "top_head/weight"] {
      // The last token's row, and one that only the softmax reaches.
      for i in [127_999 * 8 + 3, 100_000 * 8] {
        let slope = slope(
          of: { values in
            var changed = tensors
            changed[path] = values
            return TransformerTests.loss(c, rows, changed)
          }, at: tensors[path]!, i)
        #expect(abs(Double(gradients[path]![i]) - slope) < 1e-6 + 2e-4 * abs(slope), "\(path)[\(i)]")
      }
    }
  }

  @Test(.enabled(if: Trial.isFull, "“make torture” tries it, for half a minute"))
  func `more than 2^31 logits give what a part of them gives`() throws {
    // 512 rows of 64 positions × 65 600 tokens; every row is the same, so that means and gradients are one row's.
    let (context, copies, vocabulary) = (64, 512, 65_600)
    #expect(context * copies * vocabulary > 1 << 31)
    let one = narrow(vocabulary: vocabulary, context: context, rows: 1)
    var row = Rows(one, seed: 5)
    for i in row.tokens.indices where row.tokens[i] < 0 { row.tokens[i] = 7 }
    var all = narrow(vocabulary: vocabulary, context: context, rows: copies)
    all.objectives = [one.objectives[0]]
    all.weights = [1]
    var few = all
    few.rows = 1
    var many = Rows(all, seed: 5)
    many.tokens = Array(repeating: row.tokens, count: copies).flatMap { $0 }
    func learned(_ c: NetworkCase, _ rows: Rows) throws -> (loss: Double, gradient: [Float]) {
      let model = try Transformer(NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: 2))
      model.shake(6)
      let sum = model.learn(rows, weights: [1])[0]
      #expect(sum.positions == c.rows * context)
      return (sum.loss / Double(sum.positions), model.tensors(model.parameters.gradients)["lm_head/weight"]!)
    }
    let (single, whole) = (try learned(few, row), try learned(all, many))
    #expect(abs(single.loss - whole.loss) < 1e-6 * single.loss)
    #expect(largestError(whole.gradient, single.gradient.doubles) < 1e-5)
  }

  @Test func `activations of ten thousand do not overflow the loss`() throws {
    let c = NetworkCase(testDescription: "", vocabulary: 40, context: 9)
    let model = try Transformer(NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: 2))
    model.shake(3)
    for tensor in model.parameters.layout.tensors where tensor.path.hasSuffix("_head/weight") {
      for i in 0..<tensor.count { model.parameters.weights[tensor.offset + i] *= 1e4 }
    }
    let rows = Rows(c, seed: 4)
    let losses = model.learn(rows, weights: c.weights)
    let total = zip(losses, c.weights).reduce(0.0) { $0 + $1.0.loss / Double($1.0.positions) * Double($1.1) }
    let expected = TransformerTests.loss(c, rows, model.tensors(model.parameters.weights).mapValues(\.doubles))
    #expect(expected > 1e3)
    #expect(abs(total - expected) < 1e-5 * expected)
    for (path, gradient) in model.tensors(model.parameters.gradients) {
      #expect(gradient.allSatisfy { $0.isFinite }, "\(path)")
    }
  }

  @Test func `sixty-four threads give what one gives`() throws {
    let c = NetworkCase(testDescription: "", context: 9, rows: 2)
    let rows = Rows(c, seed: 4)
    let one = try c.gradients(on: rows, threads: 1)
    for (path, gradient) in try c.gradients(on: rows, threads: 64) {
      #expect(largestError(gradient, one[path]!.doubles) < 1e-5, "\(path)")
    }
  }

  @Test(arguments: [
    ([Objective.nextToken(NextToken())], 1, nil), ([.tokenOrder(TokenOrder(window: 2))], 2, nil),
    ([.nextToken(NextToken()), .nextToken(NextToken(distance: 2))], 2, MultiToken.parallel),
  ])
  func `a masked position changes nothing`(objectives: [Objective], reach: Int, multiToken: MultiToken?) throws {
    let c = NetworkCase(
      testDescription: "", context: 9, objectives: objectives, weights: objectives.map { _ in 1 },
      multiToken: multiToken
    )
    var rows = Rows(c, seed: 4)
    // Only the masked positions at the end of a row look as far as its first token ahead.
    rows.mask = rows.tokens.indices.map { $0 % rows.stride >= c.context - reach ? 0 : 1 }
    var changed = rows
    for row in 0..<c.rows { changed.tokens[row * rows.stride + c.context] = 3 }
    #expect(changed.tokens != rows.tokens)
    func learned(_ rows: Rows) throws -> ([LossSum], [String: [Float]]) {
      let model = try Transformer(NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: 2))
      model.shake(3)
      let losses = model.learn(rows, weights: c.weights)
      return (losses, model.tensors(model.parameters.gradients))
    }
    let (a, b) = (try learned(rows), try learned(changed))
    #expect(a.0 == b.0)
    #expect(a.1 == b.1)
    var unmasked = changed
    unmasked.mask = nil
    #expect(try learned(unmasked).0 != b.0)
  }

  @Test(arguments: [nil, MultiToken.parallel, .sequential])
  func `a batch in which nothing counts has loss 0 and gradient 0`(multiToken: MultiToken?) throws {
    let objectives = multiToken == nil ? NetworkCase.heads(1, top: true) : NetworkCase.heads(2, top: true)
    let c = NetworkCase(
      testDescription: "", objectives: objectives, weights: objectives.map { _ in 1 }, multiToken: multiToken)
    var rows = Rows(c, seed: 4)
    rows.mask = rows.tokens.map { _ in 0 }
    let model = try Transformer(NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: 2))
    model.shake(3)
    for sum in model.learn(rows, weights: c.weights) { #expect(sum == LossSum()) }
    for (path, gradient) in model.tensors(model.parameters.gradients) {
      #expect(gradient.allSatisfy { $0 == 0 }, "\(path)")
    }
  }
}
