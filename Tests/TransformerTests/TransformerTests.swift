// The whole network against its Double twin: losses, and gradients against slopes.
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

/// A tiny network with its batch.
struct Case: Sendable, CustomTestStringConvertible {
  var testDescription: String
  var vocabulary = 11
  var blocks = 2
  var width = 12
  var heads = 2
  var keyValueHeads = 2
  var inner = 10
  var context = 7
  var isTied = false
  var objectives: [Objective] = [.nextToken(NextToken()), .tokenOrder(TokenOrder(window: 5))]
  var weights: [Float] = [1, 0.5]
  var rows = 2
  var threads = 2
  var chunk: Int?
  var masked = false
  /// Tokens of a document, where there are some.
  var documentLength = 4
  var multiToken: MultiToken?
  var kind = NetworkKind.llama
  var hasHeadNorms = false
  var dropout: Float = 0
  var recomputesBlocks = false
  var ownHeadWidth = 0
  var memory: MemorySize?

  /// NTP, MTP heads up to n, and TOP.
  static func heads(_ n: Int, top: Bool) -> [Objective] {
    (1...n).map { .nextToken(NextToken(distance: $0)) } + (top ? [.tokenOrder(TokenOrder(window: 5))] : [])
  }

  static let all = [
    Case(testDescription: "NTP and TOP"),
    Case(testDescription: "NTP alone", objectives: [.nextToken(NextToken())], weights: [1]),
    Case(testDescription: "TOP alone", objectives: [.tokenOrder(TokenOrder(window: 4))], weights: [2]),
    Case(testDescription: "tied", isTied: true),
    Case(testDescription: "tied, NTP alone", isTied: true, objectives: [.nextToken(NextToken())], weights: [1]),
    Case(testDescription: "grouped keys", width: 16, heads: 4, keyValueHeads: 2),
    Case(testDescription: "one key for all", width: 24, heads: 3, keyValueHeads: 1, threads: 1),
    Case(testDescription: "sixteens", vocabulary: 32, width: 32, heads: 1, keyValueHeads: 1, inner: 48, context: 16),
    Case(testDescription: "small chunks", chunk: 3),
    Case(testDescription: "context 1", context: 1, rows: 3),
    Case(testDescription: "vocabulary 1", vocabulary: 1),
    Case(testDescription: "masks and documents", context: 9, masked: true),
    Case(
      testDescription: "MTP-3 parallel", objectives: heads(3, top: false), weights: [1, 0.5, 0.25],
      multiToken: .parallel),
    Case(
      testDescription: "MTP-3 sequential", objectives: heads(3, top: false), weights: [1, 0.5, 0.25],
      multiToken: .sequential),
    Case(
      testDescription: "MTP-2 parallel and TOP, tied", blocks: 3, isTied: true, objectives: heads(2, top: true),
      weights: [1, 0.5, 2], chunk: 5, multiToken: .parallel),
    Case(
      testDescription: "MTP-3 sequential and TOP, tied", isTied: true, objectives: heads(3, top: true),
      weights: [1, 0.5, 0.3, 2], chunk: 5, multiToken: .sequential),
    Case(
      testDescription: "MTP-4 sequential with masks and documents, one thread", context: 9,
      objectives: heads(4, top: false), weights: [1, 1, 1, 1], threads: 1, masked: true, multiToken: .sequential),
    Case(testDescription: "gpt2", kind: .gpt2),
    Case(
      testDescription: "gpt2 tied, grouped keys of odd width, masks", width: 12, heads: 4, keyValueHeads: 2, context: 9,
      isTied: true, chunk: 3, masked: true, kind: .gpt2),
    Case(
      testDescription: "gpt2 in sixteens", vocabulary: 32, width: 32, heads: 2, inner: 48, context: 16,
      objectives: [.nextToken(NextToken())], weights: [1], threads: 3, kind: .gpt2),
    Case(
      testDescription: "gpt2, MTP-3 parallel and TOP", blocks: 2, isTied: true, objectives: heads(3, top: true),
      weights: [1, 0.5, 0.3, 2], multiToken: .parallel, kind: .gpt2),
    Case(
      testDescription: "gpt2, MTP-3 sequential and TOP", objectives: heads(3, top: true), weights: [1, 0.5, 0.3, 2],
      multiToken: .sequential, kind: .gpt2),
    Case(testDescription: "normed queries and keys", width: 24, heads: 4, keyValueHeads: 2, hasHeadNorms: true),
    Case(
      testDescription: "normed queries and keys, MTP-2 sequential", width: 32, heads: 2, keyValueHeads: 1, context: 16,
      objectives: heads(2, top: false), weights: [1, 1], threads: 1, multiToken: .sequential, hasHeadNorms: true),
    Case(testDescription: "heads wider than their share", ownHeadWidth: 10),
    Case(
      testDescription: "narrow heads that do not divide the width, normed, grouped, computed again", width: 14,
      heads: 4,
      keyValueHeads: 2, hasHeadNorms: true, recomputesBlocks: true, ownHeadWidth: 2),
    Case(
      testDescription: "wide normed heads, documents, dropout, MTP-2 sequential", width: 16, heads: 3, keyValueHeads: 1,
      context: 9, objectives: heads(2, top: true), weights: [1, 1, 1], masked: true, multiToken: .sequential,
      hasHeadNorms: true, dropout: 0.2, ownHeadWidth: 16),
    Case(testDescription: "dropout", dropout: 0.3),
    Case(
      testDescription: "gpt2 with dropout, MTP-3 sequential, computed again", objectives: heads(3, top: true),
      weights: [1, 0.5, 0.3, 2], multiToken: .sequential, kind: .gpt2, dropout: 0.2, recomputesBlocks: true),
    Case(
      testDescription: "dropout, MTP-3 parallel, computed again", objectives: heads(3, top: false),
      weights: [1, 0.5, 0.3], threads: 1, multiToken: .parallel, dropout: 0.2, recomputesBlocks: true),
    Case(
      testDescription: "parallel heads for 1, 2 and 4",
      objectives: [.nextToken(NextToken()), .nextToken(NextToken(distance: 2)), .nextToken(NextToken(distance: 4))],
      weights: [1, 0.5, 1], multiToken: .parallel),
    Case(
      testDescription: "MTP-2 parallel with masks and documents", context: 9, objectives: heads(2, top: true),
      weights: [1, 1, 1], masked: true, multiToken: .parallel),
    Case(
      testDescription: "memory",
      memory: MemorySize(keys: 7, keyWidth: 6, top: 5, candidates: 4, valueWidth: 6, preWidth: 3)),
    Case(
      testDescription: "memory of two heads, product keys and plain values, MTP-3 sequential, documents, dropout",
      context: 9, objectives: heads(3, top: true), weights: [1, 0.5, 0.3, 2], masked: true, multiToken: .sequential,
      dropout: 0.2,
      memory: MemorySize(
        keys: 5, keyWidth: 5, top: 4, candidates: 3, heads: 2, cores: 0, rank: 1, valueWidth: 7, preWidth: 0)),
    Case(
      testDescription: "gpt2 with memory in some blocks, rank 3, all keys candidates, MTP-3 parallel", blocks: 3,
      objectives: heads(3, top: false), weights: [1, 0.5, 0.3], multiToken: .parallel, kind: .gpt2,
      memory: MemorySize(
        keys: 3, keyWidth: 17, top: 9, candidates: 3, cores: 1, rank: 3, valueWidth: 20, preWidth: 4, blocks: [1, 2, 4])
    ),
    Case(
      testDescription: "memory of two heads, dropout, computed again", dropout: 0.2, recomputesBlocks: true,
      memory: MemorySize(
        keys: 20, keyWidth: 16, top: 8, candidates: 5, heads: 2, cores: 2, rank: 2, valueWidth: 32, preWidth: 16)),
  ]

