// Reading one token after another, with the keys and values of all before kept: what generation does. Only the trunk and
// one head are used; the others are not even looked at.
import Kernels

/// A text being read. The network is lent for each token and may be trained in between; then begin a new decoder.
package struct Decoder: ~Copyable {
  private let storage: Storage
  private let c: Configuration
  private let keys: UnsafeMutablePointer<Float>  // [blocks, T, keys]
  private let values: UnsafeMutablePointer<Float>  // [blocks, T, keys]
  private let x: UnsafeMutablePointer<Float>  // [d]
  private let normed: UnsafeMutablePointer<Float>  // [d]
  private let qkv: UnsafeMutablePointer<Float>  // [queries + 2 keys]
  private let attended: UnsafeMutablePointer<Float>  // [queries]
  private let gu: UnsafeMutablePointer<Float>  // [gates]
  private let inner: UnsafeMutablePointer<Float>  // [inner]
  private let scores: UnsafeMutablePointer<Float>  // [heads, T]
  private let statistics: UnsafeMutablePointer<Float>  // of one row
  private let angles: UnsafeMutablePointer<Float>
  /// The tokens that are kept, oldest first: at most T.
  private var tokens: [Int32] = []

  /// - Throws: `TransformerError.memory`.
  package init(_ configuration: Configuration) throws {
    let c = configuration
    var plan = Plan()
    let keys = plan.place(c.blocks * c.context * c.keyWidth, width: 4)
    let values = plan.place(c.blocks * c.context * c.keyWidth, width: 4)
    let x = plan.place(c.width, width: 4)
    let normed = plan.place(c.width, width: 4)
    let qkv = plan.place(c.queryWidth + 2 * c.keyWidth, width: 4)
    let attended = plan.place(c.queryWidth, width: 4)
    let gu = plan.place(c.gateWidth, width: 4)
    let inner = plan.place(c.inner, width: 4)
    let scores = plan.place(c.heads * c.context, width: 4)
    let statistics = plan.place(Norm.statistics(c), width: 4)
    let angles = plan.place(c.context * c.headWidth, width: 4)
    let storage = try Storage(bytes: plan.bytes)
    let base = storage.base
    func floats(_ offset: Int) -> UnsafeMutablePointer<Float> { (base + offset).assumingMemoryBound(to: Float.self) }
    self.c = c
    self.keys = floats(keys)
    self.values = floats(values)
    self.x = floats(x)
    self.normed = floats(normed)
    self.qkv = floats(qkv)
    self.attended = floats(attended)
    self.gu = floats(gu)
    self.inner = floats(inner)
    self.scores = floats(scores)
    self.statistics = floats(statistics)
    self.angles = floats(angles)
    self.storage = storage
    Rotary.fill(self.angles, context: c.context, headWidth: c.headWidth, theta: c.ropeTheta)
  }

  /// Reads a token. Where the context is full, its older half is forgotten first.
  package mutating func read(_ token: Int32, by model: borrowing Transformer) {
    precondition(model.configuration == c, "a decoder reads for the network that it was made for")
    if tokens.count == c.context {
      let kept = Array(tokens.suffix(c.context / 2))
      tokens = []
      for token in kept { take(token, model) }
    }
    take(token, model)
  }

  /// The logits of a head for the token that follows what was read.
  /// - Returns: [V].
  package func logits(of model: borrowing Transformer, head: Int = 0) -> [Float] {
    precondition(!tokens.isEmpty, "nothing was read yet")
    return model.logits(head: head, hidden: Array(UnsafeBufferPointer(start: normed, count: c.width)))
  }

  private mutating func take(_ token: Int32, _ model: borrowing Transformer) {
    let parameters = model.parameters.weights
    let plan = model.parameters.plan
    let position = tokens.count
    x.update(from: parameters + plan.embedding + Int(token) * c.width, count: c.width)
    if let positions = plan.positions {
      Embedding.addPositions(parameters + positions + position * c.width, context: 1, x: row(x, c.width), threads: 1)
    }
    for (index, block) in plan.blocks.enumerated() {
      norm(model, block.inputNorm)
      multiply(model, block.attentionIn, rows: c.queryWidth + 2 * c.keyWidth, columns: c.width, normed, into: qkv)
      for (first, width, weight) in block.headNorms?.columns(c) ?? [] {
        HeadNorm.forward(
          row(qkv + first, width), headWidth: c.headWidth, w: parameters + weight, epsilon: c.epsilon, kept: nil,
          threads: 1)
      }
      if c.kind == .llama {
        Rotary.forward(
          row(qkv, c.queryWidth + 2 * c.keyWidth), heads: c.heads + c.keyValueHeads, headWidth: c.headWidth,
          table: angles, context: c.context, position: position, threads: 1)
      }
      let first = index * c.context * c.keyWidth
      (keys + first + position * c.keyWidth).update(from: qkv + c.queryWidth, count: c.keyWidth)
      (values + first + position * c.keyWidth).update(from: qkv + c.queryWidth + c.keyWidth, count: c.keyWidth)
      CachedAttention.forward(
        q: qkv, keys: keys + first, values: values + first, count: position + 1, heads: c.heads,
        groups: c.keyValueHeads, headWidth: c.headWidth, output: attended, scores: scores, capacity: c.context)
      multiply(model, block.attentionOut, rows: c.width, columns: c.queryWidth, attended, into: x, adds: true)
      norm(model, block.mlpNorm)
      multiply(model, block.mlpIn, rows: c.gateWidth, columns: c.width, normed, into: gu)
      switch c.kind {
      case .llama: SwiGLU.forward(row(gu, c.gateWidth), s: row(inner, c.inner), threads: 1)
      case .gpt2: GELU.forward(row(gu, c.gateWidth), s: row(inner, c.inner), threads: 1)
      }
      multiply(model, block.mlpOut, rows: c.width, columns: c.inner, inner, into: x, adds: true)
    }
    norm(model, plan.finalNorm)
    tokens.append(token)
  }

  private func row(_ base: UnsafeMutablePointer<Float>, _ columns: Int) -> Matrix {
    Matrix(base, rows: 1, columns: columns)
  }

  private func norm(_ model: borrowing Transformer, _ affine: Affine) {
    Norm(c, at: affine, threads: 1).forward(
      model.parameters.view, row(x, c.width), adding: nil, sum: row(x, c.width), y: row(normed, c.width),
      statistics: statistics)
  }

  private func multiply(
    _ model: borrowing Transformer, _ affine: Affine, rows: Int, columns: Int, _ x: UnsafePointer<Float>,
    into y: UnsafeMutablePointer<Float>, adds: Bool = false
  ) {
    let weights = Matrix(
      model.parameters.view.operand(affine.weight), rows: rows, columns: columns, precision: model.precision)
    MatrixVector.multiply(weights, x, into: y, adds: adds, threads: model.threads)
    if let bias = affine.bias {
      Embedding.addPositions(model.parameters.weights + bias, context: 1, x: row(y, rows), threads: 1)
    }
  }
}
