// The heads for tokens further ahead: what they are made of and where they keep what backward needs.
//   parallel (Gloeckle et al. 2024): a block each, beside the trunk's last block, on the stream that goes into it
//   sequential (DeepSeek-V3, equations 21–25): h'ᵏ = M_k [RMSNorm(hᵏ⁻¹) ; RMSNorm(Emb(x[t+k]))], then a block
// Both share the final norm and the unembedding with NTP. How they are run is in Shard+Heads.
import Kernels

/// How MTP heads are built.
package enum MultiToken: Sendable, Equatable { case parallel, sequential }

/// One head beyond the first.
struct MultiTokenHead {
  /// Where its tensors are, in elements.
  struct Offsets: Sendable {
    var block: ParameterPlan.Block
    /// Only where heads are sequential.
    var joint: Joint?
  }

  /// How a sequential head takes in the stream before it and the next token's embedding.
  struct Joint: Sendable {
    var hiddenNorm: Affine
    var embeddingNorm: Affine
    /// M_k [d, 2d].
    var projection: Affine
  }

  /// What its forward leaves for its backward.
  struct Kept {
    let block: Block.Kept
    let stream: UnsafeMutablePointer<Float>  // [M, d] after the block: hᵏ
    let finalScale: UnsafeMutablePointer<Float>  // the final norm's statistics
    let hidden: UnsafeMutableRawPointer  // E [M, d] after the final norm
    let joined: UnsafeMutableRawPointer  // E [M, 2d] sequential: both norms' outputs beside each other
    let embedded: UnsafeMutablePointer<Float>  // [M, d] sequential: Emb(x[t+k])
    let hiddenScale: UnsafeMutablePointer<Float>  // sequential: that norm's statistics
    let embeddingScale: UnsafeMutablePointer<Float>  // sequential: that norm's statistics
  }

  /// Memory that all heads share.
  struct Shared {
    let dHidden: UnsafeMutableRawPointer  // E [M, d]
    let carried: UnsafeMutablePointer<Float>  // [M, d] parallel: the sum of the heads' gradients at the trunk
    let dJoined: UnsafeMutableRawPointer  // E [M, 2d] sequential
    let dEmbedded: UnsafeMutablePointer<Float>  // [M, d] sequential
  }

  let block: Block
  /// What only sequential heads have.
  let joint: (hiddenNorm: Norm, embeddingNorm: Norm, projection: Linear)?

  init(
    _ configuration: Configuration, at offsets: Offsets, number: Int, attention: Attention, rows: Range<Int>,
    precision: Precision, isTrained: Bool, products: Products
  ) throws(ProductError) {
    block = try Block(
      configuration, at: offsets.block, number: number, attention: attention, rows: rows, precision: precision,
      isTrained: isTrained, products: products)
    if let joint = offsets.joint {
      let projection = try Linear(
        at: joint.projection, rows: rows.count * configuration.context, out: configuration.width,
        in: 2 * configuration.width, precision: precision,
        y: ProductShape.Operand(stride: configuration.width, precision: .fp32), isTrained: isTrained,
        products: products)
      func norm(_ affine: Affine) -> Norm { Norm(configuration, at: affine, threads: products.threads) }
      self.joint = (norm(joint.hiddenNorm), norm(joint.embeddingNorm), projection)
    } else {
      joint = nil
    }
  }
}
