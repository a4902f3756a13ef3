// A shard's way through the heads. Parallel MTP heads are run one after the other, so that one head's activations live at a
// time; sequential ones go forward in a chain and backward along it.
import Kernels

/// What all heads of a pass need.
struct HeadPass {
  /// nil computes no gradient.
  let factors: LossFactors?
  /// At which positions of the micro-batch rankings are looked at, where nothing is learned.
  let ranking: [Bool]?
  /// Whether gradients are added to what is there: every micro-batch but the first.
  let accumulates: Bool
  let noise: RandomStream?
  /// Of training; nil where losses are only measured.
  let stage: TargetStage?
  /// Whether the first head's predictions are looked at (`HeadOutputs`), where nothing is learned.
  var measuresOutputs = false
}

extension Shard {
  /// The rounded twin of the stream's gradient; in fp32 the gradient itself is the operand.
  private var rounded: Matrix? { precision == .bf16 ? operand(arena[places.stream.dxOperand]) : nil }

  /// The heads on the trunk's own hidden states, and the gradient at the stream below them.
  func predict(_ batch: TokenRows, _ pass: HeadPass) {
    fillTargets(batch, stage: pass.stage)
    for head in sums.indices { sums[head] = LossSum() }
    let accumulates = pass.factors != nil && begin(layout.headSection, accumulates: pass.accumulates)
    predict(0, hidden: arena[places.hidden], dHidden: arena[places.dHidden], pass, accumulates: accumulates)
    predictJointly(batch, pass, accumulates: accumulates)
    // Sequential heads first add to the gradient at the hidden states' stream.
    if pass.factors != nil, configuration.multiToken != .sequential { backwardFinalNorm(addsTo: false) }
  }

  /// One stream's objectives.
  private func predict(
    _ stream: Int, hidden: UnsafeMutableRawPointer, dHidden: UnsafeMutableRawPointer, _ pass: HeadPass,
    accumulates: Bool
  ) {
    predict(
      streams[stream], isTrunk: stream == 0, hidden: hidden, dHidden: dHidden, pass, accumulates: accumulates)
  }

  /// The losses of some objectives on the same hidden states, and where something is learned the gradient at them.
  /// - Parameters:
  ///   - isTrunk: whether these are the trunk's, with all their unembeddings; else there is one objective, with NTP's.
  ///   - hidden: E [M, d].
  ///   - dHidden: E [M, d], written.
  ///   - accumulates: whether the unembeddings' gradients are added to what is there.
  func predict(
    _ objectives: [Int], isTrunk: Bool, hidden: UnsafeMutableRawPointer, dHidden: UnsafeMutableRawPointer,
    _ pass: HeadPass, accumulates: Bool
  ) {
    let first = rows.lowerBound * configuration.context
    let ranking = pass.ranking.flatMap { isRanked in
      objectives.first { configuration.objectives[$0].ranks }.map {
        (objective: $0, positions: Array(isRanked[first..<first + positions]))
      }
    }
    let measured = pass.measuresOutputs && isTrunk
    if measured && outputs == nil { outputs = HeadOutputs(positions: positions) }
    if measured { outputs?.seconds = 0 }
    let place = UnsafeMutableRawPointer(arena[places.hits]).assumingMemoryBound(to: UInt8.self)
    (isTrunk ? predictionHeads : onePredictionHead).run(
      parameters(leaving: layout.headSection), objectives: objectives, hidden: hidden, targets: targets,
      entropy: entropy, losses: losses, shaped: shaped, stage: pass.stage,
      hits: place, firstHits: isTrunk && pass.factors == nil ? firstHits : nil, ranking: ranking,
      outputs: measured ? outputs : nil, factors: pass.factors, dHidden: dHidden, accumulates: accumulates,
      logits: arena.base + places.logits, into: &sums
    )
  }