  var configuration: Configuration {
    Configuration(
      NetworkSize(
        kind: kind, vocabulary: vocabulary, blocks: blocks, width: width, heads: heads, keyValueHeads: keyValueHeads,
        ownHeadWidth: ownHeadWidth, inner: inner, context: context, isTied: isTied, hasHeadNorms: hasHeadNorms,
        memory: memory),
      epsilon: kind == .gpt2 ? 1e-5 : 1e-6, dropout: dropout, recomputesBlocks: recomputesBlocks,
      objectives: objectives, multiToken: multiToken)
  }
}

extension Case {
  /// The gradients of a network with certain weights on these rows, by tensor.
  func gradients(on data: Rows, threads: Int) throws -> [String: [Float]] {
    let model = try Transformer(configuration, rows: rows, precision: .fp32, threads: threads)
    model.shake(3)
    _ = model.learn(data, weights: weights)
    return model.tensors(model.parameters.gradients)
  }
}

/// Rows of random tokens with look-ahead, owned.
struct Rows {
  var tokens: [Int32]
  var documents: [Int32]?
  var mask: [UInt8]?
  let rows: Int
  let context: Int
  let stride: Int

  init(_ c: Case, seed: UInt64, lookahead: Int = 6) {
    var dice = Dice(seed)
    rows = c.rows
    context = c.context
    stride = c.context + lookahead
    tokens = dice.tokens(rows * stride, below: c.vocabulary)
    // The text of the last row ends with its positions.
    for i in (rows - 1) * stride + context..<rows * stride { tokens[i] = -1 }
    if c.masked {
      documents = tokens.indices.map { Int32($0 % stride / c.documentLength) }
      mask = tokens.indices.map { $0 % 3 == 0 ? 0 : 1 }
    }
  }

