// What blocks are made of: x ← x + branch(norm(x)), a branch after the other. A branch is one file beside this one, with its
// buffers, forward, backward, reading and arithmetic, and a row in `branchPlaces`; its tensors are in Run's
// NetworkShape+Tensors, where checkpoints can see them.
import Kernels
import Run

/// The branches of a block in order, a row each: where their buffers lie.
func branchPlaces(_ room: BranchRoom, in layout: inout ArenaLayout) -> [any BranchPlaces] {
  let attention = AttentionPlaces(room, in: &layout)
  guard let memory = room.configuration.memory else { return [attention, FeedForwardPlaces(room, in: &layout)] }
  return [attention, FeedForwardAndMemoryPlaces(MemoryShape(memory), room, in: &layout)]
}

/// What the sizes of buffers follow from.
struct BranchRoom {
  let configuration: Configuration
  /// Of a shard.
  let rows: Int
  let precision: Precision
  let isTrained: Bool
  let threads: Int
  /// Whether the block has a memory layer, in a network that has some.
  var hasMemory = true

  var positions: Int { rows * configuration.context }
}

/// What a branch is made from.
struct BranchSite {
  let configuration: Configuration
  let parameters: ParameterLayout
  /// What its tensors lie below.
  let layer: String
  /// The block's number among all blocks of the network, for its random stream.
  let number: Int
  /// Of the micro-batch.
  let rows: Range<Int>
  let precision: Precision
  let isTrained: Bool
  let products: Products
  /// What all shards share for memory layers; nil where there are none.
  let memory: SharedMemory?

  /// - Parameters:
  ///   - y: precision of the output, and its stride where that is not `out`.
  ///   - addsToOutput, addsToInput: whether y, or the gradient at x, is added to what is there.
  func linear(
    _ name: String, out: Int, in width: Int, y: ProductShape.Operand? = nil, addsToOutput: Bool = false,
    addsToInput: Bool = false
  ) throws(ProductError) -> Linear {
    try Linear(
      at: parameters.affine("\(layer)/\(name)"), rows: rows.count * configuration.context, out: out, in: width,
      precision: precision, y: y, addsToOutput: addsToOutput, addsToInput: addsToInput, isTrained: isTrained,
      products: products)
  }

  func norm(_ name: String) -> Norm {
    Norm(configuration, at: parameters.affine("\(layer)/\(name)"), threads: products.threads)
  }

  /// Where something drops elements: `place` is 0 for attention's weights, and i + 1 for what the i-th branch adds.
  func dropout(place: UInt64, firstRow: Int, _ noise: RandomStream?) -> Dropout? {
    noise.map {
      Dropout(rate: configuration.dropout, random: $0.branch(UInt64(number) * 4 + place), firstRow: firstRow)
    }
  }
}

/// Where a branch's buffers lie, before there is memory.
protocol BranchPlaces: Sendable {
  /// The places of another block's branch: what forward leaves for backward lies elsewhere, what a pass needs only while it
  /// runs at the same place.
  func another(_ room: BranchRoom, in layout: inout ArenaLayout) -> Self
  /// The most elements that one of its biases, or norms of its own, has.
  func widest(_ c: Configuration) -> Int
  func branch(_ site: BranchSite) throws(ProductError) -> any Branch
  /// Fills tables that do not change, once, in new memory.
  func fill(_ arena: Arena, _ c: Configuration)
}

/// What all operations of a pass share.
struct Pass {
  let parameters: ParameterView
  let arena: Arena
  /// Where the document of each position begins in its row; nil where every row is one document.
  let starts: UnsafePointer<Int32>?
  /// What dropout draws from; nil drops nothing.
  let noise: RandomStream?
  /// Room for each thread's own sums of a parameter's gradient.
  let partial: UnsafeMutablePointer<Float>
  /// What memory layers are measured in, at evaluations; nil in training.
  var measurement: MemoryMeasurement?

  /// The same pass, with its gradients elsewhere.
  func leaving(_ parameters: ParameterView) -> Pass {
    Pass(
      parameters: parameters, arena: arena, starts: starts, noise: noise, partial: partial, measurement: measurement)
  }
}

/// One branch of one block. x is what its norm made of the stream.
protocol Branch {
  var norm: Norm { get }
  /// The part of forward that leaves what backward needs.
  /// - Parameter x: E [M, d].
  func keep(_ pass: Pass, x: UnsafeMutableRawPointer)
  /// The rest of forward.
  /// - Parameter delta: E [M, d], written: what is added to the stream.
  func finish(_ pass: Pass, into delta: UnsafeMutableRawPointer)
  /// - Parameters:
  ///   - dy: E [M, d], the gradient at `delta`.
  ///   - x: that of forward.
  ///   - dx: E [M, d], written.
  ///   - accumulates: whether dW is added to what is there: every micro-batch but the first.
  func backward(
    _ pass: Pass, dy: UnsafeMutableRawPointer, x: UnsafeMutableRawPointer, dx: UnsafeMutableRawPointer,
    accumulates: Bool)

  /// Floats that it keeps of one text that is read, and bytes that it works with meanwhile.
  var cacheSize: Int { get }
  func roomSize(_ reading: ReadingShape) -> Int
  /// Takes new tokens through.
  /// - Parameters:
  ///   - x: [rows, d] in the reading's precision.
  ///   - stream: [rows, d] fp32, added to.
  ///   - cache: what it keeps of the first text, and goes on with.
  func read(_ reading: Reading, x: Matrix, into stream: Matrix, cache: UnsafeMutablePointer<Float>)
    throws(ProductError)
}
