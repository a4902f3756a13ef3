// Decoding: new tokens go through the branches, which cache what they need of earlier tokens.
import Kernels

/// The place of a token.
struct ReadingPlace {
  /// The index of the token's text.
  let text: Int
  let position: Int
}

/// The number of rows of a pass, and the way in which they are computed.
struct ReadingShape {
  /// The largest number of rows that are computed each as if alone; W is read once for all of them.
  static let mostAlone = 16

  /// Rows of all matrices: the number of tokens, or the number of rows of the products.
  let rows: Int
  /// True if every row has the bits of a pass alone; rows may then belong to several texts. Otherwise all rows are consecutive
  /// positions of one text, and go through oneDNN's products.
  let isAlone: Bool
  /// The precision of products' operands; fp32 if `isAlone`.
  let precision: Precision
  let threads: Int

  init(rows: Int, isAlone: Bool, precision: Precision, threads: Int) {
    self.rows = rows
    self.isAlone = isAlone
    self.precision = isAlone ? .fp32 : precision
    self.threads = threads
  }

  /// The number of threads for work that is done row by row.
  var rowThreads: Int { isAlone ? 1 : threads }
}

/// A pass of some new tokens. Rows after the last token only fill up a product; their results are dropped.
struct Reading {
  let shape: ReadingShape
  let parameters: ParameterView
  /// The memory of the network's first shard, which has the tables of rotary angles.
  let arena: Arena
  /// The precision of the weights.
  let precision: Precision
  /// The place of each row's token.
  let places: [ReadingPlace]
  /// Floats from a branch's cache of one text to its cache of the next.
  let cacheStride: Int
  /// The products for many rows; nil if `isAlone`.
  let products: Products?
  /// Scratch memory with as many bytes as the largest `roomSize`.
  let room: UnsafeMutableRawPointer

  /// The position of the first token (`position`), and the number of tokens.
  var position: Int { places[0].position }
  var count: Int { places.count }

  /// A matrix [rows, columns] in `room`, at an offset in bytes.
  func matrix(at offset: Int, columns: Int, _ precision: Precision) -> Matrix {
    Matrix(room + offset, rows: shape.rows, columns: columns, precision: precision)
  }

  /// Zeroes the rows after the last token, so that arithmetic on them is harmless.
  func clearUnused(_ x: Matrix) {
    guard count < x.rows else { return }
    x.at(count, 0).initializeMemory(
      as: UInt8.self, repeating: 0, count: (x.rows - count) * x.stride * x.precision.bytes)
  }
}

extension Linear {
  /// y = x · Wᵀ (+ b) for the rows of a reading.
  /// - Parameters:
  ///   - x: [rows, in] in the reading's precision.
  ///   - y: [rows, out], written, or fp32 and added to.
  func read(_ reading: Reading, _ x: Matrix, into y: Matrix, accumulates: Bool = false) throws(ProductError) {
    let bias = affine.bias.map { reading.parameters.weights + $0 }
    guard !reading.shape.isAlone, let products = reading.products else {
      let w = Matrix(
        reading.parameters.operand(affine.weight), rows: y.columns, columns: x.columns, precision: reading.precision)
      MatrixVector.multiply(w, x, into: y, accumulates: accumulates, threads: reading.shape.threads)
      if let bias { Embedding.addPositions(bias, context: 1, x: y, threads: 1) }
      return
    }
    let product = try products[
      ProductShape(
        m: x.rows, n: y.columns, k: x.columns, a: ProductShape.Operand(stride: x.stride, precision: x.precision),
        b: ProductShape.Operand(stride: x.columns, precision: reading.precision, isTransposed: true),
        c: ProductShape.Operand(stride: y.stride, precision: y.precision), accumulates: accumulates,
        hasBias: bias != nil && !accumulates)]
    product(
      x.base, reading.parameters.operand(affine.weight), into: y.base,
      bias: accumulates ? nil : bias.map { UnsafeMutableRawPointer($0) })
    if let bias, accumulates { Embedding.addPositions(bias, context: 1, x: y, threads: reading.shape.threads) }
  }
}