  func view<Result>(_ body: (TokenRows) throws -> Result) rethrows -> Result {
    try tokens.withUnsafeBufferPointer { tokens in
      try (documents ?? []).withUnsafeBufferPointer { d in
        try (mask ?? []).withUnsafeBufferPointer { m in
          try body(
            TokenRows(
              tokens: tokens.baseAddress!, rows: rows, context: context, stride: stride,
              documents: documents == nil ? nil : d.baseAddress, mask: mask == nil ? nil : m.baseAddress))
        }
      }
    }
  }
}

extension Transformer {
  /// Tensors by name.
  func tensors(_ base: UnsafeMutablePointer<Float>) -> [String: [Float]] {
    var tables = 0
    return Dictionary(
      uniqueKeysWithValues: parameters.layout.tensors.map { tensor in
        // The gradients of tables are never stored.
        if tensor.description.role == .memoryTable, parameters.isTrained, base == parameters.gradients {
          defer { tables += 1 }
          return (tensor.path, parameters.tableGradient(tables))
        }
        return (tensor.path, Array(UnsafeBufferPointer(start: base + tensor.offset, count: tensor.count)))
      })
  }

  /// Weights large enough that every part of the network matters.
  func shake(_ seed: UInt64) {
    var dice = Dice(seed)
    for tensor in parameters.layout.tensors {
      for i in 0..<tensor.count {
        parameters.weights[tensor.offset + i] =
          tensor.start == .ones ? Float.random(in: 0.5...1.5, using: &dice) : Float.random(in: -0.6...0.6, using: &dice)
      }
    }
    parameters.roundOperands(threads: threads)
  }

  /// Means of the losses, and their weighted sum's gradients in the parameters.
  func learn(_ rows: Rows, weights: [Float], noise: RandomStream? = nil) -> [LossSum] {
    rows.view { batch in
      var counts = [Int](repeating: 0, count: weights.count)
      var losses = [LossSum](repeating: LossSum(), count: weights.count)
      countPositions(batch, into: &counts)
      forward(batch, noise: noise)
      heads(batch, weights: weights, denominators: counts, accumulates: false, noise: noise, into: &losses)
      backward(batch, accumulates: false, noise: noise)
      return losses
    }
  }
}

/// The masks of one pass, held still: read off a matrix of ones.
struct Masks {
  private var values: [String: (columns: Int, values: [Float])] = [:]
  private let context: Int
  private let heads: Int

