// The machine's limit: the matrix products of a step's linear layers alone (forward, and both gradients), as oneDNN computes
// them with all threads and all positions at once. Attention's own products are not included.
import Kernels
import Run
import Transformer

final class ProductsAlone {
  /// A weight matrix, and the number of its uses in a step.
  struct LinearShape: Equatable {
    var name: String
    var out: Int
    var input: Int
    var times: Int
  }

  /// The three products of a layer with this batch.
  struct Run {
    let layer: LinearShape
    let positions: Int
    let forward: Product
    let input: Product
    let weight: Product

    var operations: Double { forward.operations + input.operations + weight.operations }
  }

  let runs: [Run]
  /// The number of pieces of `positions` in a batch.
  private let pieces: Int
  private let products: Products
  private let a: Storage
  private let b: Storage
  private let c: Storage

  /// The positions of a piece, if they divide the batch: larger products are not faster.
  private static let piece = 4096

  /// The matrices of the network's description, with equal shapes counted together, and an unembedding counted once per head
  /// that uses it.
  static func layers(_ c: Configuration) -> [LinearShape] {
    var layers: [LinearShape] = []
    func add(_ name: String, _ out: Int, _ input: Int, times: Int = 1) {
      if let index = layers.firstIndex(where: { $0.name == name && $0.out == out && $0.input == input }) {
        layers[index].times += times
      } else {
        layers.append(LinearShape(name: name, out: out, input: input, times: times))
      }
    }
    let matrices = c.shape.tensors.filter(\.isMatrix)
    var index = 0
    while index < matrices.count {
      let first = matrices[index]
      var out = first.shape[0]
      index += 1
      while index < matrices.count, matrices[index].isJoined {
        out += matrices[index].shape[0]
        index += 1
      }
      if let name = first.role.layer { add(name, out, first.shape[1], times: c.uses(of: first.role)) }
    }
    for stream in c.streams { add("unembedding", stream.count * c.vocabulary, c.width) }
    if let joint = c.joint { add("unembedding", c.vocabulary, c.width, times: joint.heads.count) }
    return layers
  }

  init(_ workload: Workload, products: Products) throws {
    self.products = products
    let all = workload.positions
    let M = all % Self.piece == 0 ? Self.piece : all
    pieces = all / M
    let p = workload.precision
    typealias Operand = ProductShape.Operand
    var bytes = (a: 0, b: 0, c: 0)
    runs = try Self.layers(workload.configuration).map { layer in
      let x = Operand(stride: layer.input, precision: p)
      let y = Operand(stride: layer.out, precision: p)
      let weights = layer.out * layer.input
      bytes.a = max(bytes.a, M * max(layer.out, layer.input) * p.bytes)
      bytes.b = max(bytes.b, max(weights, M * layer.input) * p.bytes)
      bytes.c = max(bytes.c, M * max(layer.out, layer.input) * p.bytes, weights * 4)
      return Run(
        layer: layer, positions: M,
        forward: try products[
          ProductShape(
            m: M, n: layer.out, k: layer.input, a: x,
            b: Operand(stride: layer.input, precision: p, isTransposed: true), c: y)],
        input: try products[ProductShape(m: M, n: layer.input, k: layer.out, a: y, b: x, c: x)],
        weight: try products[
          ProductShape(
            m: layer.out, n: layer.input, k: M, a: Operand(stride: layer.out, precision: p, isTransposed: true), b: x,
            c: Operand(stride: layer.input, precision: .fp32))])
    }
    a = try Storage(bytes: bytes.a)
    b = try Storage(bytes: bytes.b)
    c = try Storage(bytes: bytes.c)
  }

  /// Floating-point operations of `run`.
  var operations: Double {
    Double(pieces) * runs.reduce(0) { $0 + $1.operations * Double($1.layer.times) }
  }

  /// Computes all products of one micro-batch.
  func run() {
    for _ in 0..<pieces {
      for run in runs {
        for _ in 0..<run.layer.times {
          self.run(run.forward)
          self.run(run.input)
          self.run(run.weight)
        }
      }
    }
  }

  func run(_ product: Product) { product(a.base, b.base, into: c.base) }

  /// - Throws: `UserError` if a product failed, which makes the measurement useless.
  func requireSuccess() throws(UserError) {
    if let failure = products.failure { throw UserError(.unavailable, "\(failure)") }
  }
}

extension TensorRole {
  /// The name of the layer with this matrix; nil for tensors that are not in a product of every token. Unembeddings are counted
  /// by heads.
  fileprivate var layer: String? {
    switch self {
    case .attentionIn: "queries, keys, values"
    case .attentionOut: "attention out"
    case .feedForwardIn: "into the MLP"
    case .feedForwardOut: "out of the MLP"
    case .joint: "joints"
    case .fetchIn: "into Fetch"
    case .fetchOut: "out of Fetch"
    case .memoryQuery: "memory: queries"
    case .memoryIn: "memory: into pre-values"
    case .memoryOut: "memory: out"
    case .memoryKeys, .memoryCores, .memoryFilter, .memoryTable: nil
    case .embedding, .positions, .norm, .bias, .unembedding: nil
    }
  }
}
