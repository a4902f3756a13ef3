// Positions are counted before their targets are filled: both must agree.
import Kernels
import Support
import Testing
import Transformer

@Suite struct TargetTests {
  private static let objectives: [Objective] = [
    .nextToken(NextToken()), .tokenOrder(TokenOrder(window: 1)), .tokenOrder(TokenOrder(window: 5)),
    .tokenOrder(TokenOrder(window: 3, semantics: .algorithm1)),
    .tokenOrder(TokenOrder(window: 6, semantics: .float16Scores)), .discountedFuture(DiscountedFuture(discount: 0.5)),
    .bag(BagOfTokens(window: 2)), .bag(BagOfTokens(window: 5)),
  ]

  @Test(arguments: objectives, [2, 11])
  func `as many positions are counted as have targets`(objective: Objective, vocabulary: Int) throws {
    for masked in [false, true] {
      var c = NetworkCase(
        testDescription: "", vocabulary: vocabulary, context: 13, objectives: [objective], weights: [1], rows: 6)
      c.masked = masked
      let model = try Transformer(NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: 2))
      model.shake(1)
      for seed in 1...4 {
        var rows = Rows(c, seed: UInt64(seed))
        var dice = Dice(UInt64(seed))
        // Some tokens are missing.
        for i in rows.tokens.indices where Int.random(in: 0..<8, using: &dice) == 0 { rows.tokens[i] = -1 }
        var counts = [0]
        rows.view { batch in
          model.countPositions(batch, into: &counts)
          model.forward(batch)
          #expect(model.losses(batch).map(\.positions) == counts)
        }
        #expect(counts[0] > 0)
      }
    }
  }
}
