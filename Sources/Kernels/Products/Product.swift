// Matrix products by oneDNN: a primitive is made once for a shape, kept, and run on our pointers.
import CDNNL

/// c[m, n] = a[m, k] · b[k, n], or c += a · b, or c = a · b + bias in every row.
package struct ProductShape: Hashable, Sendable {
  /// How an operand lies in memory.
  package struct Operand: Hashable, Sendable {
    /// Elements from one stored row to the next.
    package var stride: Int
    package var precision: Precision
    /// Stored as [k, m] where [m, k] is meant.
    package var isTransposed: Bool

    package init(stride: Int, precision: Precision, isTransposed: Bool = false) {
      (self.stride, self.precision, self.isTransposed) = (stride, precision, isTransposed)
    }
  }

  package var m: Int
  package var n: Int
  package var k: Int
  package var a: Operand
  package var b: Operand
  package var c: Operand
  package var accumulates: Bool
  /// Whether a bias [n], fp32, is added to every row.
  package var hasBias: Bool

  package init(
    m: Int, n: Int, k: Int, a: Operand, b: Operand, c: Operand, accumulates: Bool = false, hasBias: Bool = false
  ) {
    self.m = m
    self.n = n
    self.k = k
    self.a = a
    self.b = b
    self.c = c
    self.accumulates = accumulates
    self.hasBias = hasBias
  }
}

/// An error of oneDNN.
package struct ProductError: Error, CustomStringConvertible {
  package let description: String
}

/// A product of one shape, ready to run. Keep it: making one compiles machine code.
package final class Product {
  private let primitive: dnnl_primitive_t
  /// a, b, c, scratch and, where there is one, bias.
  private let memories: [dnnl_memory_t]
  private let engine: Engine
  let scratchBytes: Int
  /// Floating-point operations a run.
  package let operations: Double

  fileprivate init(_ shape: ProductShape, engine: Engine) throws(ProductError) {
    var request = dnnlx_matmul_shape(
      m: Int64(shape.m), n: Int64(shape.n), k: Int64(shape.k),
      a_stride: Int64(shape.a.stride), b_stride: Int64(shape.b.stride), c_stride: Int64(shape.c.stride),
      a_transposed: shape.a.isTransposed ? 1 : 0, b_transposed: shape.b.isTransposed ? 1 : 0,
      accumulates: shape.accumulates ? 1 : 0, has_bias: shape.hasBias ? 1 : 0,
      a_bf16: shape.a.precision == .bf16 ? 1 : 0,
      b_bf16: shape.b.precision == .bf16 ? 1 : 0, c_bf16: shape.c.precision == .bf16 ? 1 : 0)
    var made = dnnlx_matmul()
    // How many threads a primitive uses is fixed when it is made.
    Team.resize(to: engine.threads)
    let status = dnnlx_matmul_create(engine.handle, &request, &made)
    guard status == dnnl_success, let primitive = made.primitive else {
      throw ProductError(
        description: "oneDNN cannot make the product [\(shape.m), \(shape.k)] · [\(shape.k), \(shape.n)] in "
          + "\(shape.a.precision): status \(status.rawValue)")
    }
    var memories: [dnnl_memory_t] = []
    for var description in [made.a, made.b, made.c, made.scratch] + (shape.hasBias ? [made.bias] : []) {
      var memory: dnnl_memory_t?
      let status = dnnl_memory_create(&memory, &description, engine.handle, nil)
      guard status == dnnl_success, let memory else {
        throw ProductError(description: "oneDNN cannot describe an operand: status \(status.rawValue)")
      }
      memories.append(memory)
    }
    self.primitive = primitive
    self.memories = memories
    self.engine = engine
    scratchBytes = made.scratch_bytes
    operations = 2 * Double(shape.m) * Double(shape.n) * Double(shape.k)
  }

  deinit {
    for memory in memories { dnnl_memory_destroy(memory) }
    dnnl_primitive_destroy(primitive)
  }

  /// Runs it, on the threads that it was made for. Where oneDNN fails, its `Products` say so from then on.
  /// - Parameter bias: [n] fp32, for a shape that has one.
  @inline(__always)
  package func callAsFunction(
    _ a: UnsafeMutableRawPointer, _ b: UnsafeMutableRawPointer, into c: UnsafeMutableRawPointer,
    bias: UnsafeMutableRawPointer? = nil
  ) {
    StepPart.products.measured {
      let status = dnnlx_matmul_run(
        primitive, engine.stream, memories[0], memories[1], memories[2], memories[3],
        memories.count > 4 ? memories[4] : nil, a, b, c, engine.scratch, bias)
      if status != dnnl_success { engine.failure = status }
    }
  }
}

/// oneDNN's CPU, with a stream, and a scratch pad that all products share.
private final class Engine {
  let handle: dnnl_engine_t
  let stream: dnnl_stream_t
  let threads: Int
  /// What the last product that failed came to.
  var failure: dnnl_status_t?
  private(set) var scratch: UnsafeMutableRawPointer
  private var scratchBytes = 4096

  init(threads: Int) throws(ProductError) {
    var engine: dnnl_engine_t?
    guard dnnl_engine_create(&engine, dnnl_cpu, 0) == dnnl_success, let engine else {
      throw ProductError(description: "oneDNN finds no CPU that it can use")
    }
    self.threads = threads
    var stream: dnnl_stream_t?
    guard dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue) == dnnl_success, let stream else {
      dnnl_engine_destroy(engine)
      throw ProductError(description: "oneDNN cannot make a stream")
    }
    handle = engine
    self.stream = stream
    scratch = .allocate(byteCount: scratchBytes, alignment: 64)
  }

  deinit {
    scratch.deallocate()
    dnnl_stream_destroy(stream)
    dnnl_engine_destroy(handle)
  }

  func reserve(_ bytes: Int) {
    guard bytes > scratchBytes else { return }
    scratchBytes = bytes
    scratch.deallocate()
    scratch = .allocate(byteCount: bytes, alignment: 64)
  }
}

/// The products of those who run one at a time: each made once, with scratch memory that they share.
package final class Products {
  private let engine: Engine
  private var made: [ProductShape: Product] = [:]
  package let threads: Int

  /// - Throws: `ProductError` where oneDNN finds no usable CPU.
  package init(threads: Int) throws(ProductError) {
    engine = try Engine(threads: threads)
    self.threads = threads
  }

  /// Why a product that ran has not computed what it should; nil where all did. Looked at once a step: what comes after a
  /// failure is of no use.
  package var failure: ProductError? {
    engine.failure.map { status in
      let reason = status == dnnl_out_of_memory ? "memory ran out" : "status \(status.rawValue)"
      return ProductError(description: "oneDNN could not compute a matrix product: \(reason)")
    }
  }

  /// The product of this shape, made if need be.
  package subscript(_ shape: ProductShape) -> Product {
    get throws(ProductError) {
      if let product = made[shape] { return product }
      let product = try Product(shape, engine: engine)
      engine.reserve(product.scratchBytes)
      made[shape] = product
      return product
    }
  }
}
