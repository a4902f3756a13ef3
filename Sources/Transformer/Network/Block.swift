// One block: x₁ = x + Attention(norm(x)),  x₂ = x₁ + MLP(norm(x₁)); there and back.
// Letters: M positions, d width, E operand precision. Forward leaves what backward needs in `Kept`.
import Kernels

struct Block {
  /// What one block's forward leaves for its backward. All memory belongs to a shard's activations; where blocks are
  /// computed again, all but `x` is shared.
  struct Kept {
    let x: UnsafeMutablePointer<Float>  // [M, d] the stream as it comes in
    let normed: UnsafeMutableRawPointer  // E [M, d]
    let scale: UnsafeMutablePointer<Float>  // the first norm's statistics
    let qkv: UnsafeMutableRawPointer  // E [M, queries + 2 keys], turned
    let raw: UnsafeMutableRawPointer  // E [M, queries + keys] before qk-norm, where there is one
    let lse: UnsafeMutablePointer<Float>  // [rows · heads · T]
    let attended: UnsafeMutableRawPointer  // E [M, queries]
    let x1: UnsafeMutablePointer<Float>  // [M, d] the stream after attention
    let normed1: UnsafeMutableRawPointer  // E [M, d]
    let scale1: UnsafeMutablePointer<Float>  // the second norm's statistics
    let gu: UnsafeMutableRawPointer  // E [M, gates]
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
    let dBranch: UnsafeMutableRawPointer  // E [M, d] before a branch was dropped from; dxOperand without
    let partial: UnsafeMutablePointer<Float>  // room for a thread's own sums of a parameter's gradient
    let attention: UnsafeMutableRawPointer  // the attention's scratch
    let angles: UnsafeMutablePointer<Float>  // rotary table
  }

  /// Where a block drops elements.
  private enum Place: UInt64 { case weights, attention, mlp }

  private let c: Configuration
  private let precision: Precision
  private let threads: Int
  /// Of the micro-batch.
  private let rows: Range<Int>
  /// Its number among all blocks of the network, for its random stream.
  private let number: Int
  private let inputNorm: Norm
  private let mlpNorm: Norm
  /// Queries and keys, where they are normed: first column, number of columns, and where the weight lies.
  private let headNorms: [(first: Int, width: Int, weight: Int)]
  private let attention: Attention
  private let attentionIn: Linear
  private let attentionOut: Linear
  private let mlpIn: Linear
  private let mlpOut: Linear

  init(
    _ configuration: Configuration, at offsets: ParameterPlan.Block, number: Int, attention: Attention,
    rows: Range<Int>, precision: Precision, isTrained: Bool, products: Products
  ) throws(ProductError) {
    c = configuration
    self.precision = precision
    self.rows = rows
    self.number = number
    self.attention = attention
    threads = products.threads
    inputNorm = Norm(configuration, at: offsets.inputNorm, threads: threads)
    mlpNorm = Norm(configuration, at: offsets.mlpNorm, threads: threads)
    headNorms = offsets.headNorms?.columns(configuration) ?? []
    let positions = rows.count * configuration.context
    func linear(_ affine: Affine, _ out: Int, _ width: Int) throws(ProductError) -> Linear {
      try Linear(
        at: affine, rows: positions, out: out, in: width, precision: precision, isTrained: isTrained,
        products: products)
    }
    attentionIn = try linear(offsets.attentionIn, c.queryWidth + 2 * c.keyWidth, c.width)
    attentionOut = try linear(offsets.attentionOut, c.width, c.queryWidth)
    mlpIn = try linear(offsets.mlpIn, c.gateWidth, c.width)
    mlpOut = try linear(offsets.mlpOut, c.width, c.inner)
  }

  private var positions: Int { rows.count * c.context }

  private func operand(_ base: UnsafeMutableRawPointer, _ columns: Int) -> Matrix {
    Matrix(base, rows: positions, columns: columns, precision: precision)
  }

  private func stream(_ base: UnsafeMutablePointer<Float>) -> Matrix {
    Matrix(base, rows: positions, columns: c.width)
  }

  private func dropout(_ place: Place, _ noise: RandomStream?) -> Dropout? {
    let firstPosition = rows.lowerBound * c.context
    return noise.map {
      Dropout(
        rate: c.dropout, random: $0.branch(UInt64(number) * 4 + place.rawValue),
        firstRow: place == .weights ? firstPosition * c.heads : firstPosition)
    }
  }

  /// - Parameters:
  ///   - x: [M, d] the stream, before `delta` is added.
  ///   - adding: whether `shared.delta` holds what the block before adds to the stream.
  ///   - starts: where the document of each position begins in its row; nil where every row is one.
  ///   - noise: what dropout draws from in this pass; nil drops nothing.
  /// Leaves in `shared.delta` what this block's MLP adds to `kept.x1`.
  func forward(
    _ parameters: ParameterView, x: UnsafeMutablePointer<Float>, adding: Bool, kept: Kept, shared: Shared,
    starts: UnsafePointer<Int32>?, noise: RandomStream?
  ) {
    keep(parameters, x: x, adding: adding, kept: kept, shared: shared, starts: starts, noise: noise)
    switch c.kind {
    case .llama: SwiGLU.forward(operand(kept.gu, c.gateWidth), s: operand(shared.inner, c.inner), threads: threads)
    case .gpt2: GELU.forward(operand(kept.gu, c.gateWidth), s: operand(shared.inner, c.inner), threads: threads)
    }
    mlpOut.forward(parameters, x: shared.inner, y: shared.delta)
    dropout(.mlp, noise)?.apply(operand(shared.delta, c.width), threads: threads)
  }