  /// The squared norm of each head's gradient at the final hidden states that it reads, in `hiddenSquares`, after `forward`. The
  /// gradients of the heads' section are written over.
  /// - Parameters:
  ///   - weights: λ, one a head.
  ///   - denominators: positions of the whole batch that count, one a head.
  func squareHiddenGradients(_ batch: TokenRows, weights: [Float], denominators: [Int], stage: TargetStage?) {
    fillTargets(batch, stage: stage)
    hiddenSquares = weights.map { _ in 0 }
    /// Heads that share a gradient: all but one have no weight.
    func pass(of objective: Int) -> HeadPass {
      let factors = LossFactors(
        weights: weights.indices.map { $0 == objective ? weights[$0] : 0 }, denominators: denominators)
      for head in sums.indices { sums[head] = LossSum() }
      return HeadPass(factors: factors, ranking: nil, accumulates: false, noise: nil, stage: stage)
    }
    func square(_ objective: Int, stream: Int, hidden: UnsafeMutableRawPointer, dHidden: UnsafeMutableRawPointer) {
      predict(stream, hidden: hidden, dHidden: dHidden, pass(of: objective), accumulates: false)
      keepSquare(objective, of: dHidden)
    }
    func keepSquare(_ objective: Int, of dHidden: UnsafeMutableRawPointer) {
      hiddenSquares[objective] = (0..<positions).reduce(0) { sum, position in
        self.hidden(at: dHidden, position: position).reduce(sum) { $0 + Double($1) * Double($1) }
      }
    }
    for objective in streams[0] {
      square(objective, stream: 0, hidden: arena[places.hidden], dHidden: arena[places.dHidden])
    }
    for objective in configuration.joint?.heads ?? [] {
      let dHidden = arena[places.dHidden]
      dHidden.initializeMemory(
        as: UInt8.self, repeating: 0, count: positions * configuration.width * precision.bytes)
      predictJointly(batch, pass(of: objective), accumulates: false)
      keepSquare(objective, of: dHidden)
    }
    for index in furtherHeads.indices {
      readFurther(index, batch)
      for objective in streams[index + 1] {
        square(
          objective, stream: index + 1, hidden: arena[furtherHeads[index].places.hidden],
          dHidden: arena[places.furtherShared.dHidden])
      }
    }
  }

  /// Through the final norm of the trunk's own stream.
  func backwardFinalNorm(addsTo: Bool) {
    backwardFinalNorm(
      arena[places.dHidden], x: arena[places.final], scale: arena[places.finalScale], addsTo: addsTo)
  }

  private func backwardFinalNorm(
    _ dHidden: UnsafeMutableRawPointer, x: UnsafeMutablePointer<Float>, scale: UnsafePointer<Float>, addsTo: Bool
  ) {
    finalNorm.backward(
      parameters(leaving: layout.headSection), operand(dHidden), x: stream(x), statistics: scale,
      dx: stream(arena[places.stream.dx]), addsTo: addsTo, operand: rounded, partial: arena[places.stream.partial])
  }

  /// After a head's block: its stream and its hidden states.
  private func forwardFinalNorm(_ head: FurtherHead) {
    finalNorm.forward(
      parameters, stream(arena[head.block.output]), adding: operand(arena[places.stream.delta]),
      sum: stream(arena[head.places.stream]), y: operand(arena[head.places.hidden]),
      statistics: arena[head.places.finalScale])
  }

  /// One head's loss on its own hidden states, and where something is learned the gradient at its stream.
  private func predictFurther(_ index: Int, _ pass: HeadPass, addsTo: Bool) {
    let own = furtherHeads[index].places
    let dHidden = arena[places.furtherShared.dHidden]
    predict(index + 1, hidden: arena[own.hidden], dHidden: dHidden, pass, accumulates: true)
    guard pass.factors != nil else { return }
    backwardFinalNorm(dHidden, x: arena[own.stream], scale: arena[own.finalScale], addsTo: addsTo)
  }

  /// One head's hidden states, after the trunk's.
  func readFurther(_ index: Int, _ batch: TokenRows) {
    guard configuration.multiToken == .parallel else { return forwardSequential(index, batch, nil) }
    let head = furtherHeads[index]
    head.block.forward(pass(parameters, batch, nil), x: arena[blocks[blocks.count - 1].input], adding: false)
    forwardFinalNorm(head)
  }

  /// What `readFurther` left at a position of the shard.
  func furtherHidden(_ index: Int, position: Int) -> [Float] {
    hidden(at: arena[furtherHeads[index].places.hidden], position: position)
  }

  // MARK: Parallel

  /// Puts aside the gradient at the trunk, to which the heads beside its last block add theirs.
  func carryGradient() {
    arena[places.furtherShared.carried].update(
      from: arena[places.stream.dx], count: positions * configuration.width)
  }

  /// One parallel head, there and, where something is learned, back.
  func runParallel(_ index: Int, _ batch: TokenRows, _ pass: HeadPass) {
    let section = layout.furtherSections[index]
    let head = furtherHeads[index]
    head.block.forward(
      self.pass(parameters, batch, pass.noise), x: arena[blocks[blocks.count - 1].input], adding: false)
    forwardFinalNorm(head)
    predictFurther(index, pass, addsTo: false)
    guard pass.factors != nil else { return }
    let accumulates = begin(section, accumulates: pass.accumulates)
    head.block.backward(
      self.pass(parameters(leaving: section), batch, pass.noise), accumulates: accumulates, recomputes: false)
    let isLast = index == furtherHeads.count - 1
    let (carried, dx) = (arena[places.furtherShared.carried], arena[places.stream.dx])
    StepPart.sums.measured(bytes: 12 * positions * configuration.width) {
      StreamSum.add(
        stream(carried), stream(dx), into: stream(isLast ? dx : carried), operand: isLast ? rounded : nil,
        threads: threads)
    }
  }

