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
  let adds: Bool
  let noise: RandomStream?
}

extension Shard {
  /// The rounded twin of the stream's gradient; in fp32 the gradient itself is the operand.
  private var rounded: Matrix? { precision == .bf16 ? operand(activations.shared.dxOperand) : nil }

  /// The heads on the trunk's own hidden states, and the gradient at the stream below them.
  func predict(_ batch: TokenRows, _ pass: HeadPass) {
    fillTargets(batch)
    for head in sums.indices { sums[head] = LossSum() }
    let adds = pass.factors != nil && begin(plan.headSection, adds: pass.adds)
    predict(0, hidden: activations.hidden, dHidden: activations.dHidden, pass, adds: adds)
    // Sequential heads first add to the gradient at the hidden states' stream.
    if pass.factors != nil, configuration.multiToken != .sequential { backwardFinalNorm(addsTo: false) }
  }

  /// One stream's objectives.
  private func predict(
    _ stream: Int, hidden: UnsafeMutableRawPointer, dHidden: UnsafeMutableRawPointer, _ pass: HeadPass, adds: Bool
  ) {
    let objectives = streams[stream]
    let first = rows.lowerBound * configuration.context
    let ranking = pass.ranking.flatMap { isRanked in
      objectives.first { configuration.objectives[$0].isRanking }.map {
        (objective: $0, positions: Array(isRanked[first..<first + positions]))
      }
    }
    (stream == 0 ? predictionHeads : furtherHeads).run(
      parameters(leaving: plan.headSection), objectives: objectives, hidden: hidden, targets: activations.targets,
      entropy: activations.entropy, losses: activations.losses, hits: activations.hits, ranking: ranking,
      factors: pass.factors, dHidden: dHidden, adds: adds, logits: activations.logits, into: &sums)
  }

  /// Through the final norm of the trunk's own stream.
  func backwardFinalNorm(addsTo: Bool) {
    backwardFinalNorm(activations.dHidden, x: activations.final, scale: activations.finalScale, addsTo: addsTo)
  }

  private func backwardFinalNorm(
    _ dHidden: UnsafeMutableRawPointer, x: UnsafeMutablePointer<Float>, scale: UnsafePointer<Float>, addsTo: Bool
  ) {
    let shared = activations.shared
    finalNorm.backward(
      parameters(leaving: plan.headSection), operand(dHidden), x: stream(x), statistics: scale, dx: stream(shared.dx),
      addsTo: addsTo, operand: rounded, partial: shared.partial)
  }

  /// After a head's block: its stream and its hidden states.
  private func forwardFinalNorm(_ kept: MultiTokenHead.Kept) {
    finalNorm.forward(
      parameters, stream(kept.block.x1), adding: operand(activations.shared.delta), sum: stream(kept.stream),
      y: operand(kept.hidden), statistics: kept.finalScale)
  }

  // MARK: Parallel

  /// Puts aside the gradient at the trunk, to which the heads beside its last block add theirs.
  func carryGradient() {
    activations.multiTokenShared.carried.update(from: activations.shared.dx, count: positions * configuration.width)
  }

  /// One parallel head, there and, where something is learned, back.
  func runParallel(_ index: Int, _ batch: TokenRows, _ pass: HeadPass) {
    let section = plan.multiTokenSections[index]
    let shared = activations.shared
    let further = activations.multiTokenShared
    let head = multiTokenHeads[index]
    let kept = activations.multiToken[index]
    let starts = starts(of: batch)
    head.block.forward(
      parameters, x: activations.blocks[blocks.count - 1].x, adding: false, kept: kept.block, shared: shared,
      starts: starts, noise: pass.noise)
    forwardFinalNorm(kept)
    predict(index + 1, hidden: kept.hidden, dHidden: further.dHidden, pass, adds: true)
    guard pass.factors != nil else { return }
    backwardFinalNorm(further.dHidden, x: kept.stream, scale: kept.finalScale, addsTo: false)
    let adds = begin(section, adds: pass.adds)
    head.block.backward(
      parameters(leaving: section), kept: kept.block, shared: shared, adds: adds, starts: starts, noise: pass.noise,
      again: false)
    let isLast = index == multiTokenHeads.count - 1
    StreamSum.add(
      stream(further.carried), stream(shared.dx), into: stream(isLast ? shared.dx : further.carried),
      operand: isLast ? rounded : nil, threads: threads)
  }

  // MARK: Sequential

