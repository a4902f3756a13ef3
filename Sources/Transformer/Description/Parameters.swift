// Weights, gradients and both moments: four blocks laid out alike (ParameterLayout), so that optimizer and checkpoint are one pass over
// one block each. With Muon, the block of second moments has gaps where nothing needs one, and is laid out without them.
import Kernels

/// What an operation reads of the parameters, and where it leaves its gradients. Valid as long as their memory is.
struct ParameterView {
  let weights: UnsafeMutablePointer<Float>
  /// The weights in bf16; nil where products read the weights themselves.
  let rounded: UnsafeMutableRawPointer?
  /// Gradients of a range of elements; nil where none are left.
  fileprivate let gradients: (place: UnsafeMutablePointer<Float>, range: Range<Int>)?
  /// What shards share for memory layers; nil where there are none.
  let memory: Arena?
  /// Both moments, for rows of tables that get their updates when they are read; nil where nothing is trained.
  let moments: (first: UnsafeMutablePointer<Float>, second: UnsafeMutablePointer<Float>)?

  /// Where the gradient of the element at `offset` is left.
  func gradient(_ offset: Int) -> UnsafeMutablePointer<Float> {
    guard let gradients, gradients.range.contains(offset) else {
      preconditionFailure("no gradient of this element is left here")
    }
    return gradients.place + (offset - gradients.range.lowerBound)
  }

  /// The same weights, with gradients of one range alone, or of none.
  func leaving(_ gradients: (place: UnsafeMutablePointer<Float>, range: Range<Int>)?) -> ParameterView {
    ParameterView(weights: weights, rounded: rounded, gradients: gradients, memory: memory, moments: moments)
  }

  /// The weights from `offset` on, as an operand.
  func operand(_ offset: Int) -> UnsafeMutableRawPointer {
    if let rounded { return rounded + offset * 2 }
    return UnsafeMutableRawPointer(weights + offset)
  }
}

