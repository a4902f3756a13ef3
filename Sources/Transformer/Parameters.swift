// Weights, gradients and both moments: four blocks laid out by one plan, so that optimizer and checkpoint are one pass over
// one block each.
import Kernels

/// Where every tensor lies in a block of parameters.
package struct ParameterPlan: Sendable {
  package struct Tensor: Sendable, Equatable {
    /// Its Hugging Face Llama name with `/` for `.`.
    package var path: String
    /// Row-major; `[out, in]` for a matrix, `[d]` for a norm.
    package var shape: [Int]
    /// Elements from the start of the block.
    package var offset: Int

    package var count: Int { shape.reduce(1, *) }
    package var isMatrix: Bool { shape.count > 1 }
  }

  /// Offsets of one block's tensors, in elements.
  struct Block: Sendable {
    var inputNorm: Int
    /// [queries; keys; values] as one matrix.
    var attentionIn: Int
    var attentionOut: Int
    var mlpNorm: Int
    /// [gate; up] as one matrix.
    var mlpIn: Int
    var mlpOut: Int
  }

  package private(set) var tensors: [Tensor] = []
  /// Elements of a block, gaps for alignment included.
  package private(set) var count = 0
  let embedding: Int
  let blocks: [Block]
  /// One a head beyond the first.
  let multiToken: [MultiTokenHead.Offsets]
  let finalNorm: Int
  /// The unembeddings of all heads, one below the other.
  let unembedding: Int

  package init(_ configuration: Configuration) {
    let c = configuration
    var tensors: [Tensor] = []
    var count = 0
    /// Tensors that form one matrix together: no gap between them.
    func place(_ parts: [(String, [Int])]) -> Int {
      let start = count
      for (path, shape) in parts {
        tensors.append(Tensor(path: path, shape: shape, offset: count))
        count += shape.reduce(1, *)
      }
      count = (count + 15) / 16 * 16
      return start
    }
    let embeddingTensor = ("model/embed_tokens/weight", [c.vocabulary, c.width])
    var embedding = c.isTied ? 0 : place([embeddingTensor])
    func block(_ layer: String) -> Block {
      func path(_ name: String) -> String { "\(layer)/\(name)/weight" }
      return Block(
        inputNorm: place([(path("input_layernorm"), [c.width])]),
        attentionIn: place([
          (path("self_attn/q_proj"), [c.queryWidth, c.width]), (path("self_attn/k_proj"), [c.keyWidth, c.width]),
          (path("self_attn/v_proj"), [c.keyWidth, c.width]),
        ]),
        attentionOut: place([(path("self_attn/o_proj"), [c.width, c.queryWidth])]),
        mlpNorm: place([(path("post_attention_layernorm"), [c.width])]),
        mlpIn: place([(path("mlp/gate_proj"), [c.inner, c.width]), (path("mlp/up_proj"), [c.inner, c.width])]),
        mlpOut: place([(path("mlp/down_proj"), [c.width, c.inner])]))
    }
    blocks = (0..<c.blocks).map { block("model/layers/\($0)") }
    multiToken = (0..<c.streams.count - 1).map { index in
      let layer = "mtp/heads/\(index)"
      guard c.multiToken == .sequential else { return MultiTokenHead.Offsets(block: block(layer), joint: nil) }
      return MultiTokenHead.Offsets(
        block: block(layer),
        joint: MultiTokenHead.Joint(
          hiddenNorm: place([("\(layer)/hnorm/weight", [c.width])]),
          embeddingNorm: place([("\(layer)/enorm/weight", [c.width])]),
          projection: place([("\(layer)/eh_proj/weight", [c.width, 2 * c.width])])))
    }
    finalNorm = place([("model/norm/weight", [c.width])])
    // A tied embedding stands where its head's unembedding would, so that all heads stay one matrix.
    var heads = c.streams[0].map { ("\(c.objectives[$0].tensorName)/weight", [c.vocabulary, c.width]) }
    if c.isTied { heads[0] = embeddingTensor }
    unembedding = place(heads)
    if c.isTied { embedding = unembedding }
    self.embedding = embedding
    self.tensors = tensors
    self.count = count
  }

  /// Number of trained parameters, gaps not counted.
  package var parameters: Int { tensors.reduce(0) { $0 + $1.count } }
}

