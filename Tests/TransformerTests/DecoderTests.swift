// Reading token by token gives what reading a whole row gives.
import Kernels
import Support
import Testing
import Transformer

@Suite struct DecoderTests {
  @Test(arguments: [
    (1, 1, Configuration.Kind.llama, false, 0), (2, 3, .llama, false, 0), (1, 3, .llama, true, 0),
    (1, 1, .gpt2, false, 0), (2, 3, .gpt2, false, 0), (1, 2, .llama, true, 20), (2, 1, .llama, false, 6),
  ])
  func `its logits are those of a whole row`(
    keyValueHeads: Int, threads: Int, kind: Configuration.Kind, hasHeadNorms: Bool, headWidth: Int
  ) throws {
    let c = Case(
      testDescription: "", width: 16, heads: 2, keyValueHeads: keyValueHeads, context: 12, rows: 1, threads: threads,
      kind: kind, hasHeadNorms: hasHeadNorms, ownHeadWidth: headWidth)
    let model = try Transformer(c.configuration, rows: 1, precision: .fp32, threads: threads)
    model.shake(1)
    let rows = Rows(c, seed: 2)
    rows.view { model.forward($0) }
    var decoder = try Decoder(c.configuration)
    for position in 0..<12 {
      decoder.read(rows.tokens[position], by: model)
      let expected = model.logits(head: 0, hidden: model.hidden(row: 0, position: position))
      #expect(largestError(decoder.logits(of: model), expected.doubles) < 1e-4, "position \(position)")
    }
  }

  @Test(arguments: [MultiToken.parallel, .sequential])
  func `the TOP head's logits are its own, whatever heads stand between`(multiToken: MultiToken) throws {
    let objectives = Case.heads(3, top: true)
    let c = Case(testDescription: "", objectives: objectives, weights: [1, 1, 1, 1], rows: 1, multiToken: multiToken)
    let model = try Transformer(c.configuration, rows: 1, precision: .fp32, threads: 1)
    model.shake(1)
    Rows(c, seed: 2).view { model.forward($0) }
    let hidden = model.hidden(row: 0, position: 3)
    let unembedding = try #require(model.tensors(model.parameters.weights)["top_head/weight"])
    let expected = (0..<c.vocabulary).map { token in
      (0..<c.width).reduce(0.0) { $0 + Double(unembedding[token * c.width + $1] * hidden[$1]) }
    }
    #expect(largestError(model.logits(head: 3, hidden: hidden), expected) < 1e-5)
  }

  @Test(arguments: [Configuration.Kind.llama, .gpt2])
  func `beyond its context it forgets the older half`(kind: Configuration.Kind) throws {
    let c = Case(testDescription: "", context: 8, rows: 1, kind: kind)
    let model = try Transformer(c.configuration, rows: 1, precision: .fp32, threads: 1)
    model.shake(1)
    let tokens: [Int32] = [1, 5, 2, 7, 3, 4, 9, 0, 6]
    var long = try Decoder(c.configuration)
    for token in tokens { long.read(token, by: model) }
    var short = try Decoder(c.configuration)
    for token in tokens.suffix(5) { short.read(token, by: model) }
    #expect(long.logits(of: model) == short.logits(of: model))
  }
}