/// The four blocks, and the weights once more as operands of products.
package struct Parameters: ~Copyable {
  package let layout: ParameterLayout
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
  private let memoryBlock: Storage
  /// What memory layers share; nil where there are none.
  let sharedMemory: SharedMemory?
  /// How many processes divide the moments: of each block of them, only the own share is ever used.
  private let momentShares: Int

  /// Bytes of the blocks.
  static func memory(
    _ layout: ParameterLayout, precision: Precision, isTrained: Bool, shared: SharedMemory?,
    momentShares: Int = 1
  ) -> [MemoryPart: Int] {
    let bytes = layout.count * 4
    let own: [MemoryPart: Int] = [
      .weights: bytes, .gradients: isTrained ? layout.stored * 4 : 0,
      .moments: isTrained ? (bytes + layout.secondMoments * 4) / momentShares : 0,
      .operands: precision == .bf16 ? layout.stored * 2 : 0,
      .working: isTrained ? VectorMath.pieces(of: layout.stored) * MemoryLayout<Double>.stride : 0,
    ]
    return own.merging(shared?.arena.parts ?? [:], uniquingKeysWith: +)
  }

  /// - Parameters:
  ///   - isTrained: without it there are only weights.
  ///   - shared: what memory layers share; nil for a network that is neither trained nor read by.
  package init(_ layout: ParameterLayout, precision: Precision, isTrained: Bool) throws {
    try self.init(layout, precision: precision, isTrained: isTrained, shared: nil)
  }

  init(
    _ layout: ParameterLayout, precision: Precision, isTrained: Bool, shared: SharedMemory?, momentShares: Int = 1
  ) throws {
    let shared = shared ?? layout.memory.map { SharedMemory($0, precision: precision, positions: 0, threads: 1) }
    let bytes = layout.count * 4
    let memory = Self.memory(layout, precision: precision, isTrained: isTrained, shared: nil)
    let weights = try Storage(bytes: bytes)
    let gradients = try Storage(bytes: memory[.gradients]!)
    let isSparse = momentShares > 1
    let firstMoments = try Storage(bytes: isTrained ? bytes : 0, isSparse: isSparse)
    let secondMoments = try Storage(bytes: isTrained ? layout.secondMoments * 4 : 0, isSparse: isSparse)
    let operands = try Storage(bytes: memory[.operands]!)
    let norm = try Storage(bytes: memory[.working]!)
    let sharedBlock = try Storage(bytes: shared?.arena.bytes ?? 0)
    self.layout = layout
    self.precision = precision
    self.isTrained = isTrained
    weightBlock = weights
    gradientBlock = gradients
    firstMomentBlock = firstMoments
    secondMomentBlock = secondMoments
    operandBlock = operands
    normBlock = norm
    memoryBlock = sharedBlock
    sharedMemory = shared
    self.momentShares = momentShares
  }

  /// Has each thread write a zero into the pages of the elements that it updates (AdamW's division of a tensor), before anyone else
  /// uses them: on a machine with several memories (NUMA), the kernel takes a page from the memory next to the thread that writes
  /// to it first. A checkpoint's numbers, which one thread copies, lie there too. Call this once, after `init`.
  func touch(threads: Int) {
    for tensor in layout.tensors {
      var places = [(start: UnsafeMutableRawPointer(weights + tensor.offset), width: 4)]
      if let rounded, tensor.offset < layout.stored { places.append((rounded + 2 * tensor.offset, 2)) }
      if isTrained {
        if tensor.hasStoredGradient { places.append((UnsafeMutableRawPointer(gradients + tensor.offset), 4)) }
        // Of moments that processes divide, most are never used here.
        if momentShares == 1 {
          places.append((UnsafeMutableRawPointer(firstMoments + tensor.offset), 4))
          if let second = tensor.secondMoment { places.append((UnsafeMutableRawPointer(secondMoments + second), 4)) }
        }
      }
      Team.split(tensor.count, threads: threads, grain: 16) { _, range in
        for (start, width) in places {
          let (own, bytes) = (start + width * range.lowerBound, width * range.count)
          for page in stride(from: 0, to: bytes, by: 4096) { own.storeBytes(of: 0, toByteOffset: page, as: UInt8.self) }
          own.storeBytes(of: 0, toByteOffset: bytes - 1, as: UInt8.self)
        }
      }
    }
  }

  /// What was allocated.
  var bytes: Int {
    weightBlock.bytes + gradientBlock.bytes + (firstMomentBlock.bytes + secondMomentBlock.bytes) / momentShares
      + operandBlock.bytes + normBlock.bytes + (sharedMemory == nil ? 0 : memoryBlock.bytes)
  }

  /// All of them, with their own gradients.
  var view: ParameterView {
    ParameterView(
      weights: weightBlock.floats, rounded: rounded,
      gradients: isTrained ? (gradientBlock.floats, 0..<layout.stored) : nil,
      memory: sharedMemory.map { Arena(memoryBlock.base, $0.arena) },
      moments: isTrained ? (firstMomentBlock.floats, secondMomentBlock.floats) : nil)
  }

  package var weights: UnsafeMutablePointer<Float> { weightBlock.floats }
  package var gradients: UnsafeMutablePointer<Float> { trained(gradientBlock.floats) }
  package var firstMoments: UnsafeMutablePointer<Float> { trained(firstMomentBlock.floats) }
  /// Of each tensor from its own offset `secondMoment` on.
  package var secondMoments: UnsafeMutablePointer<Float> { trained(secondMomentBlock.floats) }
  /// The weights in bf16; nil where products read the weights themselves.
  package var rounded: UnsafeMutableRawPointer? { precision == .bf16 ? operandBlock.base : nil }

  private func trained(_ floats: UnsafeMutablePointer<Float>) -> UnsafeMutablePointer<Float> {
    precondition(isTrained, "a network made for reading has no gradients")
    return floats
  }

  /// The sum of the squares of the gradients in some ranges, of which none is longer than the block.
  package func gradientSquares(in ranges: [Range<Int>], threads: Int) -> Double {
    ranges.reduce(0) { sum, range in
      let norm = VectorMath.norm(
        gradients + range.lowerBound, count: range.count, partial: partialSums, threads: threads)
      return sum + norm * norm
    }
  }

  /// The Euclidean norm of all gradients.
  func gradientNorm(threads: Int) -> Double {
    let norm = VectorMath.norm(gradients, count: layout.stored, partial: partialSums, threads: threads)
    guard layout.memory != nil else { return norm }
    return (norm * norm + tableSquares(threads: threads)).squareRoot()
  }

  /// The sum of the squares of each tensor's numbers in one of the blocks, in the order of the layout. Tables of memory layers,
  /// whose gradients are never stored, count as 0.
  package func squares(of block: UnsafePointer<Float>, threads: Int) -> [Double] {
    layout.tensors.map { tensor in
      guard tensor.hasStoredGradient else { return 0 }
      let norm = VectorMath.norm(block + tensor.offset, count: tensor.count, partial: partialSums, threads: threads)
      return norm * norm
    }
  }

  /// Room to add up a norm of any tensor: `VectorMath.pieces(of: layout.count)` doubles.
  package var partialSums: UnsafeMutablePointer<Double> { normBlock.base.assumingMemoryBound(to: Double.self) }

  /// Makes the operands agree with the weights, after the weights were set from outside.
  package func roundOperands(threads: Int) {
    if let rounded { VectorMath.round(weights, into: rounded, count: layout.stored, threads: threads) }
    normKeys(threads: threads)
  }

  /// Normal weights of the given deviation, norms 1, biases 0.
  /// - Parameters:
  ///   - residualScale: what the deviation of the branches' last matrices is multiplied with.
  ///   - progress: receives before each tensor how many of how many weights are done.
  package func initialize(
    seed: UInt64, deviation: Double, residualScale: Double = 1, threads: Int,
    progress: (Int, Int) -> Void = { _, _ in }
  ) {
    for tensor in layout.tensors {
      progress(tensor.offset, layout.count)
      let w = weights + tensor.offset
      switch tensor.start {
      case .normal, .residual:
        VectorMath.fillNormal(
          w, count: tensor.count, deviation: deviation * (tensor.start == .residual ? residualScale : 1),
          random: RandomStream(seed: seed, purpose: "weights \(tensor.path)"), threads: threads)
      case .ones: w.update(repeating: 1, count: tensor.count)
      case .zeros: w.update(repeating: 0, count: tensor.count)
      case .keys:
        VectorMath.fillNormal(
          w, count: tensor.count, deviation: 1 / Double(tensor.shape[1]).squareRoot(),
          random: RandomStream(seed: seed, purpose: "weights \(tensor.path)"), threads: threads)
      case .uniform:
        let random = RandomStream(seed: seed, purpose: "weights \(tensor.path)")
        for i in 0..<tensor.count { w[i] = Float(random.uniform(UInt64(i))) }
      case .calibrated: break
      }
    }
    calibrateMemory(seed: seed, deviation: deviation, residualScale: residualScale, threads: threads)
    forgetPostponedUpdates(threads: threads)
    roundOperands(threads: threads)
    progress(layout.count, layout.count)
  }
}
