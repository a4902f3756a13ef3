// One block: x₁ = x + Attention(RMSNorm(x)),  x₂ = x₁ + SwiGLU(RMSNorm(x₁)); there and back.
// Letters: M positions, d width, E operand precision. Forward leaves what backward needs in `Kept`.
import Kernels

struct Block {
  /// What one block's forward leaves for its backward. All memory belongs to the network's activations.
  struct Kept {
    let x: UnsafeMutablePointer<Float>  // [M, d] the stream as it comes in
    let normed: UnsafeMutableRawPointer  // E [M, d]
    let scale: UnsafeMutablePointer<Float>  // [M] of the first norm
    let qkv: UnsafeMutableRawPointer  // E [M, queries + 2 keys], turned
    let lse: UnsafeMutablePointer<Float>  // [rows · heads · T]
    let attended: UnsafeMutableRawPointer  // E [M, queries]
    let x1: UnsafeMutablePointer<Float>  // [M, d] the stream after attention
    let normed1: UnsafeMutableRawPointer  // E [M, d]
    let scale1: UnsafeMutablePointer<Float>  // [M] of the second norm
    let gu: UnsafeMutableRawPointer  // E [M, 2 · inner]
  }

  /// Memory that all blocks share.
  struct Shared {
    let delta: UnsafeMutableRawPointer  // E [M, d] what a branch adds to the stream
    let inner: UnsafeMutableRawPointer  // E [M, inner]
    let dInner: UnsafeMutableRawPointer  // E [M, inner]
    let dQKV: UnsafeMutableRawPointer  // E [M, queries + 2 keys]
    let dAttended: UnsafeMutableRawPointer  // E [M, queries]
    let dNormed: UnsafeMutableRawPointer  // E [M, d]
    let dx: UnsafeMutablePointer<Float>  // [M, d] gradient at the stream
    let dxOperand: UnsafeMutableRawPointer  // E [M, d] the same as an operand; dx itself in fp32
    let partial: UnsafeMutablePointer<Float>  // [threads, d]
    let attention: UnsafeMutableRawPointer  // the attention's scratch
    let angles: UnsafeMutablePointer<Float>  // rotary table
  }

  private let c: Configuration
  private let precision: Precision
  private let threads: Int
  private let rows: Int
  private let norms: (input: Int, mlp: Int)
  private let attention: Attention
  private let attentionIn: Linear
  private let attentionOut: Linear
  private let mlpIn: Linear
  private let mlpOut: Linear

  init(
    _ configuration: Configuration, at offsets: ParameterPlan.Block, attention: Attention, rows: Int,
    precision: Precision, isTrained: Bool, products: Products
  ) throws(ProductError) {
    c = configuration
    self.precision = precision
    self.rows = rows
    self.attention = attention
    threads = products.threads
    norms = (offsets.inputNorm, offsets.mlpNorm)
    let positions = rows * configuration.context
    func linear(_ offset: Int, _ out: Int, _ width: Int) throws(ProductError) -> Linear {
      try Linear(
        offset: offset, rows: positions, out: out, in: width, precision: precision, isTrained: isTrained,
        products: products)
    }
    attentionIn = try linear(offsets.attentionIn, c.queryWidth + 2 * c.keyWidth, c.width)
    attentionOut = try linear(offsets.attentionOut, c.width, c.queryWidth)
    mlpIn = try linear(offsets.mlpIn, 2 * c.inner, c.width)
    mlpOut = try linear(offsets.mlpOut, c.width, c.inner)
  }

  private var positions: Int { rows * c.context }

  private func operand(_ base: UnsafeMutableRawPointer, _ columns: Int) -> Matrix {
    Matrix(base, rows: positions, columns: columns, precision: precision)
  }

  private func stream(_ base: UnsafeMutablePointer<Float>) -> Matrix {
    Matrix(base, rows: positions, columns: c.width)
  }

  /// - Parameters:
  ///   - x: [M, d] the stream, before `delta` is added.
  ///   - adding: whether `shared.delta` holds what the block before adds to the stream.
  /// Leaves in `shared.delta` what this block's SwiGLU adds to `kept.x1`.
  func forward(
    _ parameters: borrowing Parameters, x: UnsafeMutablePointer<Float>, adding: Bool, kept: Kept, shared: Shared
  ) {
    let delta = operand(shared.delta, c.width)
    RMSNorm.forward(
      stream(x), adding: adding ? delta : nil, w: parameters.weights + norms.input, epsilon: c.epsilon,
      sum: stream(kept.x), y: operand(kept.normed, c.width), scale: kept.scale, threads: threads)
    attentionIn.forward(parameters, x: kept.normed, y: kept.qkv)
    Rotary.forward(
      operand(kept.qkv, c.queryWidth + 2 * c.keyWidth), heads: c.heads + c.keyValueHeads, headWidth: c.headWidth,
      table: shared.angles, context: c.context, threads: threads)
    attention.forward(
      qkv: kept.qkv, output: kept.attended, lse: kept.lse, rows: rows, scratch: shared.attention)
    attentionOut.forward(parameters, x: kept.attended, y: shared.delta)
    RMSNorm.forward(
      stream(kept.x), adding: delta, w: parameters.weights + norms.mlp, epsilon: c.epsilon, sum: stream(kept.x1),
      y: operand(kept.normed1, c.width), scale: kept.scale1, threads: threads)
    mlpIn.forward(parameters, x: kept.normed1, y: kept.gu)
    SwiGLU.forward(operand(kept.gu, 2 * c.inner), s: operand(shared.inner, c.inner), threads: threads)
    mlpOut.forward(parameters, x: shared.inner, y: shared.delta)
  }

  /// Turns the gradient at the stream after this block (`shared.dx` and its operand) into the one before it.
  func backward(_ parameters: borrowing Parameters, kept: Kept, shared: Shared, adds: Bool) {
    let rounded = precision == .bf16 ? operand(shared.dxOperand, c.width) : nil
    mlpOut.backwardInput(parameters, dy: shared.dxOperand, dx: shared.dInner)
    SwiGLU.backward(
      operand(shared.dInner, c.inner), gu: operand(kept.gu, 2 * c.inner), s: operand(shared.inner, c.inner),
      threads: threads)
    mlpOut.backwardWeight(parameters, dy: shared.dxOperand, x: shared.inner, adds: adds)
    mlpIn.backward(parameters, dy: kept.gu, x: kept.normed1, dx: shared.dNormed, adds: adds)
    RMSNorm.backward(
      operand(shared.dNormed, c.width), x: stream(kept.x1), w: parameters.weights + norms.mlp, scale: kept.scale1,
      dx: stream(shared.dx), addsTo: true, operand: rounded, dw: parameters.gradients + norms.mlp,
      partial: shared.partial, threads: threads)
    attentionOut.backward(
      parameters, dy: shared.dxOperand, x: kept.attended, dx: shared.dAttended, adds: adds)
    attention.backward(
      dOutput: shared.dAttended, qkv: kept.qkv, output: kept.attended, lse: kept.lse, dQKV: shared.dQKV,
      angles: shared.angles, rows: rows, scratch: shared.attention)
    attentionIn.backward(parameters, dy: shared.dQKV, x: kept.normed, dx: shared.dNormed, adds: adds)
    RMSNorm.backward(
      operand(shared.dNormed, c.width), x: stream(kept.x), w: parameters.weights + norms.input, scale: kept.scale,
      dx: stream(shared.dx), addsTo: true, operand: rounded, dw: parameters.gradients + norms.input,
      partial: shared.partial, threads: threads)
  }
}
