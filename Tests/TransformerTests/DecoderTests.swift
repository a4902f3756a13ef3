// Reading token by token gives what reading a whole row gives.
import Kernels
import Run
import Support
import Testing
import Transformer

@Suite struct DecoderTests {
  @Test(arguments: [
    (1, 1, NetworkKind.llama, false, 0), (2, 3, .llama, false, 0), (1, 3, .llama, true, 0),
    (1, 1, .gpt2, false, 0), (2, 3, .gpt2, false, 0), (1, 2, .llama, true, 20), (2, 1, .llama, false, 6),
  ])
  func `its logits are those of a whole row`(
    keyValueHeads: Int, threads: Int, kind: NetworkKind, hasHeadNorms: Bool, headWidth: Int
  ) throws {
    let c = NetworkCase(
      testDescription: "", width: 16, heads: 2, keyValueHeads: keyValueHeads, context: 12, rows: 1, threads: threads,
      kind: kind, hasHeadNorms: hasHeadNorms, ownHeadWidth: headWidth)
    let model = try Transformer(NetworkPlan(c.configuration, rows: 1, precision: .fp32, threads: threads))
    model.shake(1)
    let rows = Rows(c, seed: 2)
    rows.view { model.forward($0) }
    var decoder = try Decoder(c.configuration)
    for position in 0..<12 {
      try decoder.read(rows.tokens[position], by: model)
      let expected = model.logits(head: 0, hidden: model.hidden(row: 0, position: position))
      #expect(largestError(decoder.logits(of: model), expected.doubles) < 1e-4, "position \(position)")
    }
  }

  @Test(arguments: [MultiToken.parallel, .sequential])
  func `the TOP head's logits are its own, whatever heads stand between`(multiToken: MultiToken) throws {
    let objectives = NetworkCase.heads(3, top: true)
    let c = NetworkCase(
      testDescription: "", objectives: objectives, weights: [1, 1, 1, 1], rows: 1, multiToken: multiToken)
    let model = try Transformer(NetworkPlan(c.configuration, rows: 1, precision: .fp32, threads: 1))
    model.shake(1)
    Rows(c, seed: 2).view { model.forward($0) }
    let hidden = model.hidden(row: 0, position: 3)
    let unembedding = try #require(model.tensors(model.parameters.weights)["top_head/weight"])
    let expected = (0..<c.vocabulary).map { token in
      (0..<c.width).reduce(0.0) { $0 + Double(unembedding[token * c.width + $1] * hidden[$1]) }
    }
    #expect(largestError(model.logits(head: 3, hidden: hidden), expected) < 1e-5)
  }

  @Test(arguments: [NetworkKind.llama, .gpt2])
  func `beyond its context it forgets the older half`(kind: NetworkKind) throws {
    let c = NetworkCase(testDescription: "", context: 8, rows: 1, kind: kind)
    let model = try Transformer(NetworkPlan(c.configuration, rows: 1, precision: .fp32, threads: 1))
    model.shake(1)
    let tokens: [Int32] = [1, 5, 2, 7, 3, 4, 9, 0, 6]
    var long = try Decoder(c.configuration)
    for token in tokens { try long.read(token, by: model) }
    var short = try Decoder(c.configuration)
    for token in tokens.suffix(5) { try short.read(token, by: model) }
    #expect(long.logits(of: model) == short.logits(of: model))
  }

  /// Small networks of both kinds, with a prompt that takes a large piece, several small ones and single tokens.
  private static let long = NetworkCase.all.filter { $0.objectives[0] == .nextToken(NextToken()) }.map { shape in
    var long = shape
    long.context = 160
    long.rows = 1
    long.masked = false
    long.documentLength = 4
    return long
  }

  private static func tokens(_ count: Int, below vocabulary: Int, seed: UInt64) -> [Int32] {
    var dice = Dice(seed)
    return dice.tokens(count, below: vocabulary)
  }

  private static func model(_ c: NetworkCase, _ precision: Precision) throws -> Transformer {
    let model = try Transformer(
      NetworkPlan(
        c.configuration, rows: 1, precision: precision, threads: c.threads, shards: 1, isTrained: false))
    model.shake(1)
    return model
  }

  private static func largest(_ a: [Float]) -> Double { a.reduce(0) { max($0, Double(abs($1))) } }

