// The products of the machine's limit (`MachineLimit`): those of a step's linear layers alone (forward, and both gradients), as
// oneDNN computes them with all threads and all positions at once. Attention's own products are not included. Whoever has a clock
// measures them: the benchmark, and the trainer between two steps.
import Kernels
import Run

/// The products of a network's linear layers, with memory of their own.
package final class ProductsAlone {
  /// A weight matrix, and the number of its uses in a step.
  package struct LinearShape: Equatable, Sendable {
    package var name: String
    package var out: Int
    package var input: Int
    package var times: Int
  }

  /// The three products of a layer with this batch.
  package struct Run {
    package let layer: LinearShape
    package let positions: Int
    package let forward: Product
    package let input: Product
    package let weight: Product

    package var products: [Product] { [forward, input, weight] }
    /// Floating-point operations of the three products, which may have a part of the layer's rows (see `init`).
    package var operations: Double { forward.operations + input.operations + weight.operations }
    /// Floating-point operations of the whole layer, in all of its uses, with this batch.
    package var allOperations: Double {
      6 * Double(positions) * Double(layer.out) * Double(layer.input) * Double(layer.times)
    }
  }

  package let runs: [Run]
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
  package static func layers(_ c: Configuration) -> [LinearShape] {
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

  /// Floating-point operations of a token in these layers, forward and backward.
  package static func operationsPerToken(_ c: Configuration) -> Double {
    layers(c).reduce(0) { $0 + 6 * Double($1.out) * Double($1.input) * Double($1.times) }
  }

  /// Makes the products.
  /// - Parameters:
  ///   - positions: of a micro-batch.
  ///   - products: the products of the whole team.
  ///   - mostWeights: the most weights of a product. Of a larger layer, a part of the rows is multiplied.
  /// - Throws: `TransformerError.memory` when memory is short, `ProductError` when oneDNN refuses a product.
  package init(
    _ configuration: Configuration, positions all: Int, precision p: Precision, products: Products,
    mostWeights: Int = .max
  ) throws {
    self.products = products
    let M = all % Self.piece == 0 ? Self.piece : all
    pieces = all / M
    typealias Operand = ProductShape.Operand
    var bytes = (a: 0, b: 0, c: 0)
    runs = try Self.layers(configuration).map { layer in
      let out = min(layer.out, max(64, mostWeights / layer.input))
      let x = Operand(stride: layer.input, precision: p)
      let y = Operand(stride: out, precision: p)
      let weights = out * layer.input
      bytes.a = max(bytes.a, M * max(out, layer.input) * p.bytes)
      bytes.b = max(bytes.b, max(weights, M * layer.input) * p.bytes)
      bytes.c = max(bytes.c, M * max(out, layer.input) * p.bytes, weights * 4)
      return Run(
        layer: layer, positions: M,
        forward: try products[
          ProductShape(
            m: M, n: out, k: layer.input, a: x,
            b: Operand(stride: layer.input, precision: p, isTransposed: true), c: y)],
        input: try products[ProductShape(m: M, n: layer.input, k: out, a: y, b: x, c: x)],
        weight: try products[
          ProductShape(
            m: out, n: layer.input, k: M, a: Operand(stride: out, precision: p, isTransposed: true), b: x,
            c: Operand(stride: layer.input, precision: .fp32))])
    }
    a = try Storage(bytes: bytes.a)
    b = try Storage(bytes: bytes.b)
    c = try Storage(bytes: bytes.c)
  }

  /// Floating-point operations of a micro-batch in all layers.
  package var operations: Double { Double(pieces) * runs.reduce(0) { $0 + $1.allOperations } }

  /// Computes all products of one micro-batch.
  package func run() {
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

  package func run(_ product: Product) { product(a.base, b.base, into: c.base) }

  /// - Throws: `UserError` if a product failed, which makes the measurement useless.
  package func requireSuccess() throws(UserError) {
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
