// The whole network against its Double twin: losses, and gradients against slopes.
import Foundation
import Kernels
import Run
import Support
import Testing
import Transformer

@Suite struct TransformerTests {
  /// Σ weight × mean loss, in Double.
  /// - Parameters:
  ///   - base: the tensors by which weights that depend on the prediction are computed: those of before a change.
  ///   - change: of the twin.
  static func loss(
    _ c: NetworkCase, _ rows: Rows, _ tensors: [String: [Double]], masks: Masks? = nil, base: [String: [Double]]? = nil,
    changing change: (inout ReferenceModel) -> Void = { _ in }
  ) -> Double {
    var model = twin(c, tensors)
    change(&model)
    var still = twin(c, base ?? tensors)
    let isShaped =
      c.stage != nil && c.objectives.contains { if case .nextToken(let next) = $0 { next.isShaped } else { false } }
    let kind: ReferenceModel.HeadArrangement? = c.multiToken.map { $0 == .parallel ? .parallel : .sequential }
    var sums = [Double](repeating: 0, count: c.objectives.count)
    var counts = [Int](repeating: 0, count: c.objectives.count)
    for row in 0..<rows.rows {
      let tokens = Array(rows.tokens[row * rows.stride..<(row + 1) * rows.stride])
      if let masks {
        model.mask = { masks.value(row, $0, $1, $2) }
        still.mask = model.mask
      }
      let documents = rows.documents.map { Array($0[row * rows.stride..<(row + 1) * rows.stride]) }
      (model.documents, still.documents) = (documents, documents)
      let hidden = model.hidden(tokens, context: c.context, depths: c.nextTokens, multiToken: kind)
      let stillHidden =
        isShaped ? still.hidden(tokens, context: c.context, depths: c.nextTokens, multiToken: kind) : []
      for (index, objective) in c.objectives.enumerated() {
        let (name, depth) =
          switch objective {
          case .nextToken: ("lm_head", index)
          case .tokenOrder: ("top_head", 0)
          case .discountedFuture: ("future_head", 0)
          case .bag: ("bag_head", 0)
          case .jointToken: ("lm_head", 0)
          }
        var states = hidden[depth]
        if case .jointToken(let joint) = objective {
          states = model.fetched(
            states, tokens, slots: c.joint, slot: joint.distance - 1, gamma: Double(joint.gamma),
            table: joint.learnsEmbeddings ? model : still)
        }
        let logits = model.logits(states, unembedding: name)
        var fixed: [[Double]]?
        if case .nextToken(let next) = objective, next.isShaped, c.stage != nil {
          fixed = still.logits(stillHidden[depth], unembedding: name)
        }
        for t in 0..<c.context {
          if let mask = rows.mask, mask[row * rows.stride + t] == 0 { continue }
          var targets: [(token: Int, weight: Double)]
          switch objective {
          case .nextToken(let next):
            targets = Reference.token(tokens, at: t, ahead: next.distance, documents: documents)
            if next.teacherTokens > 0, let stage = c.stage, !targets.isEmpty, let taught = rows.taught(row, t) {
              sums[index] += Reference.salted(logits[t], targets[0].token, taught, weight: Double(stage.teacher))
              counts[index] += 1
              continue
            }
            if let fixed, let stage = c.stage, !targets.isEmpty {
              targets = shaped(next, tokens, t, documents, stage, fixed[t])
            }
          case .tokenOrder(let order):
            targets = Reference.tokenOrder(tokens, at: t, window: order.window, documents: documents)
          case .discountedFuture(let future):
            targets = Reference.discounted(
              tokens, at: t, discount: Double(future.discount), context: c.context, documents: documents)
          case .bag(let bag):
            let tokens = Reference.bag(tokens, at: t, window: bag.window, documents: documents)
            if tokens.isEmpty { continue }
            sums[index] += Reference.presence(logits[t], tokens, window: bag.window)
            counts[index] += 1
            continue
          case .jointToken(let joint):
            targets = Reference.token(tokens, at: t, ahead: joint.distance, documents: documents)
          }
          if targets.isEmpty { continue }
          sums[index] += Reference.weighted(logits[t], targets)
          counts[index] += 1
        }
      }
    }
    return c.objectives.indices.reduce(0.0) {
      counts[$1] > 0 ? $0 + Double(c.weights[$1]) * sums[$1] / Double(counts[$1]) : $0
    }
  }

