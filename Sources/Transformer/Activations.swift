// What forward leaves for backward, planned once for the batch and reused every step.
import Kernels

/// All memory of a network that is not parameters.
struct Activations: ~Copyable {
  private let storage: Storage
  /// One a block; all the same where nothing is trained.
  let blocks: [Block.Kept]
  let shared: Block.Shared
  /// One an MTP head; parallel heads share one, since they live one after the other.
  let multiToken: [MultiTokenHead.Kept]
  let multiTokenShared: MultiTokenHead.Shared
  let embedded: UnsafeMutablePointer<Float>  // [M, d]
  let final: UnsafeMutablePointer<Float>  // [M, d] the stream before the final norm
  let finalScale: UnsafeMutablePointer<Float>  // [M]
  let hidden: UnsafeMutableRawPointer  // E [M, d]
  let dHidden: UnsafeMutableRawPointer  // E [M, d]
  let logits: UnsafeMutableRawPointer
  let targets: [SparseTargets]
  let entropy: [UnsafeMutablePointer<Float>]
  let losses: [UnsafeMutablePointer<Float>]
  let normPieces: UnsafeMutablePointer<Double>

  init(
    _ c: Configuration, rows: Int, precision: Precision, isTrained: Bool, attentionScratch: Int, logitsSize: Int,
    parameterCount: Int, threads: Int
  ) throws {
    let M = rows * c.context
    let E = precision.bytes
    let wide = c.queryWidth + 2 * c.keyWidth
    var plan = Plan()
    struct Places { var x, normed, scale, qkv, lse, attended, x1, normed1, scale1, gu: Int }
    func place() -> Places {
      Places(
        x: plan.place(M * c.width, width: 4), normed: plan.place(M * c.width, width: E),
        scale: plan.place(M, width: 4), qkv: plan.place(M * wide, width: E),
        lse: plan.place(M * c.heads, width: 4), attended: plan.place(M * c.queryWidth, width: E),
        x1: plan.place(M * c.width, width: 4), normed1: plan.place(M * c.width, width: E),
        scale1: plan.place(M, width: 4), gu: plan.place(M * 2 * c.inner, width: E))
    }
    let places = (0..<(isTrained ? c.blocks : 1)).map { _ in place() }
    let further = c.streams.count - 1
    let isChain = c.multiToken == .sequential
    struct HeadPlaces {
      var block: Places
      var stream, finalScale, hidden, joined, embedded, hiddenScale, embeddingScale: Int
    }
    let headPlaces = (0..<(isChain ? further : min(further, 1))).map { _ in
      HeadPlaces(
        block: place(), stream: plan.place(M * c.width, width: 4), finalScale: plan.place(M, width: 4),
        hidden: plan.place(M * c.width, width: E), joined: plan.place(isChain ? 2 * M * c.width : 0, width: E),
        embedded: plan.place(isChain ? M * c.width : 0, width: 4), hiddenScale: plan.place(M, width: 4),
        embeddingScale: plan.place(M, width: 4))
    }
    /// Room that only training needs.
    func trained(_ count: Int, width: Int) -> Int { plan.place(isTrained ? count : 0, width: width) }
    let delta = plan.place(M * c.width, width: E)
    let inner = plan.place(M * c.inner, width: E)
    let dInner = trained(M * c.inner, width: E)
    let dQKV = trained(M * wide, width: E)
    let dAttended = trained(M * c.queryWidth, width: E)
    let dNormed = trained(M * c.width, width: E)
    let dx = trained(M * c.width, width: 4)
    let dxOperand = precision == .fp32 ? dx : trained(M * c.width, width: E)
    let partial = trained(threads * c.width, width: 4)
    let attention = plan.place(attentionScratch, width: 1)
    let furtherHidden = trained(further > 0 ? M * c.width : 0, width: E)
    let carried = trained(further > 0 && !isChain ? M * c.width : 0, width: 4)
    let dJoined = trained(isChain ? 2 * M * c.width : 0, width: E)
    let dEmbedded = trained(isChain ? M * c.width : 0, width: 4)
    let angles = plan.place(c.context * c.headWidth, width: 4)
    let embedded = plan.place(M * c.width, width: 4)
    let final = plan.place(M * c.width, width: 4)
    let finalScale = plan.place(M, width: 4)
    let hidden = plan.place(M * c.width, width: E)
    let dHidden = trained(M * c.width, width: E)
    let logits = plan.place(logitsSize, width: 1)
    let lists = c.objectives.map { objective in
      (
        tokens: plan.place(M * objective.capacity, width: 4), weights: plan.place(M * objective.capacity, width: 4),
        counts: plan.place(M, width: 4), entropy: plan.place(M, width: 4), losses: plan.place(M, width: 4)
      )
    }
    let normPieces = plan.place(Kernels.Block.pieces(of: parameterCount), width: 8)

    let storage = try Storage(bytes: plan.bytes)
    let base = storage.base
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { (base + offset).assumingMemoryBound(to: Float.self) }
    func integers(_ offset: Int) -> UnsafeMutablePointer<Int32> { (base + offset).assumingMemoryBound(to: Int32.self) }
    func kept(_ places: Places) -> Block.Kept {
      Block.Kept(
        x: floats(places.x), normed: base + places.normed, scale: floats(places.scale), qkv: base + places.qkv,
        lse: floats(places.lse), attended: base + places.attended, x1: floats(places.x1),
        normed1: base + places.normed1, scale1: floats(places.scale1), gu: base + places.gu)
    }
    blocks = isTrained ? places.map(kept) : Array(repeating: kept(places[0]), count: c.blocks)
    let heads = headPlaces.map {
      MultiTokenHead.Kept(
        block: kept($0.block), stream: floats($0.stream), finalScale: floats($0.finalScale), hidden: base + $0.hidden,
        joined: base + $0.joined, embedded: floats($0.embedded), hiddenScale: floats($0.hiddenScale),
        embeddingScale: floats($0.embeddingScale))
    }
    multiToken = isChain || heads.isEmpty ? heads : Array(repeating: heads[0], count: further)
    multiTokenShared = MultiTokenHead.Shared(
      dHidden: base + furtherHidden, carried: floats(carried), dJoined: base + dJoined, dEmbedded: floats(dEmbedded))
    shared = Block.Shared(
      delta: base + delta, inner: base + inner, dInner: base + dInner, dQKV: base + dQKV, dAttended: base + dAttended,
      dNormed: base + dNormed, dx: floats(dx), dxOperand: base + dxOperand, partial: floats(partial),
      attention: base + attention, angles: floats(angles))
    self.embedded = floats(embedded)
    self.final = floats(final)
    self.finalScale = floats(finalScale)
    self.hidden = base + hidden
    self.dHidden = base + dHidden
    self.logits = base + logits
    targets = zip(lists, c.objectives).map { list, objective in
      SparseTargets(
        tokens: integers(list.tokens), weights: floats(list.weights), counts: integers(list.counts),
        capacity: objective.capacity)
    }
    entropy = lists.map { floats($0.entropy) }
    losses = lists.map { floats($0.losses) }
    self.normPieces = (base + normPieces).assumingMemoryBound(to: Double.self)
    self.storage = storage
    Rotary.fill(shared.angles, context: c.context, headWidth: c.headWidth, theta: c.ropeTheta)
  }
}
