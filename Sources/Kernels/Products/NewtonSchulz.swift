// Approximates the orthogonal matrix nearest to a matrix: five iterations of a polynomial that moves all singular values
// between
// 0 and 1 close to 1 (Jordan et al. 2024, “Muon: an optimizer for hidden layers in neural networks”).
//   A = x·xᵀ;  x ← (a·1 + b·A + c·A²)·x,   or with more rows than columns  A = xᵀ·x;  x ← x·(a·1 + b·A + c·A²)
// Letters: x [rows, columns]; A [n, n] with n the smaller of both.

package struct NewtonSchulz {
  package static let iterations = 5
  /// The published coefficients: final singular values are between 0.7 and 1.2, and small ones grow fastest.
  package static let (a, b, c): (Float, Float, Float) = (3.4445, -4.7750, 2.0315)

  private let n: Int
  private let precision: Precision
  private let threads: Int
  private let room: NewtonSchulzRoom
  private let gram: Product
  private let square: Product
  private let apply: Product
  /// True if x is multiplied from the left.
  private let isLeft: Bool

  /// - Parameter products: the products of the threads that run the iterations.
  package init(rows: Int, columns: Int, precision: Precision, products: Products) throws(ProductError) {
    typealias Operand = ProductShape.Operand
    let x = Operand(stride: columns, precision: precision)
    let transposed = Operand(stride: columns, precision: precision, isTransposed: true)
    isLeft = rows <= columns
    n = min(rows, columns)
    self.precision = precision
    threads = products.threads
    room = NewtonSchulzRoom(rows: rows, columns: columns, precision: precision)
    let operand = Operand(stride: n, precision: precision)
    gram = try products[
      isLeft
        ? ProductShape(m: n, n: n, k: columns, a: x, b: transposed, c: operand)
        : ProductShape(m: n, n: n, k: rows, a: transposed, b: x, c: operand)]
    square = try products[
      ProductShape(m: n, n: n, k: n, a: operand, b: operand, c: Operand(stride: n, precision: .fp32))]
    apply = try products[
      isLeft
        ? ProductShape(m: n, n: columns, k: n, a: operand, b: x, c: x)
        : ProductShape(m: rows, n: n, k: n, a: x, b: operand, c: x)]
  }

  /// Runs the iterations.
  /// - Parameter memory: `NewtonSchulzRoom.bytes` bytes, with x at the beginning; the Frobenius norm of x must be at most 1.
  /// - Returns: the orthogonal matrix [rows, columns], in the same memory.
  package func callAsFunction(_ memory: UnsafeMutableRawPointer) -> UnsafeMutableRawPointer {
    var (x, y) = (memory, memory + room.other)
    let (A, S) = (memory + room.gram, (memory + room.square).assumingMemoryBound(to: Float.self))
    for _ in 0..<Self.iterations {
      gram(x, x, into: A)
      square(A, A, into: UnsafeMutableRawPointer(S))
      polynomial(A, S)
      if isLeft { apply(A, x, into: y) } else { apply(x, A, into: y) }
      swap(&x, &y)
    }
    return x
  }

  /// A ← a·1 + b·A + c·S.
  private func polynomial(_ A: UnsafeMutableRawPointer, _ S: UnsafePointer<Float>) {
    switch precision {
    case .fp32: polynomial(A.assumingMemoryBound(to: Float.self), S)
    case .bf16: polynomial(A.assumingMemoryBound(to: BFloat16.self), S)
    }
  }

  @inline(__always)
  private func polynomial<E: Element>(_ A: UnsafeMutablePointer<E>, _ S: UnsafePointer<Float>) {
    let n = n
    Team.split(n, threads: threads) { _, rows in
      for r in rows {
        let (A, S) = (A + r * n, S + r * n)
        let diagonal = Self.a + Self.b * E.load(A, r, first: 1)[0] + Self.c * S[r]
        for (i, lanes) in sixteens(n) { store(load(A, i, lanes) * Self.b + load(S, i, lanes) * Self.c, A, i, lanes) }
        E.store(Lanes(repeating: diagonal), A, r, first: 1)
      }
    }
  }
}

/// The layout of the memory of `NewtonSchulz`: x, the next x, A, and A² in fp32. Offsets are in bytes.
package struct NewtonSchulzRoom {
  let other: Int
  let gram: Int
  let square: Int
  package let bytes: Int

  package init(rows: Int, columns: Int, precision: Precision) {
    func whole(_ bytes: Int) -> Int { (bytes + 63) / 64 * 64 }
    let n = min(rows, columns)
    other = whole(rows * columns * precision.bytes)
    gram = 2 * other
    square = gram + whole(n * n * precision.bytes)
    bytes = square + whole(n * n * 4)
  }
}
