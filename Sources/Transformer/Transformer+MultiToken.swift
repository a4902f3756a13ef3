// Forward and backward through the heads for tokens further ahead. Parallel heads are run one after the other, so that one
// head's activations live at a time; sequential ones go forward in a chain and backward along it.
import Kernels

extension Transformer {
  private var positions: Int { rows * configuration.context }

  private func stream(_ base: UnsafeMutablePointer<Float>) -> Matrix {
    Matrix(base, rows: positions, columns: configuration.width)
  }

  private func operand(_ base: UnsafeMutableRawPointer, columns: Int? = nil) -> Matrix {
    Matrix(base, rows: positions, columns: columns ?? configuration.width, precision: precision)
  }

  /// The rounded twin of the stream's gradient; in fp32 the gradient itself is the operand.
  private var rounded: Matrix? { precision == .bf16 ? operand(activations.shared.dxOperand) : nil }

  /// What all heads lose, and with `factors` the gradient at the stream that the trunk's backward begins with.
  func runHeads(
    _ batch: TokenRows, factors: LossFactors?, ranking isRanked: [Bool]? = nil, adds: Bool,
    noise: RandomStream? = nil, into sums: inout [LossSum]
  ) {
    predict(
      0, hidden: activations.hidden, dHidden: activations.dHidden, factors: factors, ranking: isRanked, adds: adds,
      into: &sums)
    switch configuration.multiToken {
    case nil:
      if factors != nil { backwardFinalNorm(addsTo: false) }
    case .parallel: runParallel(batch, factors: factors, adds: adds, noise: noise, into: &sums)
    case .sequential: runSequential(batch, factors: factors, adds: adds, noise: noise, into: &sums)
    }
  }

  /// One stream's objectives.
  private func predict(
    _ stream: Int, hidden: UnsafeMutableRawPointer, dHidden: UnsafeMutableRawPointer, factors: LossFactors?,
    ranking isRanked: [Bool]? = nil, adds: Bool, into sums: inout [LossSum]
  ) {
    let objectives = streams[stream]
    let ranking = isRanked.flatMap { positions in
      objectives.first { configuration.objectives[$0].isRanking }.map { (objective: $0, positions: positions) }
    }
    (stream == 0 ? predictionHeads : furtherHeads).run(
      parameters, objectives: objectives, hidden: hidden, targets: activations.targets, entropy: activations.entropy,
      losses: activations.losses, hits: activations.hits, ranking: ranking, factors: factors, dHidden: dHidden,
      adds: adds, logits: activations.logits, into: &sums)
  }

  /// Through the final norm of the trunk's own stream.
  private func backwardFinalNorm(addsTo: Bool) {
    backwardFinalNorm(activations.dHidden, x: activations.final, scale: activations.finalScale, addsTo: addsTo)
  }

  private func backwardFinalNorm(
    _ dHidden: UnsafeMutableRawPointer, x: UnsafeMutablePointer<Float>, scale: UnsafePointer<Float>, addsTo: Bool
  ) {
    let shared = activations.shared
    finalNorm.backward(
      parameters, operand(dHidden), x: stream(x), statistics: scale, dx: stream(shared.dx), addsTo: addsTo,
      operand: rounded, partial: shared.partial)
  }

  /// After a head's block: its stream and its hidden states.
  private func forwardFinalNorm(_ kept: MultiTokenHead.Kept) {
    finalNorm.forward(
      parameters, stream(kept.block.x1), adding: operand(activations.shared.delta), sum: stream(kept.stream),
      y: operand(kept.hidden), statistics: kept.finalScale)
  }

  // MARK: Parallel

  private func runParallel(
    _ batch: TokenRows, factors: LossFactors?, adds: Bool, noise: RandomStream?, into sums: inout [LossSum]
  ) {
    let shared = activations.shared
    let further = activations.multiTokenShared
    let last = blocks.count - 1
    if factors != nil {
      backwardFinalNorm(addsTo: false)
      blocks[last].backward(
        parameters, kept: activations.blocks[last], shared: shared, adds: adds, starts: starts(of: batch), noise: noise,
        again: false)
      further.carried.update(from: shared.dx, count: positions * configuration.width)
    }
    for (index, head) in multiTokenHeads.enumerated() {
      let kept = activations.multiToken[index]
      head.block.forward(
        parameters, x: activations.blocks[last].x, adding: false, kept: kept.block, shared: shared,
        starts: starts(of: batch), noise: noise)
      forwardFinalNorm(kept)
      predict(
        index + 1, hidden: kept.hidden, dHidden: further.dHidden, factors: factors, adds: true, into: &sums)
      guard factors != nil else { continue }
      backwardFinalNorm(further.dHidden, x: kept.stream, scale: kept.finalScale, addsTo: false)
      head.block.backward(
        parameters, kept: kept.block, shared: shared, adds: adds, starts: starts(of: batch), noise: noise, again: false)
      let isLast = index == multiTokenHeads.count - 1
      StreamSum.add(
        stream(further.carried), stream(shared.dx), into: stream(isLast ? shared.dx : further.carried),
        operand: isLast ? rounded : nil, threads: threads)
    }
  }

  // MARK: Sequential

  private func runSequential(
    _ batch: TokenRows, factors: LossFactors?, adds: Bool, noise: RandomStream?, into sums: inout [LossSum]
  ) {
    for index in multiTokenHeads.indices { forwardSequential(index, batch, noise) }
    let further = activations.multiTokenShared
    for index in multiTokenHeads.indices.reversed() {
      let kept = activations.multiToken[index]
      predict(
        index + 1, hidden: kept.hidden, dHidden: further.dHidden, factors: factors, adds: true, into: &sums)
      guard factors != nil else { continue }
      let isDeepest = index == multiTokenHeads.count - 1
      backwardFinalNorm(further.dHidden, x: kept.stream, scale: kept.finalScale, addsTo: !isDeepest)
      backwardSequential(
        index, batch, adds: adds, noise: noise, again: configuration.recomputesBlocks && !isDeepest)
    }
    if factors != nil { backwardFinalNorm(addsTo: true) }
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
      parameters.weights + parameters.plan.embedding, tokens: batch.tokens + index + 1, context: batch.context,
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
    embeddingDropout(depth: index + 1, noise)?.apply(stream(further.dEmbedded), threads: threads)
    Embedding.backward(
      stream(further.dEmbedded), tokens: batch.tokens + index + 1, context: batch.context, stride: batch.stride,
      dTable: parameters.gradients + parameters.plan.embedding, threads: threads)
    joint.hiddenNorm.backward(
      parameters, dJoined.columns(0, count: width), x: stream(before(index)), statistics: kept.hiddenScale,
      dx: stream(shared.dx), addsTo: false, operand: nil, partial: shared.partial)
  }
}