  private static func twin(_ c: NetworkCase, _ tensors: [String: [Double]]) -> ReferenceModel {
    var model = ReferenceModel(
      heads: c.heads, keyValueHeads: c.keyValueHeads, blocks: c.blocks, theta: 10_000, width: c.width, inner: c.inner,
      tensors: tensors)
    model.isGPT2 = c.kind == .gpt2
    model.hasHeadNorms = c.hasHeadNorms
    if c.ownHeadWidth > 0 { model.ownHeadWidth = c.ownHeadWidth }
    model.memory = c.memory.map { (ReferenceMemory($0), $0.blocks) }
    return model
  }

  /// The targets of NTP's head at a stage, weights by the prediction included.
  /// - Parameter z: the logits that those weights depend on.
  private static func shaped(
    _ next: NextToken, _ tokens: [Int32], _ t: Int, _ documents: [Int32]?, _ stage: TargetStage, _ z: [Double]
  ) -> [(token: Int, weight: Double)] {
    // Part i of n is that in which the weight of the (n − i)-th token falls.
    let n = next.ahead
    let ahead = (1...n).map { d -> Double in
      let left = d == 1 ? 1 : min(1, max(0, Double(n - d + 1) - stage.progress * Double(n)))
      return left * pow(0.5, Double(d - 1))
    }
    var list = Reference.tokensAhead(tokens, at: t, weights: ahead, documents: documents)
    let prefix = stage.prefixes.isEmpty ? -1 : Int(stage.prefixes[Int(tokens[t + 1])])
    let weight = Double(stage.prefix) * max(0, 1 - stage.progress * 1.5)
    if prefix >= 0, weight > 0 {
      if let place = list.firstIndex(where: { $0.token == prefix }) {
        list[place].weight += weight
      } else {
        list.append((prefix, weight))
      }
    }
    if stage.isMean {
      let sum = list.reduce(0) { $0 + $1.weight }
      list = list.map { ($0.token, $0.weight / sum) }
    }
    let shape = stage.shape
    return Reference.shapedWeights(
      z, list, beta: Double(shape.beta), head: Double(shape.head), tail: Double(shape.tail),
      likeliest: shape.likeliest
    ).enumerated().map { ($0.offset, $0.element) }
  }

