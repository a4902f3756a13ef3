// Weights, gradients and both moments: four blocks laid out by one plan, so that optimizer and checkpoint are one pass over
// one block each.
import Kernels

/// Where every tensor lies in a block of parameters.
package struct ParameterPlan: Sendable {
  package struct Tensor: Sendable, Equatable {
    /// What it is before the first step.
    package enum Start: Sendable, Equatable {
      /// Normal, of the deviation asked for; `residual`: what a branch adds to the stream, and may begin smaller.
      case normal, residual
      case ones, zeros
    }

    /// Its Hugging Face name with `/` for `.`: Llama's (`model/layers/0/mlp/up_proj/weight`), or GPT-2's
    /// (`transformer/h/0/mlp/c_fc/weight`, though always `[out, in]`, where transformers' Conv1D has `[in, out]`). Heads
    /// are `lm_head` and `top_head`; the k-th MTP head, k = 0, 1, …, has the names of a block, and `hnorm`, `enorm`,
    /// `eh_proj`, below `mtp/heads/k`.
    package var path: String
    /// Row-major; `[out, in]` for a matrix, `[context, width]` for positions, `[d]` for a norm or a bias.
    package var shape: [Int]
    /// Elements from the start of the block.
    package var offset: Int
    package var start: Start

    package var count: Int { shape.reduce(1, *) }
    /// Positions count as one; norms and biases do not.
    package var isMatrix: Bool { shape.count > 1 }
  }

  /// Offsets of one block's tensors, in elements.
  struct Block: Sendable {
    var inputNorm: Affine
    /// [queries; keys; values] as one matrix.
    var attentionIn: Affine
    /// Of queries and keys, where they are normed.
    var headNorms: HeadNorms?
    var attentionOut: Affine
    var mlpNorm: Affine
    /// Llama: [gate; up] as one matrix.
    var mlpIn: Affine
    var mlpOut: Affine
  }

  /// Tensors whose gradients come about together, one behind the other.
  struct Section: Sendable {
    let range: Range<Int>
    /// What no product writes: norms and biases, to which is only ever added, and gaps between tensors.
    let added: [Range<Int>]
  }

  struct HeadNorms: Sendable {
    var queries: Int
    var keys: Int

    /// First column among queries, keys and values, number of columns, and place of the weight.
    func columns(_ c: Configuration) -> [(first: Int, width: Int, weight: Int)] {
      [(0, c.queryWidth, queries), (c.queryWidth, c.keyWidth, keys)]
    }
  }

  package private(set) var tensors: [Tensor] = []
  /// Elements of a block, gaps for alignment included.
  package private(set) var count = 0
  /// What a block's backward gives gradients of: of the trunk's blocks, and of the heads beyond the first.
  let blockSections: [Section]
  let multiTokenSections: [Section]
  /// The final norm and the unembeddings.
  let headSection: Section
  let embedding: Int
  /// [T, d], where positions are learned.
  let positions: Int?
  let blocks: [Block]
  /// One a head beyond the first.
  let multiToken: [MultiTokenHead.Offsets]
  let finalNorm: Affine
  /// The unembeddings of all heads, one below the other.
  let unembedding: Int

  package init(_ configuration: Configuration) {
    let c = configuration
    let names = TensorNames(c.kind)
    var tensors: [Tensor] = []
    var count = 0
    /// Tensors that form one matrix together: no gap between them.
    func place(_ parts: [(String, [Int])], start: Tensor.Start = .normal) -> Int {
      let first = count
      for (path, shape) in parts {
        tensors.append(Tensor(path: path, shape: shape, offset: count, start: start))
        count += shape.reduce(1, *)
      }
      count = wholeVectors(count)
      return first
    }
    /// A weight of several tensors below each other, with a bias where the network has them.
    func linear(_ names: [String], out: [Int], in width: Int, start: Tensor.Start = .normal) -> Affine {
      let weight = place(zip(names, out).map { ("\($0)/weight", [$1, width]) }, start: start)
      guard c.kind == .gpt2 else { return Affine(weight: weight) }
      return Affine(weight: weight, bias: place(zip(names, out).map { ("\($0)/bias", [$1]) }, start: .zeros))
    }
    func norm(_ name: String) -> Affine {
      let weight = place([("\(name)/weight", [c.width])], start: .ones)
      guard c.kind == .gpt2 else { return Affine(weight: weight) }
      return Affine(weight: weight, bias: place([("\(name)/bias", [c.width])], start: .zeros))
    }
    /// Everything that `make` places.
    func section<Made>(_ make: () -> Made) -> (made: Made, section: Section) {
      let (firstTensor, first) = (tensors.count, count)
      let made = make()
      var added: [Range<Int>] = []
      var end = first
      for matrix in tensors[firstTensor...] where matrix.isMatrix {
        if matrix.offset > end { added.append(end..<matrix.offset) }
        end = matrix.offset + matrix.count
      }
      if count > end { added.append(end..<count) }
      return (made, Section(range: first..<count, added: added))
    }
    let embeddingTensor = ("\(names.embedding)/weight", [c.vocabulary, c.width])
    var embedding = c.isTied ? 0 : place([embeddingTensor])
    positions = c.kind == .gpt2 ? place([("\(names.positions)/weight", [c.context, c.width])]) : nil
    func block(_ layer: String) -> Block {
      func path(_ name: String) -> String { "\(layer)/\(name)" }
      let parts = names.block
      let inputNorm = norm(path(parts.inputNorm))
      let (queries, keys) = (c.queryWidth, c.keyWidth)
      let attentionIn = linear(
        parts.attentionIn.map(path), out: parts.attentionIn.count == 1 ? [queries + 2 * keys] : [queries, keys, keys],
        in: c.width)
      let headNorms =
        c.hasHeadNorms
        ? HeadNorms(
          queries: place([(path("self_attn/q_norm/weight"), [c.headWidth])], start: .ones),
          keys: place([(path("self_attn/k_norm/weight"), [c.headWidth])], start: .ones)) : nil
      return Block(
        inputNorm: inputNorm, attentionIn: attentionIn, headNorms: headNorms,
        attentionOut: linear([path(parts.attentionOut)], out: [c.width], in: queries, start: .residual),
        mlpNorm: norm(path(parts.mlpNorm)),
        mlpIn: linear(parts.mlpIn.map(path), out: parts.mlpIn.map { _ in c.inner }, in: c.width),
        mlpOut: linear([path(parts.mlpOut)], out: [c.width], in: c.inner, start: .residual))
    }
    let trunk = (0..<c.blocks).map { number in section { block("\(names.layers)/\(number)") } }
    blocks = trunk.map(\.made)
    blockSections = trunk.map(\.section)
    let further = (0..<c.streams.count - 1).map { index in
      section {
        let layer = "mtp/heads/\(index)"
        guard c.multiToken == .sequential else { return MultiTokenHead.Offsets(block: block(layer), joint: nil) }
        return MultiTokenHead.Offsets(
          block: block(layer),
          joint: MultiTokenHead.Joint(
            hiddenNorm: norm("\(layer)/hnorm"), embeddingNorm: norm("\(layer)/enorm"),
            projection: linear(["\(layer)/eh_proj"], out: [c.width], in: 2 * c.width)))
      }
    }
    multiToken = further.map(\.made)
    multiTokenSections = further.map(\.section)
    // A tied embedding stands where its head's unembedding would, so that all heads stay one matrix.
    var heads = c.streams[0].map { ("\(c.objectives[$0].tensorName)/weight", [c.vocabulary, c.width]) }
    if c.isTied { heads[0] = embeddingTensor }
    let end = section { (norm: norm(names.finalNorm), unembedding: place(heads)) }
    headSection = end.section
    finalNorm = end.made.norm
    unembedding = end.made.unembedding
    if c.isTied { embedding = unembedding }
    self.embedding = embedding
    self.tensors = tensors
    self.count = count
  }

  /// Number of trained parameters, gaps not counted.
  package var parameters: Int { tensors.reduce(0) { $0 + $1.count } }

  /// Elements of the heads' section, and of the largest of a block.
  var largestSections: (heads: Int, block: Int) {
    (headSection.range.count, (blockSections + multiTokenSections).map(\.range.count).max() ?? 0)
  }
}