  init(_ c: Case, _ noise: RandomStream) {
    context = c.context
    heads = c.heads
    func fill(_ place: ReferenceModel.Place, _ stream: UInt64, rows: Int, columns: Int) {
      var ones = [Float](repeating: 1, count: rows * columns)
      ones.withUnsafeMutableBufferPointer {
        Dropout(rate: c.dropout, random: noise.branch(stream)).apply(
          Matrix($0.baseAddress!, rows: rows, columns: columns), threads: 1)
      }
      values["\(place)"] = (columns, ones)
    }
    let positions = c.rows * c.context
    for depth in 0..<UInt64(4) {
      fill(.embeddings(depth: Int(depth)), UInt64.max - depth, rows: positions, columns: c.width)
    }
    for block in 0..<c.blocks + c.objectives.count {
      let first = UInt64(block) * 4
      fill(.weights(block: block), first, rows: positions * c.heads, columns: c.context)
      fill(.attention(block: block), first + 1, rows: positions, columns: c.width)
      fill(.mlp(block: block), first + 2, rows: positions, columns: c.width)
    }
  }

  func value(_ batchRow: Int, _ place: ReferenceModel.Place, _ row: Int, _ column: Int) -> Double {
    let (columns, values) = values["\(place)"]!
    let first = if case .weights = place { batchRow * heads * context } else { batchRow * context }
    return Double(values[(first + row) * columns + column])
  }
}

/// Leaves a case out, for all to see, where this processor cannot compute in its precision.
func requireHere(_ precision: Precision) throws {
  if precision == .bf16 && !Machine.hasBF16 { try Test.cancel("this processor has no bf16") }
}

@Suite struct TransformerTests {
  /// Σ weight × mean loss, in Double.
  static func loss(
    _ c: Case, _ rows: Rows, _ tensors: [String: [Double]], masks: Masks? = nil
  ) -> Double {
    var model = ReferenceModel(
      heads: c.heads, keyValueHeads: c.keyValueHeads, blocks: c.blocks, theta: 10_000, width: c.width, inner: c.inner,
      tensors: tensors)
    model.isGPT2 = c.kind == .gpt2
    model.hasHeadNorms = c.hasHeadNorms
    if c.ownHeadWidth > 0 { model.ownHeadWidth = c.ownHeadWidth }
    model.memory = c.memory.map { size in
      (
        ReferenceMemory(
          keys: size.keys, keyWidth: size.keyWidth, top: size.top, candidates: size.candidates, heads: size.heads,
          cores: size.cores, rank: size.rank, valueWidth: size.valueWidth, preWidth: size.preWidth), size.blocks
      )
    }
    var total = 0.0
    for (index, objective) in c.objectives.enumerated() {
      var (sum, count) = (0.0, 0)
      for row in 0..<rows.rows {
        let tokens = Array(rows.tokens[row * rows.stride..<(row + 1) * rows.stride])
        if let masks { model.mask = { masks.value(row, $0, $1, $2) } }
        let documents = rows.documents.map { Array($0[row * rows.stride..<(row + 1) * rows.stride]) }
        model.documents = documents
        let kind: ReferenceModel.MultiToken? = c.multiToken.map { $0 == .parallel ? .parallel : .sequential }
        let (name, depth) =
          if case .nextToken = objective { ("lm_head", index) } else { ("top_head", 0) }
        let logits = model.logits(
          tokens, context: c.context, unembedding: name, depth: depth, multiToken: kind)
        for t in 0..<c.context {
          if let mask = rows.mask, mask[row * rows.stride + t] == 0 { continue }
          var targets: [(token: Int, weight: Double)]
          switch objective {
          case .nextToken(let next):
            targets = Reference.token(tokens, at: t, ahead: next.distance, documents: documents)
          case .tokenOrder(let order):
            targets = Reference.tokenOrder(tokens, at: t, window: order.window, documents: documents)
          }
          if targets.isEmpty { continue }
          sum += Reference.crossEntropy(logits[t], targets)
          count += 1
        }
      }
      if count > 0 { total += Double(c.weights[index]) * sum / Double(count) }
    }
    return total
  }