  @Test(arguments: NetworkCase.all)
  func `its losses are its twin's and its gradients their slopes`(c: NetworkCase) throws {
    let model = try Transformer(
      NetworkPlan(
        c.configuration, rows: c.rows, precision: .fp32, threads: c.threads, chunk: c.chunk))
    model.shake(3)
    let rows = Rows(c, seed: 4)
    let noise = c.dropout > 0 ? RandomStream(seed: 1, purpose: "test") : nil
    let masks = noise.map { Masks(c, $0) }
    let losses = model.learn(rows, weights: c.weights, noise: noise, stage: c.stage)
    let total = zip(losses, c.weights).reduce(0.0) {
      $0 + ($1.0.positions > 0 ? ($1.0.trained ?? $1.0.loss) / Double($1.0.positions) * Double($1.1) : 0)
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
            return Self.loss(c, rows, changed, masks: masks, base: tensors)
          }, at: tensors[path]!, i)
        #expect(
          abs(Double(gradient[i]) - slope) < rounding, "\(path)[\(i)]: \(gradient[i]), slope \(slope)")
      }
    }
  }

  @Test(arguments: NetworkCase.all, [Precision.fp32, .bf16])
  func `computing blocks again changes no bit, and its activations take less`(
    of shape: NetworkCase, precision: Precision
  )
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
        NetworkPlan(
          c.configuration, rows: c.rows, precision: precision, threads: c.threads, chunk: c.chunk))
      model.shake(3)
      return (
        losses: model.learn(rows, weights: c.weights, noise: noise, stage: c.stage),
        model.tensors(model.parameters.gradients)
      )
    }
    #expect(results[0].losses == results[1].losses)
    for (path, gradient) in results[0].1 { #expect(results[1].1[path]! == gradient, "\(path)") }
    #expect(memory[1] < memory[0] * 2 / 3, "\(memory)")
  }

  @Test func `dropout is off where no noise is given, and another pass drops others`() throws {
    let c = NetworkCase(testDescription: "", dropout: 0.5)
    var without = c
    without.dropout = 0
    let rows = Rows(c, seed: 4)
    func losses(_ c: NetworkCase, _ noise: RandomStream?) throws -> [LossSum] {
      let model = try Transformer(NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: 2))
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
    let c = NetworkCase(testDescription: "", width: 64, inner: 128, kind: .gpt2)
    let model = try Transformer(NetworkPlan(c.configuration, rows: 1, precision: .fp32, threads: 2))
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
    let objectives = NetworkCase.heads(multiToken == nil ? 1 : 3, top: true)
    var c = NetworkCase(
      testDescription: "", objectives: objectives, weights: objectives.map { _ in 0.5 }, rows: 4, masked: true,
      multiToken: multiToken)
    let whole = try Transformer(NetworkPlan(c.configuration, rows: 4, precision: .fp32, threads: 2))
    whole.shake(3)
    let rows = Rows(c, seed: 4)
    let losses = whole.learn(rows, weights: c.weights)
    c.rows = 2
    let half = try Transformer(NetworkPlan(c.configuration, rows: 2, precision: .fp32, threads: 2))
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
    let c = NetworkCase(testDescription: "", context: 40, rows: 3)
    let rows = Rows(c, seed: 6)
    let gradients = try [1, 7, 64, 120].map { chunk in
      let model = try Transformer(
        NetworkPlan(c.configuration, rows: c.rows, precision: .fp32, threads: 2, chunk: chunk))
      model.shake(3)
      _ = model.learn(rows, weights: c.weights)
      return model.tensors(model.parameters.gradients)
    }
    for other in gradients.dropFirst() {
      for (path, gradient) in gradients[0] { #expect(largestError(other[path]!, gradient.doubles) < 1e-6, "\(path)") }
    }
  }

  @Test func `the same network gives the same bits again, and nearly those on one thread`() throws {
    let c = NetworkCase(testDescription: "", width: 32, heads: 2, context: 200, rows: 3)
    let rows = Rows(c, seed: 7)
    let first = try c.gradients(on: rows, threads: 2)
    #expect(try c.gradients(on: rows, threads: 2) == first)
    let single = try c.gradients(on: rows, threads: 1)
    for (path, gradient) in first { #expect(largestError(single[path]!, gradient.doubles) < 1e-5, "\(path)") }
  }

  static let longContexts = [
    NetworkCase(
      testDescription: "several tiles", vocabulary: 20, blocks: 1, width: 8, keyValueHeads: 1, inner: 8, context: 300,
      objectives: [.nextToken(NextToken())], weights: [1], rows: 1),
    NetworkCase(
      testDescription: "more than a block of keys", vocabulary: 7, blocks: 1, width: 8, inner: 8, context: 530,
      objectives: [.nextToken(NextToken())], weights: [1], rows: 1),
    NetworkCase(
      testDescription: "more than a block of keys, documents and dropout", vocabulary: 7, blocks: 1, width: 8, heads: 1,
      keyValueHeads: 1, inner: 8, context: 530, objectives: [.nextToken(NextToken())], weights: [1], rows: 1,
      threads: 1, masked: true, documentLength: 517, dropout: 0.2),
  ]

  @Test(arguments: longContexts)
  func `attention over several tiles and blocks is its twin's`(c: NetworkCase) throws {
    let model = try Transformer(NetworkPlan(c.configuration, rows: 1, precision: .fp32, threads: c.threads))
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
    NetworkCase(testDescription: "short", vocabulary: 50, width: 64, inner: 64, context: 40, rows: 3),
    NetworkCase(
      testDescription: "grouped keys, several tiles, the last one odd", vocabulary: 50, width: 64, heads: 4,
      keyValueHeads: 2, inner: 64, context: 151),
    NetworkCase(
      testDescription: "heads of odd width, documents and dropout", vocabulary: 50, width: 66, heads: 2, inner: 64,
      context: 90, masked: true, documentLength: 70, kind: .gpt2, dropout: 0.1),
    NetworkCase(
      testDescription: "normed heads wider than their share, several tiles", vocabulary: 50, width: 64, heads: 4,
      keyValueHeads: 2, inner: 64, context: 151, hasHeadNorms: true, ownHeadWidth: 48),
    NetworkCase(
      testDescription: "more than a block of keys, wide heads", vocabulary: 50, blocks: 1, width: 160, heads: 1,
      keyValueHeads: 1, inner: 64, context: 530, rows: 1),
  ]

  @Test(.enabled(if: Machine.hasBF16, "this processor has no bf16"), arguments: inBothPrecisions)
  func `bf16 stays near fp32`(c: NetworkCase) throws {
    let rows = Rows(c, seed: 10)
    let noise = c.dropout > 0 ? RandomStream(seed: 1, purpose: "test") : nil
    let results = try [Precision.fp32, .bf16].map { precision in
      let model = try Transformer(
        NetworkPlan(c.configuration, rows: c.rows, precision: precision, threads: 2, chunk: 50))
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
    var c = NetworkCase(testDescription: "")
    (c.width, c.heads, c.keyValueHeads, c.inner) = shape
    #expect(throws: TransformerError.self) {
      _ = try Transformer(NetworkPlan(c.configuration, rows: 1, precision: .fp32, threads: 1))
    }
  }
}