/// What an operation reads of the parameters, and where it leaves its gradients. Valid as long as their memory is.
struct ParameterView {
  let weights: UnsafeMutablePointer<Float>
  /// The weights in bf16; nil where products read the weights themselves.
  let rounded: UnsafeMutableRawPointer?
  /// Gradients of a range of elements; nil where none are left.
  fileprivate let gradients: (place: UnsafeMutablePointer<Float>, range: Range<Int>)?

  /// Where the gradient of the element at `offset` is left.
  func gradient(_ offset: Int) -> UnsafeMutablePointer<Float> {
    guard let gradients, gradients.range.contains(offset) else {
      preconditionFailure("no gradient of this element is left here")
    }
    return gradients.place + (offset - gradients.range.lowerBound)
  }

  /// The same weights, with gradients of one range alone, or of none.
  func leaving(_ gradients: (place: UnsafeMutablePointer<Float>, range: Range<Int>)?) -> ParameterView {
    ParameterView(weights: weights, rounded: rounded, gradients: gradients)
  }

  /// The weights from `offset` on, as an operand.
  func operand(_ offset: Int) -> UnsafeMutableRawPointer {
    if let rounded { return rounded + offset * 2 }
    return UnsafeMutableRawPointer(weights + offset)
  }
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
  /// What the norm of the gradients is added up from.
  private let normBlock: Storage