  @Test(arguments: Case.all)
  func `its losses are its twin's and its gradients their slopes`(c: Case) throws {
    let model = try Transformer(
      c.configuration, rows: c.rows, precision: .fp32, threads: c.threads, chunk: c.chunk)
    model.shake(3)
    let rows = Rows(c, seed: 4)
    let noise = c.dropout > 0 ? RandomStream(seed: 1, purpose: "test") : nil
    let masks = noise.map { Masks(c, $0) }
    let losses = model.learn(rows, weights: c.weights, noise: noise)
    let total = zip(losses, c.weights).reduce(0.0) {
      $0 + ($1.0.positions > 0 ? $1.0.loss / Double($1.0.positions) * Double($1.1) : 0)
    }
    let tensors = model.tensors(model.parameters.weights).mapValues(\.doubles)
    let expected = Self.loss(c, rows, tensors, masks: masks)
    #expect(abs(total - expected) < 1e-5 * (1 + expected), "loss \(total), twin \(expected)")

    let gradients = model.tensors(model.parameters.gradients)
    var dice = Dice(5)
    for (path, gradient) in gradients.sorted(by: { $0.key < $1.key }) {
      // What fp32 rounds off a large gradient is seen in a small one beside it.
      let rounding = 2e-6 + 4e-5 * Double(gradient.map(abs).max() ?? 0)
      for _ in 0..<(Trial.isFull ? 4 : 2) {
        let i = Int.random(in: gradient.indices, using: &dice)
        let slope = slope(
          of: { values in
            var changed = tensors
            changed[path] = values
            return Self.loss(c, rows, changed, masks: masks)
          }, at: tensors[path]!, i)
        #expect(
          abs(Double(gradient[i]) - slope) < rounding, "\(path)[\(i)]: \(gradient[i]), slope \(slope)")
      }
    }
  }

  @Test(arguments: Case.all, [Precision.fp32, .bf16])
  func `computing blocks again changes no bit, and its activations take less`(of shape: Case, precision: Precision)
    throws
  {
    try requireHere(precision)
    var c = shape
    c.blocks = 4
    c.rows = 3
    let rows = Rows(c, seed: 4)
    let noise = c.dropout > 0 ? RandomStream(seed: 1, purpose: "test") : nil
    var memory: [Int] = []
    let results = try [false, true].map { again in
      c.recomputesBlocks = again
      let plan = try NetworkPlan(
        c.configuration, rows: c.rows, precision: precision, threads: c.threads, chunk: c.chunk)
      memory.append(plan.memory.first { $0.part == .activations }!.bytes)
      let model = try Transformer(
        c.configuration, rows: c.rows, precision: precision, threads: c.threads, chunk: c.chunk)
      model.shake(3)
      return (losses: model.learn(rows, weights: c.weights, noise: noise), model.tensors(model.parameters.gradients))
    }
    #expect(results[0].losses == results[1].losses)
    for (path, gradient) in results[0].1 { #expect(results[1].1[path]! == gradient, "\(path)") }
    #expect(memory[1] < memory[0] * 2 / 3, "\(memory)")
  }

  @Test func `dropout is off where no noise is given, and another pass drops others`() throws {
    let c = Case(testDescription: "", dropout: 0.5)
    var without = c
    without.dropout = 0
    let rows = Rows(c, seed: 4)
    func losses(_ c: Case, _ noise: RandomStream?) throws -> [LossSum] {
      let model = try Transformer(c.configuration, rows: c.rows, precision: .fp32, threads: 2)
      model.shake(3)
      return model.learn(rows, weights: c.weights, noise: noise)
    }
    let noise = RandomStream(seed: 1, purpose: "test")
    #expect(try losses(c, nil) == losses(without, nil))
    #expect(try losses(without, noise) == losses(without, nil))
    #expect(try losses(c, noise) == losses(c, noise))
    #expect(try losses(c, noise) != losses(c, noise.branch(1)))
    #expect(try losses(c, noise) != losses(c, nil))
  }

  @Test func `branches begin smaller where asked, norms at 1 and biases at 0`() throws {
    let c = Case(testDescription: "", width: 64, inner: 128, kind: .gpt2)
    let model = try Transformer(c.configuration, rows: 1, precision: .fp32, threads: 2)
    model.parameters.initialize(seed: 1, deviation: 0.02, residualScale: 0.5, threads: 2)
    for (path, values) in model.tensors(model.parameters.weights) {
      let deviation = (values.reduce(0) { $0 + $1 * $1 } / Float(values.count)).squareRoot()
      switch path {
      case _ where path.hasSuffix("/bias"): #expect(values.allSatisfy { $0 == 0 }, "\(path)")
      case _ where path.contains("ln_"): #expect(values.allSatisfy { $0 == 1 }, "\(path)")
      case _ where path.contains("c_proj"): #expect(abs(deviation - 0.01) < 0.001, "\(path) \(deviation)")
      default: #expect(abs(deviation - 0.02) < 0.003, "\(path) \(deviation)")
      }
    }
  }

  @Test(arguments: [nil, MultiToken.parallel, .sequential])
  func `two micro-batches add up to one batch`(multiToken: MultiToken?) throws {
    let objectives = Case.heads(multiToken == nil ? 1 : 3, top: true)
    var c = Case(
      testDescription: "", objectives: objectives, weights: objectives.map { _ in 0.5 }, rows: 4, masked: true,
      multiToken: multiToken)
    let whole = try Transformer(c.configuration, rows: 4, precision: .fp32, threads: 2)
    whole.shake(3)
    let rows = Rows(c, seed: 4)
    let losses = whole.learn(rows, weights: c.weights)
    c.rows = 2
    let half = try Transformer(c.configuration, rows: 2, precision: .fp32, threads: 2)
    half.shake(3)
    var sums = objectives.map { _ in LossSum() }
    rows.view { batch in
      let parts = [batch.rows(0, count: 2), batch.rows(2, count: 2)]
      var denominators = objectives.map { _ in 0 }
      for part in parts { half.countPositions(part, into: &denominators) }
      for (index, part) in parts.enumerated() {
        half.forward(part)
        half.heads(part, weights: c.weights, denominators: denominators, accumulates: index > 0, into: &sums)
        half.backward(part, accumulates: index > 0)
      }
    }
    for head in losses.indices {
      #expect(abs(losses[head].loss - sums[head].loss) < 1e-5)
      #expect(losses[head].positions == sums[head].positions)
    }
    let (a, b) = (whole.tensors(whole.parameters.gradients), half.tensors(half.parameters.gradients))
    for (path, gradient) in a { #expect(largestError(b[path]!, gradient.doubles) < 1e-6, "\(path)") }
  }

  @Test func `the size of a chunk changes nothing but rounding`() throws {
    let c = Case(testDescription: "", context: 40, rows: 3)
    let rows = Rows(c, seed: 6)
    let gradients = try [1, 7, 64, 120].map { chunk in
      let model = try Transformer(c.configuration, rows: c.rows, precision: .fp32, threads: 2, chunk: chunk)
      model.shake(3)
      _ = model.learn(rows, weights: c.weights)
      return model.tensors(model.parameters.gradients)
    }
    for other in gradients.dropFirst() {
      for (path, gradient) in gradients[0] { #expect(largestError(other[path]!, gradient.doubles) < 1e-6, "\(path)") }
    }
  }

  @Test func `the same network gives the same bits again, and nearly those on one thread`() throws {
    let c = Case(testDescription: "", width: 32, heads: 2, context: 200, rows: 3)
    let rows = Rows(c, seed: 7)
    let first = try c.gradients(on: rows, threads: 2)
    #expect(try c.gradients(on: rows, threads: 2) == first)
    let single = try c.gradients(on: rows, threads: 1)
    for (path, gradient) in first { #expect(largestError(single[path]!, gradient.doubles) < 1e-5, "\(path)") }
  }

  static let longContexts = [
    Case(
      testDescription: "several tiles", vocabulary: 20, blocks: 1, width: 8, keyValueHeads: 1, inner: 8, context: 300,
      objectives: [.nextToken(NextToken())], weights: [1], rows: 1),
    Case(
      testDescription: "more than a block of keys", vocabulary: 7, blocks: 1, width: 8, inner: 8, context: 530,
      objectives: [.nextToken(NextToken())], weights: [1], rows: 1),
    Case(
      testDescription: "more than a block of keys, documents and dropout", vocabulary: 7, blocks: 1, width: 8, heads: 1,
      keyValueHeads: 1, inner: 8, context: 530, objectives: [.nextToken(NextToken())], weights: [1], rows: 1,
      threads: 1, masked: true, documentLength: 517, dropout: 0.2),
  ]

  @Test(arguments: longContexts)
  func `attention over several tiles and blocks is its twin's`(c: Case) throws {
    let model = try Transformer(c.configuration, rows: 1, precision: .fp32, threads: c.threads)
    model.shake(8)
    let rows = Rows(c, seed: 9)
    let noise = c.dropout > 0 ? RandomStream(seed: 1, purpose: "test") : nil
    let masks = noise.map { Masks(c, $0) }
    let losses = model.learn(rows, weights: [1], noise: noise)
    let tensors = model.tensors(model.parameters.weights).mapValues(\.doubles)
    #expect(abs(losses[0].loss / Double(losses[0].positions) - Self.loss(c, rows, tensors, masks: masks)) < 1e-5)
    let gradients = model.tensors(model.parameters.gradients)
    // The twin is slow on long rows.
    for path in (c.context < 512 ? ["q_proj", "k_proj", "v_proj"] : ["k_proj"]).map({
      "model/layers/0/self_attn/\($0)/weight"
    }) {
      let slope = slope(
        of: { values in
          var changed = tensors
          changed[path] = values
          return Self.loss(c, rows, changed, masks: masks)
        }, at: tensors[path]!, 5)
      let rounding = 2e-6 + 4e-5 * Double(gradients[path]!.map(abs).max()!)
      #expect(abs(Double(gradients[path]![5]) - slope) < rounding, "\(path): \(gradients[path]![5]), slope \(slope)")
    }
  }

  static let inBothPrecisions = [
    Case(testDescription: "short", vocabulary: 50, width: 64, inner: 64, context: 40, rows: 3),
    Case(
      testDescription: "grouped keys, several tiles, the last one odd", vocabulary: 50, width: 64, heads: 4,
      keyValueHeads: 2, inner: 64, context: 151),
    Case(
      testDescription: "heads of odd width, documents and dropout", vocabulary: 50, width: 66, heads: 2, inner: 64,
      context: 90, masked: true, documentLength: 70, kind: .gpt2, dropout: 0.1),
    Case(
      testDescription: "normed heads wider than their share, several tiles", vocabulary: 50, width: 64, heads: 4,
      keyValueHeads: 2, inner: 64, context: 151, hasHeadNorms: true, ownHeadWidth: 48),
    Case(
      testDescription: "more than a block of keys, wide heads", vocabulary: 50, blocks: 1, width: 160, heads: 1,
      keyValueHeads: 1, inner: 64, context: 530, rows: 1),
  ]

  @Test(.enabled(if: Machine.hasBF16, "this processor has no bf16"), arguments: inBothPrecisions)
  func `bf16 stays near fp32`(c: Case) throws {
    let rows = Rows(c, seed: 10)
    let noise = c.dropout > 0 ? RandomStream(seed: 1, purpose: "test") : nil
    let results = try [Precision.fp32, .bf16].map { precision in
      let model = try Transformer(c.configuration, rows: c.rows, precision: precision, threads: 2, chunk: 50)
      model.parameters.initialize(seed: 1, deviation: 0.1, threads: 2)
      let losses = model.learn(rows, weights: c.weights, noise: noise)
      return (losses: losses, gradients: model.tensors(model.parameters.gradients))
    }
    for head in 0..<2 {
      let (a, b) = (results[0].losses[head].loss, results[1].losses[head].loss)
      #expect(abs(a - b) < 0.01 * a)
    }
    for (path, exact) in results[0].gradients {
      let near = results[1].gradients[path]!
      let difference = zip(exact, near).reduce(0.0) { $0 + pow(Double($1.0 - $1.1), 2) }.squareRoot()
      let size = exact.reduce(0.0) { $0 + pow(Double($1), 2) }.squareRoot()
      #expect(difference < 0.03 * size, "\(path): \(difference) of \(size)")
    }
  }

  @Test(arguments: [(10, 3, 3, 8), (6, 2, 2, 8), (12, 4, 3, 8), (12, 2, 2, 0)])
  func `a shape that does not work out is refused with its numbers`(shape: (Int, Int, Int, Int)) {
    var c = Case(testDescription: "")
    (c.width, c.heads, c.keyValueHeads, c.inner) = shape
    #expect(throws: TransformerError.self) {
      _ = try Transformer(c.configuration, rows: 1, precision: .fp32, threads: 1)
    }
  }
}