  /// The part of forward that fills `kept`.
  private func keep(
    _ parameters: ParameterView, x: UnsafeMutablePointer<Float>, adding: Bool, kept: Kept, shared: Shared,
    starts: UnsafePointer<Int32>?, noise: RandomStream?
  ) {
    let delta = operand(shared.delta, c.width)
    inputNorm.forward(
      parameters, stream(x), adding: adding ? delta : nil, sum: stream(kept.x), y: operand(kept.normed, c.width),
      statistics: kept.scale)
    attentionIn.forward(parameters, x: kept.normed, y: kept.qkv)
    let qkv = operand(kept.qkv, c.queryWidth + 2 * c.keyWidth)
    let raw = operand(kept.raw, c.queryWidth + c.keyWidth)
    for (first, width, weight) in headNorms {
      HeadNorm.forward(
        qkv.columns(first, count: width), headWidth: c.headWidth, w: parameters.weights + weight,
        epsilon: c.epsilon, kept: raw.columns(first, count: width), threads: threads)
    }
    if c.kind == .llama {
      Rotary.forward(
        qkv, heads: c.heads + c.keyValueHeads, headWidth: c.headWidth, table: shared.angles, context: c.context,
        starts: starts, threads: threads)
    }
    attention.forward(
      qkv: kept.qkv, output: kept.attended, lse: kept.lse, rows: rows.count, starts: starts, scratch: shared.attention,
      dropout: dropout(.weights, noise))
    attentionOut.forward(parameters, x: kept.attended, y: shared.delta)
    dropout(.attention, noise)?.apply(delta, threads: threads)
    mlpNorm.forward(
      parameters, stream(kept.x), adding: delta, sum: stream(kept.x1), y: operand(kept.normed1, c.width),
      statistics: kept.scale1)
    mlpIn.forward(parameters, x: kept.normed1, y: kept.gu)
  }

  /// Turns the gradient at the stream after this block (`shared.dx` and its operand) into the one before it.
  /// - Parameters:
  ///   - starts, noise: those of forward.
  ///   - again: whether all of `kept` but x is of another block by now, and is computed once more.
  func backward(
    _ parameters: ParameterView, kept: Kept, shared: Shared, adds: Bool, starts: UnsafePointer<Int32>?,
    noise: RandomStream?, again: Bool
  ) {
    if again { keep(parameters, x: kept.x, adding: false, kept: kept, shared: shared, starts: starts, noise: noise) }
    let rounded = precision == .bf16 ? operand(shared.dxOperand, c.width) : nil
    let dMLP = gradient(at: .mlp, shared, noise)
    mlpOut.backwardInput(parameters, dy: dMLP, dx: shared.dInner)
    mlpOut.backwardBias(parameters, dy: dMLP, partial: shared.partial)
    let dInner = operand(shared.dInner, c.inner)
    switch c.kind {
    case .llama:
      SwiGLU.backward(
        dInner, gu: operand(kept.gu, c.gateWidth), s: operand(shared.inner, c.inner), threads: threads)
    case .gpt2:
      GELU.backward(dInner, u: operand(kept.gu, c.gateWidth), s: operand(shared.inner, c.inner), threads: threads)
    }
    mlpOut.backwardWeight(parameters, dy: dMLP, x: shared.inner, adds: adds)
    mlpIn.backward(parameters, dy: kept.gu, x: kept.normed1, dx: shared.dNormed, adds: adds)
    mlpIn.backwardBias(parameters, dy: kept.gu, partial: shared.partial)
    mlpNorm.backward(
      parameters, operand(shared.dNormed, c.width), x: stream(kept.x1), statistics: kept.scale1,
      dx: stream(shared.dx), addsTo: true, operand: rounded, partial: shared.partial)
    let dAttention = gradient(at: .attention, shared, noise)
    attentionOut.backward(parameters, dy: dAttention, x: kept.attended, dx: shared.dAttended, adds: adds)
    attentionOut.backwardBias(parameters, dy: dAttention, partial: shared.partial)
    attention.backward(
      dOutput: shared.dAttended, qkv: kept.qkv, output: kept.attended, lse: kept.lse, dQKV: shared.dQKV,
      angles: c.kind == .llama ? shared.angles : nil, rows: rows.count, starts: starts, scratch: shared.attention,
      dropout: dropout(.weights, noise))
    let dQKV = operand(shared.dQKV, c.queryWidth + 2 * c.keyWidth)
    let raw = operand(kept.raw, c.queryWidth + c.keyWidth)
    for (first, width, weight) in headNorms {
      HeadNorm.backward(
        dQKV.columns(first, count: width), x: raw.columns(first, count: width), headWidth: c.headWidth,
        w: parameters.weights + weight, epsilon: c.epsilon, dw: parameters.gradient(weight),
        partial: shared.partial, threads: threads)
    }
    attentionIn.backward(parameters, dy: shared.dQKV, x: kept.normed, dx: shared.dNormed, adds: adds)
    attentionIn.backwardBias(parameters, dy: shared.dQKV, partial: shared.partial)
    inputNorm.backward(
      parameters, operand(shared.dNormed, c.width), x: stream(kept.x), statistics: kept.scale, dx: stream(shared.dx),
      addsTo: true, operand: rounded, partial: shared.partial)
  }

  /// The gradient at what a branch gave, before elements of it were dropped.
  private func gradient(at place: Place, _ shared: Shared, _ noise: RandomStream?) -> UnsafeMutableRawPointer {
    guard let dropout = dropout(place, noise) else { return shared.dxOperand }
    dropout.apply(stream(shared.dx), into: operand(shared.dBranch, c.width), threads: threads)
    return shared.dBranch
  }
}
