// How good a ranking is: by hand, and summed up by the network against a twin that sorts its logits.
import Foundation
import Kernels
import Support
import Testing
import Transformer

@Suite struct RankQualityTests {
  @Test func `rankings worked out by hand`() {
    let perfect = RankQuality(ranks: [1, 2, 3])
    #expect(perfect.ndcg8 == 1 && perfect.tau == 1 && perfect.recall8 == 1 && perfect.reciprocalRank == 1)

    // Gains 1 and ½: (1/log₂3 + ½/log₂2) / (1/log₂2 + ½/log₂3) = 1.1309298 / 1.3154649.
    let swapped = RankQuality(ranks: [2, 1])
    #expect(abs(swapped.ndcg8 - 0.8597187) < 1e-6)
    #expect(swapped.tau == -1 && swapped.recall8 == 1 && swapped.reciprocalRank == 0.5)

    // Only the token in place 4 counts: (½/log₂5) / (1 + ½/log₂3 + ¼/log₂4) = 0.2153383 / 1.4404649. Of the three pairs
    // (9, 4), (9, 30), (4, 30) two are in order.
    let far = RankQuality(ranks: [9, 4, 30])
    #expect(abs(far.ndcg8 - 0.1494922) < 1e-6)
    #expect(abs(far.tau - 1.0 / 3) < 1e-12)
    #expect(abs(far.recall8 - 1.0 / 3) < 1e-12)
    #expect(abs(far.reciprocalRank - 1.0 / 9) < 1e-12)

    // Nine come: recall looks at the eight nearest, of which the one in place 9 is missed.
    let nine = RankQuality(ranks: [1, 2, 3, 4, 5, 6, 7, 9, 8])
    #expect(nine.recall8 == 7.0 / 8 && nine.tau == 34.0 / 36)

    let single = RankQuality(ranks: [3])
    #expect(single.ndcg8 == 0.5 && single.tau == 0 && single.recall8 == 1)
    let broken = RankQuality(ranks: [0, 0])
    #expect(broken.ndcg8.isNaN && broken.tau.isNaN && broken.recall8.isNaN && broken.reciprocalRank.isNaN)
    let none = RankQuality(ranks: [Int32]())
    #expect(none.ndcg8 == 0 && none.tau == 0 && none.recall8 == 0 && none.reciprocalRank == 0)
  }

  /// What the hits of each objective and the ranks of TOP add up to, from sorted logits.
  private func twin(_ c: NetworkCase, _ rows: Rows, _ model: Transformer, _ isAsked: [Bool]) -> (
    hits: [Int], ranks: RankSum
  ) {
    let reference = ReferenceModel(
      heads: c.heads, keyValueHeads: c.keyValueHeads, blocks: c.blocks, theta: 10_000, width: c.width, inner: c.inner,
      tensors: model.tensors(model.parameters.weights).mapValues(\.doubles))
    var hits = [Int](repeating: 0, count: c.objectives.count)
    var ranks = RankSum()
    for row in 0..<c.rows {
      let tokens = Array(rows.tokens[row * rows.stride..<(row + 1) * rows.stride])
      let hidden = reference.hidden(
        tokens, context: c.context, depths: c.nextTokens,
        multiToken: c.multiToken.map { $0 == .parallel ? .parallel : .sequential })
      for (index, objective) in c.objectives.enumerated() {
        var (name, depth) = ("top_head", 0)
        if case .nextToken = objective { (name, depth) = ("lm_head", index) }
        let logits = reference.logits(hidden[depth], unembedding: name)
        for t in 0..<c.context {
          let order = logits[t].indices.sorted { logits[t][$0] > logits[t][$1] }
          switch objective {
          case .nextToken(let next):
            if order[0] == Reference.token(tokens, at: t, ahead: next.distance).first?.token { hits[index] += 1 }
          case .tokenOrder(let top):
            let targets = Reference.tokenOrder(tokens, at: t, window: top.window)
            if order[0] == targets.first?.token { hits[index] += 1 }
            guard isAsked[row * c.context + t], !targets.isEmpty else { continue }
            ranks.add(RankQuality(ranks: targets.map { Int32(order.firstIndex(of: $0.token)! + 1) }))
          case .discountedFuture, .bag, .jointToken: break
          }
        }
      }
    }
    return (hits, ranks)
  }

  @Test(arguments: [
    NetworkCase(testDescription: "NTP and TOP", vocabulary: 40, context: 20, rows: 3),
    NetworkCase(testDescription: "small chunks", vocabulary: 17, context: 20, rows: 3, chunk: 7),
    NetworkCase(
      testDescription: "MTP-3 parallel and TOP", vocabulary: 23, blocks: 3, context: 20,
      objectives: NetworkCase.heads(3, top: true), weights: [1, 1, 1, 1], rows: 2, threads: 1, multiToken: .parallel),
    NetworkCase(
      testDescription: "MTP-2 sequential", vocabulary: 9, context: 20, objectives: NetworkCase.heads(2, top: false),
      weights: [1, 1], multiToken: .sequential),
  ])
  func `a network's hits and ranks are its twin's`(c: NetworkCase) throws {
    let model = try Transformer(
      NetworkPlan(
        c.configuration, rows: c.rows, precision: .fp32, threads: c.threads, chunk: c.chunk, isTrained: false))
    model.shake(11)
    let rows = Rows(c, seed: 12)
    let isAsked = (0..<c.rows * c.context).map { $0 % 3 != 1 }
    let sums = rows.view { batch in
      model.forward(batch)
      return model.losses(batch, ranking: isAsked)
    }
    let expected = twin(c, rows, model, isAsked)
    #expect(sums.map(\.hits) == expected.hits)
    #expect(sums.dropLast(c.objectives.count - 1).allSatisfy { $0.ranks.positions == 0 })
    guard case .tokenOrder? = c.objectives.last else { return }
    let ranks = try #require(sums.last?.ranks)
    #expect(ranks.positions == expected.ranks.positions && ranks.positions > 0)
    #expect(
      abs(ranks.total.ndcg8 - expected.ranks.total.ndcg8) < 1e-9
        && abs(ranks.total.tau - expected.ranks.total.tau) < 1e-9)
    #expect(abs(ranks.total.recall8 - expected.ranks.total.recall8) < 1e-9)
    #expect(abs(ranks.total.reciprocalRank - expected.ranks.total.reciprocalRank) < 1e-9)
  }
}
