// The products of queries and keys of a memory layer, a matrix of scores each; there and back.
//   scores = q · Kᵀ;   dq = Σ over heads of dscores · K,   dK = dscoresᵀ · q
import Kernels

struct MemoryProducts {
  private let shape: MemoryShape
  private let positions: Int
  private let precision: Precision
  private let scores: Product
  /// dq written, dq added to, dK; nil where nothing is trained.
  private let backwards: (queries: Product, queriesAdding: Product, keys: Product)?

  init(
    _ shape: MemoryShape, positions M: Int, precision E: Precision, isTrained: Bool, _ products: Products
  ) throws(ProductError) {
    typealias Operand = ProductShape.Operand
    let (n, width) = (shape.keys, shape.keyWidth)
    let queries = Operand(stride: shape.sides * width, precision: E)
    self.shape = shape
    positions = M
    precision = E
    scores = try products[
      ProductShape(
        m: M, n: n, k: width, a: queries, b: Operand(stride: width, precision: E, isTransposed: true),
        c: Operand(stride: n, precision: .fp32))]
    guard isTrained else {
      backwards = nil
      return
    }
    func dQueries(_ accumulates: Bool) -> ProductShape {
      ProductShape(
        m: M, n: width, k: n, a: Operand(stride: n, precision: E), b: Operand(stride: width, precision: E), c: queries,
        accumulates: accumulates)
    }
    backwards = (
      queries: try products[dQueries(false)], queriesAdding: try products[dQueries(true)],
      keys: try products[
        ProductShape(
          m: n, n: width, k: M, a: Operand(stride: n, precision: E, isTransposed: true), b: queries,
          c: Operand(stride: width, precision: .fp32))]
    )
  }

  /// - Parameters:
  ///   - queries: E [M, 2r, D_k], normed; those of a side and a rank are shared by all heads.
  ///   - keys: E [H · 2r, n, D_k], normed.
  ///   - scores: [H · 2r, M, n] fp32, written.
  func score(
    queries: UnsafeMutableRawPointer, keys: UnsafeMutableRawPointer, into scores: UnsafeMutableRawPointer
  ) {
    for matrix in 0..<shape.scoreMatrices {
      self.scores(
        queries + matrix % shape.sides * shape.keyWidth * precision.bytes,
        keys + matrix * shape.keys * shape.keyWidth * precision.bytes,
        into: scores + matrix * positions * shape.keys * 4)
    }
  }

  /// - Parameters:
  ///   - dScores: E [H · 2r, M, n].
  ///   - dQueries: E [M, 2r, D_k], written.
  ///   - dKeys: [H · 2r, n, D_k] fp32, written.
  func backward(
    dScores: UnsafeMutableRawPointer, queries: UnsafeMutableRawPointer, keys: UnsafeMutableRawPointer,
    dQueries: UnsafeMutableRawPointer, dKeys: UnsafeMutableRawPointer
  ) {
    guard let backwards else { preconditionFailure("this network was made for reading only") }
    let block = shape.keys * shape.keyWidth
    for matrix in 0..<shape.scoreMatrices {
      let column = matrix % shape.sides * shape.keyWidth * precision.bytes
      let scores = dScores + matrix * positions * shape.keys * precision.bytes
      let product = matrix < shape.sides ? backwards.queries : backwards.queriesAdding
      product(scores, keys + matrix * block * precision.bytes, into: dQueries + column)
      backwards.keys(scores, queries + column, into: dKeys + matrix * block * 4)
    }
  }
}
