// A kernel to be measured, and the memory that kernels are measured on.
import Kernels
import Training
import Transformer

/// A kernel to be measured, and the work of one call.
struct KernelCase {
  let name: String
  let precision: Precision?
  let elements: Double
  /// Bytes moved through memory, with operands larger than the caches, each read or written once.
  let bytes: Double
  /// Additions and multiplications, counted in the source.
  let operations: Double
  /// The peak of the kernel's instructions, relative to that of fp32 multiply-adds.
  var peak = 1.0
  let body: () -> Void
  var times = Samples()
}

/// Memory for the kernels' operands, each of which is larger than a last-level cache.
final class Operands {
  static let rows = 16_384
  static let width = 1024
  static let context = 1024
  static let headWidth = 64
  static let vocabulary = 8192
  /// The number of rows of logits with as many bytes as the other operands.
  static let logitRows = rows * width / vocabulary

  private let blocks: [OperandStorage]
  let tokens: UnsafeMutablePointer<Int32>
  let table: UnsafeMutablePointer<Float>
  let partial: UnsafeMutablePointer<Double>
  let targets: SparseTargets
  let threads: Int

  /// A class around `Storage`, which as a noncopyable type cannot be an array's element.
  private final class OperandStorage {
    private let storage: Storage
    var base: UnsafeMutableRawPointer { storage.base }
    init(_ bytes: Int) throws { storage = try Storage(bytes: bytes) }
  }

  init(threads: Int) throws {
    let size = Self.rows * Self.width * 4
    let numbers = try (0..<6).map { _ in try OperandStorage(size) }
    let small = try (0..<3).map { _ in try OperandStorage(Self.rows * 64) }
    blocks = numbers + small
    self.threads = threads
    for (index, block) in numbers.enumerated() {
      VectorMath.fillNormal(
        block.base.assumingMemoryBound(to: Float.self), count: Self.rows * Self.width, deviation: 1,
        random: RandomStream(seed: 1, purpose: "kernels \(index)"), threads: threads)
    }
    tokens = small[0].base.assumingMemoryBound(to: Int32.self)
    let random = RandomStream(seed: 1, purpose: "tokens")
    for index in 0..<Self.rows { tokens[index] = Int32(random.bits(UInt64(index)) % UInt64(Self.vocabulary)) }
    table = small[1].base.assumingMemoryBound(to: Float.self)
    partial = small[1].base.assumingMemoryBound(to: Double.self)
    let lists = small[2].base
    targets = SparseTargets(
      tokens: tokens, weights: lists.assumingMemoryBound(to: Float.self),
      counts: (lists + Self.rows * 4).assumingMemoryBound(to: Int32.self), capacity: 1)
    for index in 0..<Self.rows {
      targets.weights[index] = 1
      targets.counts[index] = 1
    }
  }

  func floats(_ index: Int) -> UnsafeMutablePointer<Float> { blocks[index].base.assumingMemoryBound(to: Float.self) }

  /// Block `index` as a matrix. In bf16 the numbers are rounded first, so that none is NaN.
  func matrix(_ index: Int, columns: Int = width, _ precision: Precision = .fp32) -> Matrix {
    Matrix(
      blocks[index].base, rows: Self.rows * Self.width / columns, columns: columns, precision: precision)
  }

  /// Rounds the numbers of block `index` to bf16.
  func round(_ index: Int) {
    VectorMath.round(floats(5), into: blocks[index].base, count: Self.rows * Self.width, threads: threads)
  }
}