  @Test(arguments: long)
  func `many tokens at once are what they are one after the other`(c: NetworkCase) throws {
    let model = try Self.model(c, .fp32)
    let tokens = Self.tokens(155, below: c.vocabulary, seed: 3)
    var single = try Decoder(c.configuration)
    for token in tokens { try single.read(token, by: model) }
    let expected = single.logits(of: model)
    let scale = max(1, Self.largest(expected))
    // At once, and after tokens that do not fill a piece.
    for first in [0, 1, 21, 130] {
      var decoder = try Decoder(c.configuration)
      try decoder.read(Array(tokens[..<first]), by: model)
      try decoder.read(Array(tokens[first...]), by: model)
      #expect(decoder.count == 155)
      #expect(largestError(decoder.logits(of: model), expected.doubles) < 1e-5 * scale, "\(first) first")
    }
  }

  /// bf16 rounds what goes into each product to 8 bits where many are read, and not where one is: a few percent of logits
  /// that the shaken weights make large.
  @Test(.enabled(if: Machine.hasBF16), arguments: [NetworkKind.llama, .gpt2])
  func `in bf16 many at once are about the same`(kind: NetworkKind) throws {
    let c = NetworkCase(testDescription: "", width: 32, heads: 2, inner: 48, context: 160, rows: 1, kind: kind)
    let model = try Transformer(
      NetworkPlan(c.configuration, rows: 1, precision: .bf16, threads: 2, shards: 1, isTrained: false))
    model.parameters.initialize(seed: 1, deviation: 0.1, threads: 2)
    let tokens = Self.tokens(155, below: c.vocabulary, seed: 3)
    var single = try Decoder(c.configuration)
    var many = try Decoder(c.configuration)
    for token in tokens { try single.read(token, by: model) }
    try many.read(tokens, by: model)
    let expected = single.logits(of: model)
    let scale = Self.largest(expected)
    #expect(scale > 0.1)
    #expect(largestError(many.logits(of: model), expected.doubles) < 0.03 * scale)
  }

  @Test(arguments: long)
  func `what is forgotten leaves nothing behind`(c: NetworkCase) throws {
    let model = try Self.model(c, .fp32)
    let tokens = Self.tokens(150, below: c.vocabulary, seed: 3)
    let others = Self.tokens(20, below: c.vocabulary, seed: 4)
    var decoder = try Decoder(c.configuration)
    try decoder.read(tokens, by: model)
    decoder.forget(last: 50)
    #expect(decoder.count == 100)
    try decoder.read(others, by: model)
    var fresh = try Decoder(c.configuration)
    try fresh.read(tokens[..<100] + others, by: model)
    let expected = fresh.logits(of: model)
    #expect(largestError(decoder.logits(of: model), expected.doubles) < 1e-5 * max(1, Self.largest(expected)))
    decoder.forget(last: 120)
    try decoder.read(others, by: model)
    var begun = try Decoder(c.configuration)
    try begun.read(others, by: model)
    #expect(decoder.logits(of: model) == begun.logits(of: model))
  }

  @Test func `logits of every token that is read are those of the tokens so far`() throws {
    let c = NetworkCase(testDescription: "", context: 160, rows: 1)
    let model = try Self.model(c, .fp32)
    let tokens = Self.tokens(150, below: c.vocabulary, seed: 5)
    var decoder = try Decoder(c.configuration)
    try decoder.read(tokens[0], by: model)
    let all = try decoder.logits(reading: Array(tokens[1...]), by: model)
    #expect(all.count == 149)
    var single = try Decoder(c.configuration)
    try single.read(tokens[0], by: model)
    for (index, token) in tokens[1...].enumerated() {
      try single.read(token, by: model)
      let expected = single.logits(of: model)
      #expect(largestError(all[index], expected.doubles) < 1e-5 * max(1, Self.largest(expected)), "token \(index + 1)")
    }
  }

  @Test func `more tokens than the context holds leave what they leave one after the other`() throws {
    let c = NetworkCase(testDescription: "", context: 40, rows: 1)
    let model = try Self.model(c, .fp32)
    let tokens = Self.tokens(133, below: c.vocabulary, seed: 6)
    var single = try Decoder(c.configuration)
    var many = try Decoder(c.configuration)
    for token in tokens { try single.read(token, by: model) }
    try many.read(Array(tokens[..<30]), by: model)
    try many.read(Array(tokens[30...]), by: model)
    #expect(many.count == single.count)
    let expected = single.logits(of: model)
    #expect(largestError(many.logits(of: model), expected.doubles) < 1e-5 * max(1, Self.largest(expected)))
  }
}
