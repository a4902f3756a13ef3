// The heads for tokens further ahead: what they are made of and where they keep what backward needs.
//   parallel (Gloeckle et al. 2024): a block each, beside the trunk's last block, on the stream that goes into it
//   sequential (DeepSeek-V3, equations 21–25): h'ᵏ = M_k [RMSNorm(hᵏ⁻¹) ; RMSNorm(Emb(x[t+k]))], then a block
// Both share the final norm and the unembedding with NTP. How they are run is in Shard+Heads.
import Kernels

/// How MTP heads are built.
package enum MultiToken: Sendable, Equatable { case parallel, sequential }

/// Where one head beyond the first leaves what its backward needs.
struct FurtherHeadPlaces: Sendable {
  let block: BlockPlaces
  let stream: FloatPlace  // [M, d] after the block: hᵏ
  let finalScale: FloatPlace  // the final norm's statistics
  let hidden: OperandPlace  // E [M, d] after the final norm
  let joined: OperandPlace  // E [M, 2d] sequential: both norms' outputs beside each other
  let embedded: FloatPlace  // [M, d] sequential: Emb(x[t+k])
  let hiddenScale: FloatPlace  // sequential: that norm's statistics
  let embeddingScale: FloatPlace  // sequential: that norm's statistics

  init(_ room: BranchRoom, like block: BlockPlaces, in layout: inout ArenaLayout) {
    let (c, M, E) = (room.configuration, room.positions, room.precision)
    let chained = c.multiToken == .sequential ? M : 0
    let statistics = Norm.statistics(c)
    self.block = block.another(room, in: &layout)
    stream = layout.floats(M * c.width)
    finalScale = layout.floats(M * statistics)
    hidden = layout.operands(M * c.width, E)
    joined = layout.operands(2 * chained * c.width, E)
    embedded = layout.floats(chained * c.width)
    hiddenScale = layout.floats(chained * statistics)
    embeddingScale = layout.floats(chained * statistics)
  }
}

/// Memory that all heads beyond the first share.
struct FurtherSharedPlaces: Sendable {
  let dHidden: OperandPlace  // E [M, d]
  let carried: FloatPlace  // [M, d] parallel: the sum of the heads' gradients at the trunk
  let dJoined: OperandPlace  // E [M, 2d] sequential
  let dEmbedded: FloatPlace  // [M, d] sequential

  init(_ room: BranchRoom, in layout: inout ArenaLayout) {
    let c = room.configuration
    let trained = room.isTrained && c.multiToken != nil ? room.positions * c.width : 0
    let chained = c.multiToken == .sequential ? trained : 0
    dHidden = layout.operands(trained, room.precision)
    carried = layout.floats(trained - chained)
    dJoined = layout.operands(2 * chained, room.precision)
    dEmbedded = layout.floats(chained)
  }
}

/// One head beyond the first.
struct FurtherHead {
  /// How a sequential head takes in the stream before it and the next token's embedding.
  struct Joint {
    let hiddenNorm: Norm
    let embeddingNorm: Norm
    /// M_k [d, 2d].
    let projection: Linear
  }

  let places: FurtherHeadPlaces
  let block: Block
  /// Only where heads are sequential.
  let joint: Joint?

  init(_ site: BranchSite, at places: FurtherHeadPlaces, stream: StreamPlaces) throws(ProductError) {
    let c = site.configuration
    self.places = places
    block = try Block(site, at: places.block, stream: stream)
    guard c.multiToken == .sequential else {
      joint = nil
      return
    }
    joint = Joint(
      hiddenNorm: site.norm("hnorm"), embeddingNorm: site.norm("enorm"),
      projection: try Linear(
        at: site.parameters.affine("\(site.layer)/eh_proj"), rows: site.rows.count * c.context, out: c.width,
        in: 2 * c.width, precision: site.precision, y: ProductShape.Operand(stride: c.width, precision: .fp32),
        isTrained: site.isTrained, products: site.products))
  }
}