/// The four blocks, and the weights once more as operands of products.
package struct Parameters: ~Copyable {
  package let plan: ParameterPlan
  package let precision: Precision
  package let isTrained: Bool
  // Blocks that are not needed are empty.
  private let weightBlock: Storage
  private let gradientBlock: Storage
  private let firstMomentBlock: Storage
  private let secondMomentBlock: Storage
  private let operandBlock: Storage

  /// Bytes of the blocks.
  static func memory(_ plan: ParameterPlan, precision: Precision, isTrained: Bool) -> [MemoryPart: Int] {
    let bytes = plan.count * 4
    return [
      .weights: bytes, .gradients: isTrained ? bytes : 0, .moments: isTrained ? 2 * bytes : 0,
      .operands: precision == .bf16 ? plan.count * 2 : 0,
    ]
  }

  /// - Parameter isTrained: without it there are only weights.
  package init(_ plan: ParameterPlan, precision: Precision, isTrained: Bool) throws {
    let memory = Self.memory(plan, precision: precision, isTrained: isTrained)
    let weights = try Storage(bytes: memory[.weights]!)
    let gradients = try Storage(bytes: memory[.gradients]!)
    let firstMoments = try Storage(bytes: memory[.moments]! / 2)
    let secondMoments = try Storage(bytes: memory[.moments]! / 2)
    let operands = try Storage(bytes: memory[.operands]!)
    self.plan = plan
    self.precision = precision
    self.isTrained = isTrained
    weightBlock = weights
    gradientBlock = gradients
    firstMomentBlock = firstMoments
    secondMomentBlock = secondMoments
    operandBlock = operands
  }

  /// What was allocated.
  var bytes: Int {
    weightBlock.bytes + gradientBlock.bytes + firstMomentBlock.bytes + secondMomentBlock.bytes + operandBlock.bytes
  }

  package var weights: UnsafeMutablePointer<Float> { weightBlock.floats }
  package var gradients: UnsafeMutablePointer<Float> { trained(gradientBlock.floats) }
  package var firstMoments: UnsafeMutablePointer<Float> { trained(firstMomentBlock.floats) }
  package var secondMoments: UnsafeMutablePointer<Float> { trained(secondMomentBlock.floats) }
  /// The weights in bf16; nil where products read the weights themselves.
  package var rounded: UnsafeMutableRawPointer? { precision == .bf16 ? operandBlock.base : nil }

  private func trained(_ floats: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> {
    precondition(isTrained, "a network made for reading has no gradients")
    return floats
  }

  /// The weights from `offset` on, as an operand.
  func operand(_ offset: Int) -> UnsafeMutableRawPointer {
    if let rounded { return rounded + offset * 2 }
    return UnsafeMutableRawPointer(weights + offset)
  }

  /// Makes the operands agree with the weights, after the weights were set from outside.
  package func roundOperands(threads: Int) {
    if let rounded { Kernels.Block.round(weights, into: rounded, count: plan.count, threads: threads) }
  }

  /// Normal weights of the given deviation, norms 1.
  package func initialize(seed: UInt64, deviation: Double, threads: Int) {
    for tensor in plan.tensors {
      let w = weights + tensor.offset
      if tensor.isMatrix {
        Kernels.Block.fillNormal(
          w, count: tensor.count, deviation: deviation,
          random: RandomStream(seed: seed, purpose: "weights \(tensor.path)"), threads: threads)
      } else {
        w.update(repeating: 1, count: tensor.count)
      }
    }
    roundOperands(threads: threads)
  }
}
