// Tokens that are read beside others come to the bits that they come to alone, and guesses are what the heads say of a whole row.
import Kernels
import Run
import Support
import Testing
import Transformer

@Suite struct AloneTests {
  /// Small networks of all kinds with a context that 40 tokens fit into.
  static let shapes = NetworkCase.all.filter { $0.objectives[0] == .nextToken(NextToken()) }.map { shape in
    var long = shape
    long.context = 48
    long.rows = 1
    long.masked = false
    return long
  }

  static func model(_ c: NetworkCase, _ precision: Precision = .fp32) throws -> Transformer {
    let model = try Transformer(
      NetworkPlan(
        c.configuration, rows: 1, precision: precision, threads: c.threads, shards: 1, isTrained: false))
    if precision == .bf16 {
      model.parameters.initialize(seed: 1, deviation: 0.1, threads: 1)
    } else {
      model.shake(1)
    }
    return model
  }

  static func tokens(_ count: Int, _ c: NetworkCase, seed: UInt64) -> [Int32] {
    var dice = Dice(seed)
    return dice.tokens(count, below: c.vocabulary)
  }

  /// What each token gives, one at a time.
  private func single(_ tokens: [Int32], _ model: Transformer) throws -> [[Float]] {
    var decoder = try Decoder(model.configuration)
    var all: [[Float]] = []
    for token in tokens {
      try decoder.read(token, by: model)
      all.append(decoder.logits(of: model))
    }
    return all
  }

  private func checkVerified(_ c: NetworkCase, _ model: Transformer) throws {
    let tokens = Self.tokens(40, c, seed: 3)
    let expected = try single(tokens, model)
    for size in [2, 3, 5, 16, 39] {
      var decoder = try Decoder(c.configuration)
      var found: [[Float]] = []
      var rest = tokens[...]
      while !rest.isEmpty {
        // Guesses that are wrong are forgotten, and leave nothing behind.
        let wrong = [Int32](repeating: tokens[0], count: min(3, c.context - decoder.count - min(size, rest.count)))
        let logits = try decoder.logits(reading: rest.prefix(size) + wrong, alone: true, by: model)
        decoder.forget(last: wrong.count)
        found += logits.prefix(min(size, rest.count))
        rest = rest.dropFirst(size)
      }
      #expect(found == expected, "\(size) at a time")
    }
  }

  @Test(arguments: shapes)
  func `several that are verified have the bits of one at a time`(c: NetworkCase) throws {
    try checkVerified(c, Self.model(c))
  }

  @Test(.enabled(if: Machine.hasBF16, "this processor has no bf16"), arguments: [NetworkKind.llama, .gpt2])
  func `in bf16 too`(kind: NetworkKind) throws {
    let c = NetworkCase(testDescription: "", width: 32, heads: 2, inner: 48, context: 48, rows: 1, kind: kind)
    try checkVerified(c, Self.model(c, .bf16))
  }

  @Test(arguments: shapes)
  func `texts beside each other have the bits that each has alone`(c: NetworkCase) throws {
    let model = try Self.model(c)
    let prompt = Self.tokens(11, c, seed: 4)
    // More texts than go through at a time, and past the end of the context.
    let texts = (0..<19).map { Self.tokens(45, c, seed: 5 + UInt64($0)) }
    var decoder = try Decoder(c.configuration, texts: texts.count)
    try decoder.read(prompt, by: model)
    try decoder.copyFirst(of: model)
    var found = texts.map { _ in [[Float]]() }
    for index in 0..<45 {
      // Some texts end early.
      let open = texts.indices.filter { $0 % 3 > 0 || index < 20 }
      try decoder.read(open.map { ($0, texts[$0][index]) }, by: model)
      for (text, logits) in zip(open, decoder.logits(of: model, texts: open)) { found[text].append(logits) }
    }
    for (text, tokens) in texts.enumerated() {
      var alone = try Decoder(c.configuration)
      try alone.read(prompt, by: model)
      for (index, logits) in found[text].enumerated() {
        try alone.read(tokens[index], by: model)
        #expect(logits == alone.logits(of: model), "text \(text), token \(index)")
      }
    }
  }
}

@Suite struct DraftTests {
  static let ahead = AloneTests.shapes.filter { Drafter.most($0.configuration, .multiToken) > 0 }
  static let ranked = AloneTests.shapes.filter { Drafter.most($0.configuration, .tokenOrder) > 0 }

