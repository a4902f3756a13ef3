// Reading a text on: new tokens go through the branches, which keep what they need of the tokens before.
import Kernels

/// Where a token stands.
struct ReadingPlace {
  /// Which of the texts that are read beside each other.
  let text: Int
  let position: Int
}

/// How many tokens are read at a time, and how.
struct ReadingShape {
  /// The most rows that go through on their own: W is read once for all of them.
  static let mostAlone = 16

  /// Rows of all matrices: a few, or as many as products are made for.
  let rows: Int
  /// True if every row comes to the bits that it comes to alone, whatever rows stand beside it: then rows may be of several
  /// texts. Else all are of one text, at positions that follow each other, and go through oneDNN's products.
  let isAlone: Bool
  /// Of what matrices are multiplied with: fp32 for rows on their own.
  let precision: Precision
  let threads: Int

  init(rows: Int, isAlone: Bool, precision: Precision, threads: Int) {
    self.rows = rows
    self.isAlone = isAlone
    self.precision = isAlone ? .fp32 : precision
    self.threads = threads
  }

  /// Threads that share out what is done row by row.
  var rowThreads: Int { isAlone ? 1 : threads }
}

/// Some new tokens. Rows past the last of them only fill up a product; what they come to is thrown away.
struct Reading {
  let shape: ReadingShape
  let parameters: ParameterView
  /// Of the network's first shard, for its tables.
  let arena: Arena
  /// The weights' own precision.
  let precision: Precision
  /// Where the tokens stand, a row each.
  let places: [ReadingPlace]
  /// Floats from what a branch keeps of one text to what it keeps of the next.
  let cacheStride: Int
  /// Where products for several rows are found.
  let products: Products?
  /// As many bytes as the largest `roomSize`.
  let room: UnsafeMutableRawPointer

  /// The position of the first token, and how many there are.
  var position: Int { places[0].position }
  var count: Int { places.count }

  /// [rows, columns] in the room, from an offset in bytes on.
  func matrix(at offset: Int, columns: Int, _ precision: Precision) -> Matrix {
    Matrix(room + offset, rows: shape.rows, columns: columns, precision: precision)
  }

  /// Zeroes what rows past the last token hold, so that arithmetic on them stays harmless.
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