  /// Bytes of the blocks.
  static func memory(_ plan: ParameterPlan, precision: Precision, isTrained: Bool) -> [MemoryPart: Int] {
    let bytes = plan.count * 4
    return [
      .weights: bytes, .gradients: isTrained ? bytes : 0, .moments: isTrained ? 2 * bytes : 0,
      .operands: precision == .bf16 ? plan.count * 2 : 0,
      .working: isTrained ? Kernels.Block.pieces(of: plan.count) * MemoryLayout<Double>.stride : 0,
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
    let norm = try Storage(bytes: memory[.working]!)
    self.plan = plan
    self.precision = precision
    self.isTrained = isTrained
    weightBlock = weights
    gradientBlock = gradients
    firstMomentBlock = firstMoments
    secondMomentBlock = secondMoments
    operandBlock = operands
    normBlock = norm
  }

  /// What was allocated.
  var bytes: Int {
    weightBlock.bytes + gradientBlock.bytes + firstMomentBlock.bytes + secondMomentBlock.bytes + operandBlock.bytes
      + normBlock.bytes
  }

  /// All of them, with their own gradients.
  var view: ParameterView {
    ParameterView(
      weights: weightBlock.floats, rounded: rounded,
      gradients: isTrained ? (gradientBlock.floats, 0..<plan.count) : nil)
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

  /// The Euclidean norm of all gradients.
  func gradientNorm(threads: Int) -> Double {
    Kernels.Block.norm(
      gradients, count: plan.count, partial: normBlock.base.assumingMemoryBound(to: Double.self), threads: threads)
  }

  /// Makes the operands agree with the weights, after the weights were set from outside.
  package func roundOperands(threads: Int) {
    if let rounded { Kernels.Block.round(weights, into: rounded, count: plan.count, threads: threads) }
  }

  /// Normal weights of the given deviation, norms 1, biases 0.
  /// - Parameter residualScale: what the deviation of the branches' last matrices is multiplied with.
  package func initialize(seed: UInt64, deviation: Double, residualScale: Double = 1, threads: Int) {
    for tensor in plan.tensors {
      let w = weights + tensor.offset
      switch tensor.start {
      case .normal, .residual:
        Kernels.Block.fillNormal(
          w, count: tensor.count, deviation: deviation * (tensor.start == .residual ? residualScale : 1),
          random: RandomStream(seed: seed, purpose: "weights \(tensor.path)"), threads: threads)
      case .ones: w.update(repeating: 1, count: tensor.count)
      case .zeros: w.update(repeating: 0, count: tensor.count)
      }
    }
    roundOperands(threads: threads)
  }
}