  /// What the MTP heads say after a text, from a pass over a whole row: each takes in what those before it say.
  private func expected(_ text: [Int32], next: Int32, _ count: Int, _ model: Transformer) -> [Int32] {
    let c = model.configuration
    let stride = c.context + max(c.streams.count, model.lookahead)
    var row = text + [next] + [Int32](repeating: 0, count: stride - text.count - 1)
    var guesses: [Int32] = []
    func batch(_ row: UnsafePointer<Int32>) -> TokenRows {
      TokenRows(tokens: row, rows: 1, context: c.context, stride: stride)
    }
    row.withUnsafeBufferPointer { model.forward(batch($0.baseAddress!)) }
    for head in 0..<count {
      let hidden = row.withUnsafeBufferPointer {
        model.furtherHidden(head, batch($0.baseAddress!), position: text.count - 1)
      }
      guesses.append(model.logits(head: 0, hidden: hidden).largest)
      row[text.count + 1 + head] = guesses[head]
    }
    return guesses
  }

  @Test(arguments: ahead)
  func `MTP's guesses are those of a whole row, whatever was read and forgotten before`(c: NetworkCase) throws {
    let model = try AloneTests.model(c)
    let most = Drafter.most(c.configuration, .multiToken)
    for count in 1...most {
      var drafter = try Drafter(of: model, source: .multiToken, count: count)
      var decoder = try drafter.decoder()
      var dice = Dice(UInt64(count))
      var text = AloneTests.tokens(19, c, seed: 7)
      try decoder.read(text, by: model)
      while text.count < 36 {
        let next = Int32.random(in: 0..<Int32(c.vocabulary), using: &dice)
        let guess = try drafter.guess(after: decoder, next: next, of: model)
        #expect(guess == expected(text, next: next, count, model), "after \(text.count) tokens")
        // Some of the tokens that are read next turn out wrong.
        let more = [next] + dice.tokens(3, below: c.vocabulary)
        let wrong = Int.random(in: 0...3, using: &dice)
        _ = try decoder.logits(reading: more, alone: true, by: model)
        decoder.forget(last: wrong)
        text += more.dropLast(wrong)
      }
    }
  }

  @Test(arguments: ahead)
  func `where the older half was forgotten, guesses are those of what is left`(c: NetworkCase) throws {
    let model = try AloneTests.model(c)
    let count = Drafter.most(c.configuration, .multiToken)
    var drafter = try Drafter(of: model, source: .multiToken, count: count)
    var decoder = try drafter.decoder()
    let text = AloneTests.tokens(48, c, seed: 8)
    try decoder.read(text, by: model)
    _ = try drafter.guess(after: decoder, next: 0, of: model)
    try decoder.read(5, by: model)
    #expect(decoder.count == 25)
    let guess = try drafter.guess(after: decoder, next: 3, of: model)
    #expect(guess == expected(decoder.tokens, next: 3, count, model))
  }

  @Test(arguments: ranked)
  func `TOP's guesses are the best of its ranking, and no draft comes twice`(c: NetworkCase) throws {
    let model = try AloneTests.model(c)
    let count = min(4, Drafter.most(c.configuration, .tokenOrder))
    var drafter = try Drafter(of: model, source: .tokenOrder, count: count)
    var decoder = try drafter.decoder()
    try decoder.read(AloneTests.tokens(20, c, seed: 9), by: model)
    let head = try #require(c.objectives.firstIndex { if case .tokenOrder = $0 { true } else { false } })
    let logits = decoder.logits(of: model, head: head)
    let order = logits.indices.sorted { (logits[$0], $1) > (logits[$1], $0) }.map(Int32.init)
    let guess = try drafter.guess(after: decoder, next: order[1], of: model)
    #expect(guess == Array(order.prefix(count + 1)))
    #expect(drafter.drafts(from: guess, next: order[1]) == [order[0]] + order[2...count])
    #expect(drafter.published(from: guess, next: order[1]) == guess)
  }

  @Test func `the largest are found in order, the first of equal ones first`() {
    var dice = Dice(for: "largest")
    for _ in 0..<200 {
      let values = (0..<30).map { _ in Float(Int.random(in: 0...12, using: &dice)) }
      let order = values.indices.sorted { (values[$0], $1) > (values[$1], $0) }.map(Int32.init)
      #expect(values.largest == order[0])
      for n in [1, 2, 7, 30, 31] { #expect(values.largest(n) == Array(order.prefix(n)), "\(Trial.note)") }
    }
  }
}
