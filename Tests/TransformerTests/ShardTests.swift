// Rows that go through on a thread of their own against rows that the whole team takes through.
import Kernels
import Support
import Testing
import Transformer

@Suite struct ShardTests {
  /// Two micro-batches on networks of one weight, the second with other rows than the first.
  private func learned(_ c: NetworkCase, _ precision: Precision, shards: Int) throws -> (
    losses: [LossSum], norm: Double, gradients: [String: [Float]]
  ) {
    let model = try Transformer(
      NetworkPlan(
        c.configuration, rows: c.rows, precision: precision, threads: 3, chunk: c.chunk, shards: shards, microBatches: 2
      ))
    model.shake(3)
    let noise = RandomStream(seed: 1, purpose: "test")
    var losses = c.weights.map { _ in LossSum() }
    var denominators = c.weights.map { _ in 0 }
    for seed in [4, 5] {
      Rows(c, seed: UInt64(seed)).view { model.countPositions($0, into: &denominators) }
    }
    for seed in [4, 5] {
      Rows(c, seed: UInt64(seed)).view { batch in
        let noise = noise.branch(UInt64(seed))
        model.forward(batch, noise: noise)
        model.heads(
          batch, weights: c.weights, denominators: denominators, accumulates: seed == 5, noise: noise, into: &losses)
        model.backward(batch, accumulates: seed == 5, noise: noise)
      }
    }
    return (losses, model.gradientNorm(), model.tensors(model.parameters.gradients))
  }

  @Test(.enabled(if: Machine.hasBF16, "this processor has no bf16"), arguments: NetworkCase.all)
  func `in bf16 it gives the same but for rounding`(shape: NetworkCase) throws {
    var c = shape
    c.rows = 4
    let (team, split) = (try learned(c, .bf16, shards: 1), try learned(c, .bf16, shards: 3))
    for (a, b) in zip(team.losses, split.losses) {
      #expect(a.positions == b.positions && abs(a.loss - b.loss) <= 1e-4 * abs(a.loss))
    }
    #expect(abs(team.norm - split.norm) <= 1e-3 * team.norm)
    for (path, gradient) in team.gradients {
      let largest = gradient.reduce(0) { max($0, abs($1)) }
      #expect(largestError(split.gradients[path]!, gradient.doubles) < 1e-2 * max(1e-3, Double(largest)), "\(path)")
    }
  }

  @Test(arguments: NetworkCase.all, [false, true])
  func `a thread for its rows gives what the whole team gives`(shape: NetworkCase, recomputes: Bool) throws {
    var c = shape
    c.rows = 4
    c.recomputesBlocks = recomputes
    let (team, split) = (try learned(c, .fp32, shards: 1), try learned(c, .fp32, shards: 3))
    for (a, b) in zip(team.losses, split.losses) {
      #expect(a.positions == b.positions && abs(a.loss - b.loss) <= 1e-6 * abs(a.loss))
    }
    #expect(abs(team.norm - split.norm) <= 1e-5 * team.norm)
    for (path, gradient) in team.gradients {
      #expect(largestError(split.gradients[path]!, gradient.doubles) < 1e-5, "\(path)")
    }
    let again = try learned(c, .fp32, shards: 3)
    #expect(again.losses == split.losses && again.norm == split.norm)
    for (path, gradient) in split.gradients { #expect(again.gradients[path]! == gradient, "\(path)") }
  }

  @Test func `what is looked at is that of its row`() throws {
    var c = NetworkCase(testDescription: "", context: 9)
    c.rows = 4
    let results = try [1, 3].map { shards in
      let model = try Transformer(
        NetworkPlan(
          c.configuration, rows: 4, precision: .fp32, threads: 3, shards: shards, isTrained: false))
      model.shake(3)
      let isAsked = (0..<4 * c.context).map { $0 % 3 == 0 }
      let losses = Rows(c, seed: 4).view { batch in
        model.forward(batch)
        return model.losses(batch, ranking: isAsked)
      }
      return (losses: losses, hidden: (0..<4).map { model.hidden(row: $0, position: 2 * $0) })
    }
    for (a, b) in zip(results[0].losses, results[1].losses) {
      #expect(a.hits == b.hits && a.ranks.positions == b.ranks.positions && abs(a.loss - b.loss) <= 1e-6 * a.loss)
    }
    for (a, b) in zip(results[0].hidden, results[1].hidden) { #expect(largestError(b, a.doubles) < 1e-5) }
  }

  @Test func `threads take their own rows where all have as many and the gradients' copies are small`() throws {
    func shards(
      _ rows: Int, _ threads: Int, vocabulary: Int = 50, blocks: Int = 4, recomputes: Bool = false
    ) throws -> [Range<Int>] {
      var c = NetworkCase(testDescription: "", vocabulary: vocabulary, blocks: blocks)
      c.recomputesBlocks = recomputes
      return try NetworkPlan(c.configuration, rows: rows, precision: .fp32, threads: threads).shards
    }
    #expect(try shards(4, 1) == [0..<4])
    #expect(try shards(4, 2) == [0..<2, 2..<4])
    #expect(try shards(4, 2, recomputes: true) == [0..<2, 2..<4])
    #expect(try shards(3, 2) == [0..<3])
    #expect(try shards(1, 2) == [0..<1])
    #expect(try shards(99, 4).map(\.count) == [24, 25, 25, 25])
    // As good as even, but for a thread without a row.
    #expect(try shards(25, 26, vocabulary: 2, blocks: 99) == [0..<25])
    #expect(try shards(26, 26, vocabulary: 2, blocks: 99).count == 26)
    // Every thread but one would have the unembeddings' gradients once more: most of such a network.
    #expect(try shards(64, 64, vocabulary: 5000) == [0..<64])
  }
}
