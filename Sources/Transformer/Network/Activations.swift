// What forward leaves for backward, planned once for the batch and reused every step.
import Kernels

/// All memory of a shard that is not parameters.
struct Activations: ~Copyable {
  private let storage: Storage
  /// What was allocated.
  var bytes: Int { storage.bytes }
  /// One a block; all the same where nothing is trained.
  let blocks: [Block.Kept]
  let shared: Block.Shared
  /// One an MTP head; parallel heads share one, since they live one after the other.
  let multiToken: [MultiTokenHead.Kept]
  let multiTokenShared: MultiTokenHead.Shared
  let final: UnsafeMutablePointer<Float>  // [M, d] the stream before the final norm
  let finalScale: UnsafeMutablePointer<Float>  // the final norm's statistics
  let hidden: UnsafeMutableRawPointer  // E [M, d]
  let dHidden: UnsafeMutableRawPointer  // E [M, d]
  let logits: UnsafeMutableRawPointer
  let targets: [SparseTargets]
  let entropy: [UnsafeMutablePointer<Float>]
  let losses: [UnsafeMutablePointer<Float>]
  let hits: UnsafeMutablePointer<UInt8>  // [M] of the head that is looked at
  let starts: UnsafeMutablePointer<Int32>  // [M] where each position's document begins
  let headGradients: UnsafeMutablePointer<Float>  // of the heads' section, where they are not the network's
  let blockGradients: UnsafeMutablePointer<Float>  // of a block's; the same place where heads have no blocks

  init(_ plan: ActivationPlan, for c: Configuration) throws {
    let storage = try Storage(bytes: plan.bytes)
    let base = storage.base
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { (base + offset).assumingMemoryBound(to: Float.self) }
    func integers(_ offset: Int) -> UnsafeMutablePointer<Int32> { (base + offset).assumingMemoryBound(to: Int32.self) }
    func kept(_ places: ActivationPlan.Block) -> Block.Kept {
      Block.Kept(
        x: floats(places.x), normed: base + places.normed, scale: floats(places.scale), qkv: base + places.qkv,
        raw: base + places.raw, lse: floats(places.lse), attended: base + places.attended, x1: floats(places.x1),
        normed1: base + places.normed1, scale1: floats(places.scale1), gu: base + places.gu)
    }
    blocks = plan.blocks.map(kept)
    multiToken = plan.heads.map {
      MultiTokenHead.Kept(
        block: kept($0.block), stream: floats($0.stream), finalScale: floats($0.finalScale), hidden: base + $0.hidden,
        joined: base + $0.joined, embedded: floats($0.embedded), hiddenScale: floats($0.hiddenScale),
        embeddingScale: floats($0.embeddingScale))
    }
    multiTokenShared = MultiTokenHead.Shared(
      dHidden: base + plan.furtherHidden, carried: floats(plan.carried), dJoined: base + plan.dJoined,
      dEmbedded: floats(plan.dEmbedded))
    shared = Block.Shared(
      delta: base + plan.delta, inner: base + plan.inner, dInner: base + plan.dInner, dQKV: base + plan.dQKV,
      dAttended: base + plan.dAttended,
      dNormed: base + plan.dNormed, dx: floats(plan.dx), dxOperand: base + plan.dxOperand,
      dBranch: base + plan.dBranch,
      partial: floats(plan.partial),
      attention: base + plan.attention, angles: floats(plan.angles))
    self.final = floats(plan.final)
    self.finalScale = floats(plan.finalScale)
    self.hidden = base + plan.hidden
    self.dHidden = base + plan.dHidden
    self.logits = base + plan.logits
    targets = zip(plan.targets, c.objectives).map { list, objective in
      SparseTargets(
        tokens: integers(list.tokens), weights: floats(list.weights), counts: integers(list.counts),
        capacity: objective.capacity)
    }
    entropy = plan.targets.map { floats($0.entropy) }
    losses = plan.targets.map { floats($0.losses) }
    starts = integers(plan.starts)
    hits = (base + plan.hits).assumingMemoryBound(to: UInt8.self)
    headGradients = floats(plan.headGradients)
    blockGradients = floats(plan.blockGradients)
    self.storage = storage
    Rotary.fill(shared.angles, context: c.context, headWidth: c.headWidth, theta: c.ropeTheta)
  }
}