  // MARK: Sequential

  /// All sequential heads, there.
  func forwardSequential(_ batch: TokenRows, _ pass: HeadPass) {
    for index in furtherHeads.indices { forwardSequential(index, batch, pass.noise) }
  }

  /// One sequential head's loss, and its way back.
  func runSequential(_ index: Int, _ batch: TokenRows, _ pass: HeadPass) {
    let isDeepest = index == furtherHeads.count - 1
    predictFurther(index, pass, addsTo: !isDeepest)
    guard pass.factors != nil else { return }
    let accumulates = begin(layout.furtherSections[index], accumulates: pass.accumulates)
    backwardSequential(
      index, batch, accumulates: accumulates, noise: pass.noise,
      recomputes: configuration.recomputesBlocks && !isDeepest)
  }

  /// The stream that a sequential head reads: the one before it.
  private func before(_ index: Int) -> UnsafeMutablePointer<Float> {
    arena[index == 0 ? places.final : furtherHeads[index - 1].places.stream]
  }

  private func forwardSequential(_ index: Int, _ batch: TokenRows, _ noise: RandomStream?) {
    let head = furtherHeads[index]
    let own = head.places
    guard let joint = head.joint else { preconditionFailure("a sequential head has a projection") }
    let width = configuration.width
    let joined = operand(arena[own.joined], columns: 2 * width)
    let h = stream(before(index))
    joint.hiddenNorm.forward(
      parameters, h, adding: nil, sum: h, y: joined.columns(0, count: width), statistics: arena[own.hiddenScale])
    let embedded = stream(arena[own.embedded])
    StepPart.tables.measured(bytes: 8 * positions * width) {
      Embedding.forward(
        parameters.weights + layout.embedding, tokens: batch.tokens + index + 1, context: batch.context,
        stride: batch.stride, x: embedded, threads: threads)
    }
    embeddingDropout(depth: index + 1, noise)?.apply(embedded, threads: threads)
    joint.embeddingNorm.forward(
      parameters, embedded, adding: nil, sum: embedded, y: joined.columns(width, count: width),
      statistics: arena[own.embeddingScale])
    let x = arena[head.block.input]
    joint.projection.forward(parameters, x: joined.base, y: UnsafeMutableRawPointer(x))
    head.block.forward(pass(parameters, batch, noise), x: x, adding: false)
    forwardFinalNorm(head)
  }

  private func backwardSequential(
    _ index: Int, _ batch: TokenRows, accumulates: Bool, noise: RandomStream?, recomputes: Bool
  ) {
    let pass = pass(parameters(leaving: layout.furtherSections[index]), batch, noise)
    let head = furtherHeads[index]
    let own = head.places
    guard let joint = head.joint else { preconditionFailure("a sequential head has a projection") }
    let width = configuration.width
    head.block.backward(pass, accumulates: accumulates, recomputes: recomputes)
    let dx = arena[places.stream.dxOperand]
    let dJoined = operand(arena[places.furtherShared.dJoined], columns: 2 * width)
    joint.projection.backward(pass.parameters, dy: dx, x: arena[own.joined], dx: dJoined.base, accumulates: accumulates)
    joint.projection.backwardBias(pass.parameters, dy: dx, partial: pass.partial)
    joint.embeddingNorm.backward(
      pass.parameters, dJoined.columns(width, count: width), x: stream(arena[own.embedded]),
      statistics: arena[own.embeddingScale], dx: stream(arena[places.furtherShared.dEmbedded]), addsTo: false,
      operand: nil, partial: pass.partial)
    joint.hiddenNorm.backward(
      pass.parameters, dJoined.columns(0, count: width), x: stream(before(index)), statistics: arena[own.hiddenScale],
      dx: stream(arena[places.stream.dx]), addsTo: false, operand: nil, partial: pass.partial)
  }

  /// From the gradient at the embeddings that a sequential head took in to that of the table, which shards add to in turn.
  /// - Parameters:
  ///   - all: the network's parameters, with its own gradients.
  ///   - threads: those that share out this work.
  func backwardTable(_ index: Int, _ batch: TokenRows, noise: RandomStream?, into all: ParameterView, threads: Int) {
    let dEmbedded = stream(arena[places.furtherShared.dEmbedded])
    embeddingDropout(depth: index + 1, noise)?.apply(dEmbedded, threads: threads)
    backwardTable(dEmbedded, tokens: batch.tokens + index + 1, batch, into: all, threads: threads)
  }
}