  /// All sequential heads, there.
  func forwardSequential(_ batch: TokenRows, _ pass: HeadPass) {
    for index in multiTokenHeads.indices { forwardSequential(index, batch, pass.noise) }
  }

  /// One sequential head's loss, and its way back.
  func runSequential(_ index: Int, _ batch: TokenRows, _ pass: HeadPass) {
    let kept = activations.multiToken[index]
    let further = activations.multiTokenShared
    predict(index + 1, hidden: kept.hidden, dHidden: further.dHidden, pass, adds: true)
    guard pass.factors != nil else { return }
    let isDeepest = index == multiTokenHeads.count - 1
    backwardFinalNorm(further.dHidden, x: kept.stream, scale: kept.finalScale, addsTo: !isDeepest)
    let adds = begin(plan.multiTokenSections[index], adds: pass.adds)
    backwardSequential(
      index, batch, adds: adds, noise: pass.noise, again: configuration.recomputesBlocks && !isDeepest)
  }

  /// The stream that a sequential head reads: the one before it.
  private func before(_ index: Int) -> UnsafeMutablePointer<Float> {
    index == 0 ? activations.final : activations.multiToken[index - 1].stream
  }

  private func forwardSequential(_ index: Int, _ batch: TokenRows, _ noise: RandomStream?) {
    let head = multiTokenHeads[index]
    let kept = activations.multiToken[index]
    guard let joint = head.joint else { preconditionFailure("a sequential head has a projection") }
    let width = configuration.width
    let joined = operand(kept.joined, columns: 2 * width)
    let h = stream(before(index))
    joint.hiddenNorm.forward(
      parameters, h, adding: nil, sum: h, y: joined.columns(0, count: width), statistics: kept.hiddenScale)
    Embedding.forward(
      parameters.weights + plan.embedding, tokens: batch.tokens + index + 1, context: batch.context,
      stride: batch.stride, x: stream(kept.embedded), threads: threads)
    embeddingDropout(depth: index + 1, noise)?.apply(stream(kept.embedded), threads: threads)
    joint.embeddingNorm.forward(
      parameters, stream(kept.embedded), adding: nil, sum: stream(kept.embedded),
      y: joined.columns(width, count: width), statistics: kept.embeddingScale)
    joint.projection.forward(parameters, x: kept.joined, y: UnsafeMutableRawPointer(kept.block.x))
    head.block.forward(
      parameters, x: kept.block.x, adding: false, kept: kept.block, shared: activations.shared,
      starts: starts(of: batch), noise: noise)
    forwardFinalNorm(kept)
  }

  private func backwardSequential(
    _ index: Int, _ batch: TokenRows, adds: Bool, noise: RandomStream?, again: Bool
  ) {
    let parameters = parameters(leaving: plan.multiTokenSections[index])
    let head = multiTokenHeads[index]
    let kept = activations.multiToken[index]
    let shared = activations.shared
    let further = activations.multiTokenShared
    guard let joint = head.joint else { preconditionFailure("a sequential head has a projection") }
    let width = configuration.width
    head.block.backward(
      parameters, kept: kept.block, shared: shared, adds: adds, starts: starts(of: batch), noise: noise, again: again)
    joint.projection.backward(parameters, dy: shared.dxOperand, x: kept.joined, dx: further.dJoined, adds: adds)
    joint.projection.backwardBias(parameters, dy: shared.dxOperand, partial: shared.partial)
    let dJoined = operand(further.dJoined, columns: 2 * width)
    joint.embeddingNorm.backward(
      parameters, dJoined.columns(width, count: width), x: stream(kept.embedded), statistics: kept.embeddingScale,
      dx: stream(further.dEmbedded), addsTo: false, operand: nil, partial: shared.partial)
    joint.hiddenNorm.backward(
      parameters, dJoined.columns(0, count: width), x: stream(before(index)), statistics: kept.hiddenScale,
      dx: stream(shared.dx), addsTo: false, operand: nil, partial: shared.partial)
  }

  /// From the gradient at the embeddings that a sequential head took in to that of the table, which shards add to in turn.
  /// - Parameters:
  ///   - all: the network's parameters, with its own gradients.
  ///   - threads: those that share out this work.
  func backwardTable(_ index: Int, _ batch: TokenRows, noise: RandomStream?, into all: ParameterView, threads: Int) {
    let dEmbedded = stream(activations.multiTokenShared.dEmbedded)
    embeddingDropout(depth: index + 1, noise)?.apply(dEmbedded, threads: threads)
    backwardTable(dEmbedded, tokens: batch.tokens + index + 1, batch, into: all, threads: threads)
  }
}
