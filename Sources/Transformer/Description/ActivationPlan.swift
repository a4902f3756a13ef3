// Where everything that is not parameters lies: computed from the shape alone, before anything is allocated.
import Kernels

/// Places in one block of memory, in bytes from its start. `Activations` says what each holds.
struct ActivationPlan: Sendable {
  struct Block: Sendable { var x, normed, scale, qkv, raw, lse, attended, x1, normed1, scale1, gu: Int }

  struct Head: Sendable {
    var block: Block
    var stream, finalScale, hidden, joined, embedded, hiddenScale, embeddingScale: Int
  }

  struct Targets: Sendable { var tokens, weights, counts, entropy, losses: Int }

  /// One a block of the trunk, and one a head beyond the first; equal where they share their memory.
  let blocks: [Block]
  let heads: [Head]
  let delta, inner, dInner, dQKV, dAttended, dNormed, dx, dxOperand, dBranch, partial, attention, angles: Int
  let furtherHidden, carried, dJoined, dEmbedded: Int
  let final, finalScale, hidden, dHidden, logits, hits, starts: Int
  /// Whether gradients are left here, to be added to those of the network.
  let hasGradients: Bool
  /// Those of the heads, and of a block: the same place where no blocks come in between the heads.
  let headGradients, blockGradients: Int
  /// One an objective.
  let targets: [Targets]
  /// Bytes in all, and what they are for.
  let bytes: Int
  let memory: [MemoryPart: Int]

  /// - Parameters:
  ///   - rows: those of a shard, and `threads` those that take it through.
  ///   - chunk: positions whose logits exist at a time; nil chooses.
  ///   - gradients: elements of the gradients that a shard has of its own; nil leaves them with the parameters.
  ///   - sharers: how many shards there are.
  init(
    _ c: Configuration, rows: Int, precision: Precision, isTrained: Bool, chunk: Int?,
    gradients: (heads: Int, block: Int)?, threads: Int, sharers: Int
  ) {
    func logitsSize(_ heads: Int) -> Int {
      PredictionHeads.Chunks(
        of: rows * c.context, chunk: chunk, heads: heads, vocabulary: c.vocabulary, precision: precision,
        sharers: sharers, isTrained: isTrained
      ).bytes
    }
    let logitsSize = max(logitsSize(c.streams[0].count), logitsSize(1))
    let M = rows * c.context
    let E = precision.bytes
    let wide = c.queryWidth + 2 * c.keyWidth
    let statistics = M * Norm.statistics(c)
    var plan = Plan()
    var common: Block?
    func block() -> Block {
      // A block that is computed again keeps its input alone; the rest is there once for all of them.
      if c.recomputesBlocks, isTrained, var block = common {
        block.x = plan.place(M * c.width, width: 4)
        return block
      }
      let block = Block(
        x: plan.place(M * c.width, width: 4), normed: plan.place(M * c.width, width: E),
        scale: plan.place(statistics, width: 4), qkv: plan.place(M * wide, width: E),
        raw: plan.place(c.hasHeadNorms ? M * (c.queryWidth + c.keyWidth) : 0, width: E),
        lse: plan.place(M * c.heads, width: 4), attended: plan.place(M * c.queryWidth, width: E),
        x1: plan.place(M * c.width, width: 4), normed1: plan.place(M * c.width, width: E),
        scale1: plan.place(statistics, width: 4), gu: plan.place(M * c.gateWidth, width: E))
      common = block
      return block
    }
    /// `count` times what `make` makes, or once what all share.
    func places<Place>(_ count: Int, isShared: Bool, _ make: () -> Place) -> [Place] {
      isShared && count > 0 ? Array(repeating: make(), count: count) : (0..<count).map { _ in make() }
    }
    plan.part = .activations
    blocks = places(c.blocks, isShared: !isTrained, block)
    let further = c.streams.count - 1
    let isChain = c.multiToken == .sequential
    heads = places(further, isShared: !isChain) {
      Head(
        block: block(), stream: plan.place(M * c.width, width: 4), finalScale: plan.place(statistics, width: 4),
        hidden: plan.place(M * c.width, width: E), joined: plan.place(isChain ? 2 * M * c.width : 0, width: E),
        embedded: plan.place(isChain ? M * c.width : 0, width: 4), hiddenScale: plan.place(statistics, width: 4),
        embeddingScale: plan.place(statistics, width: 4))
    }
    /// Room that only training needs.
    func trained(_ count: Int, width: Int) -> Int { plan.place(isTrained ? count : 0, width: width) }
    plan.part = .working
    delta = plan.place(M * c.width, width: E)
    // Nothing of what a block works with is needed before it or after it, where logits are: both have the same place.
    var passing = Plan()
    func inBlock(_ columns: Int) -> Int { plan.bytes + passing.place(isTrained ? M * columns : 0, width: E) }
    inner = plan.bytes + passing.place(M * c.inner, width: E)
    dInner = inBlock(c.inner)
    dQKV = inBlock(wide)
    dAttended = inBlock(c.queryWidth)
    dNormed = inBlock(c.width)
    logits = plan.place(passing.bytes, width: 1)
    plan.part = .logits
    _ = plan.place(max(0, logitsSize - passing.bytes), width: 1)
    plan.part = .working
    dx = trained(M * c.width, width: 4)
    dxOperand = precision == .fp32 ? dx : trained(M * c.width, width: E)
    dBranch = c.dropout > 0 ? trained(M * c.width, width: E) : dxOperand
    // A norm's weight and bias, or the widest bias.
    partial = trained(threads * max(2 * c.width, wide, c.gateWidth), width: 4)
    plan.part = .attention
    attention = plan.place(Attention.scratchSize(c, precision: precision, threads: threads), width: 1)
    plan.part = .working
    furtherHidden = trained(further > 0 ? M * c.width : 0, width: E)
    carried = trained(further > 0 && !isChain ? M * c.width : 0, width: 4)
    dJoined = trained(isChain ? 2 * M * c.width : 0, width: E)
    dEmbedded = trained(isChain ? M * c.width : 0, width: 4)
    angles = plan.place(c.context * c.headWidth, width: 4)
    final = plan.place(M * c.width, width: 4)
    finalScale = plan.place(statistics, width: 4)
    hidden = plan.place(M * c.width, width: E)
    dHidden = trained(M * c.width, width: E)
    plan.part = .targets
    targets = c.objectives.map { objective in
      Targets(
        tokens: plan.place(M * objective.capacity, width: 4), weights: plan.place(M * objective.capacity, width: 4),
        counts: plan.place(M, width: 4), entropy: plan.place(M, width: 4), losses: plan.place(M, width: 4))
    }
    hits = plan.place(M, width: 1)
    starts = plan.place(M, width: 4)
    plan.part = .shares
    hasGradients = gradients != nil
    let block = gradients?.block ?? 0
    // Where heads have blocks, gradients of the heads are still there when those of a block come.
    let areApart = further > 0
    headGradients = plan.place(max(gradients?.heads ?? 0, areApart ? 0 : block), width: 4)
    blockGradients = areApart ? plan.place(block, width: 4) : headGradients
    bytes = plan.bytes
    memory = plan.parts
  }
}
