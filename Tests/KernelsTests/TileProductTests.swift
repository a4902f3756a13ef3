// Products of tiles against sums in Double, over shapes that do and do not divide by anything, in both precisions.
import Kernels
import Support
import Testing

/// A matrix in memory of its own, as floats that its precision holds exactly.
private final class Tile {
  let matrix: Matrix
  let values: [Double]

  init(_ rows: Int, _ columns: Int, _ precision: Precision, spread: Int = 3, _ dice: inout Dice) {
    let stride = columns + spread
    let bytes = rows * stride * precision.bytes
    let base = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    // What lies between the rows must not matter.
    base.initializeMemory(as: UInt8.self, repeating: 0x41, count: bytes)
    let matrix = Matrix(base, rows: rows, columns: columns, stride: stride, precision: precision)
    let kept = dice.floats(rows * columns).map { Float(bitPattern: $0.bitPattern & 0xFFFF_0000) }
    for r in 0..<rows {
      for c in 0..<columns {
        let x = kept[r * columns + c]
        switch precision {
        case .fp32: matrix.at(r, c).storeBytes(of: x, as: Float.self)
        case .bf16: matrix.at(r, c).storeBytes(of: UInt16(x.bitPattern >> 16), as: UInt16.self)
        }
      }
    }
    self.matrix = matrix
    values = kept.doubles
  }

  deinit { matrix.base.deallocate() }

  subscript(row: Int, column: Int) -> Double { values[row * matrix.columns + column] }
}

@Suite struct TileProductTests {
  struct Shape: Sendable, CustomTestStringConvertible {
    var m: Int
    var n: Int
    var k: Int
    var precision: Precision
    var testDescription: String { "[\(m), \(k)] · [\(k), \(n)] in \(precision)" }

    static let samples = [Precision.fp32, .bf16].flatMap { precision in
      [(1, 1, 1), (4, 16, 2), (3, 17, 5), (5, 48, 7), (8, 64, 32), (9, 65, 33), (64, 100, 31), (13, 160, 64)].map {
        Shape(m: $0.0, n: $0.1, k: $0.2, precision: precision)
      }
    }
  }

  /// Room for words or sums, full of something that must not be seen.
  private func room(_ count: Int) -> UnsafeMutableBufferPointer<UInt32> {
    let room = UnsafeMutableBufferPointer<UInt32>.allocate(capacity: count)
    room.initialize(repeating: Float.nan.bitPattern)
    return room
  }

  private func vectors(_ n: Int) -> Int { (n + 15) / 16 * 16 }

  private func floats(_ words: UnsafeMutableBufferPointer<UInt32>) -> UnsafeMutablePointer<Float> {
    UnsafeMutableRawPointer(words.baseAddress!).assumingMemoryBound(to: Float.self)
  }

  /// Expects every element of the first columns of each row to be what it should be, as near as said.
  private func check(
    _ sums: UnsafeMutableBufferPointer<UInt32>, _ stride: Int, rows: Int, columns: (_ row: Int) -> Int,
    against expected: (_ row: Int, _ column: Int) -> (exact: Double, error: Double)
  ) {
    for r in 0..<rows {
      for c in 0..<columns(r) {
        let (exact, error) = expected(r, c)
        #expect(abs(Double(floats(sums)[r * stride + c]) - exact) < error, "row \(r), column \(c)")
      }
    }
  }

  @Test(arguments: Shape.samples)
  func `all four ways to lay out operands give the same product`(shape: Shape) {
    var dice = Dice(20)
    let (m, n, k, precision) = (shape.m, shape.n, shape.k, shape.precision)
    let (a, aᵀ) = (Tile(m, k, precision, &dice), Tile(k, m, precision, spread: 16, &dice))
    let (b, bᵀ) = (Tile(k, n, precision, &dice), Tile(n, k, precision, spread: 4 - k % 2, &dice))
    let stride = vectors(n) + 16
    let words = PackedOperands.count(k, precision)
    let (byRows, byColumns) = (room(words * stride), room(words * stride))
    let (left, leftTransposed) = (room(m * words), room(words * aᵀ.matrix.stride))
    let sums = room(m * stride)
    defer { for room in [byRows, byColumns, left, leftTransposed, sums] { room.deallocate() } }
    PackedOperands.along(rows: b.matrix, into: byRows.baseAddress!, stride: stride)
    PackedOperands.along(columns: bᵀ.matrix, into: byColumns.baseAddress!, stride: stride)
    let lefts = [
      (PackedOperands.left(a.matrix, room: left.baseAddress!), { (r: Int, p: Int) in a[r, p] }),
      (PackedOperands.leftTransposed(aᵀ.matrix, room: leftTransposed.baseAddress!), { (r: Int, p: Int) in aᵀ[p, r] }),
    ]
    let rights = [
      (byRows, { (p: Int, c: Int) in b[p, c] }), (byColumns, { (p: Int, c: Int) in bᵀ[c, p] }),
    ]
    for (left, x) in lefts {
      for (right, y) in rights {
        for accumulates in [false, true] {
          if accumulates { for i in 0..<m * stride { floats(sums)[i] = 2 } }
          TileProduct.run(
            left, right.baseAddress!, stride: stride, into: floats(sums), cStride: stride, m: m, n: n, k: words,
            part: .columns(offset: n), accumulates: accumulates, precision: precision)
          check(sums, stride, rows: m, columns: { _ in n }) { r, c in
            let exact = (0..<k).reduce(accumulates ? 2 : 0) { $0 + x(r, $1) * y($1, c) }
            return (exact, 1e-6 * (0..<k).reduce(1) { $0 + abs(x(r, $1) * y($1, c)) })
          }
        }
      }
    }
  }

  @Test(arguments: [Precision.fp32, .bf16], [0, 1, 5, 40])
  func `parts of a triangle are what the whole is where it is not zero`(precision: Precision, offset: Int) {
    var dice = Dice(21)
    let (m, n, h) = (22, 22 + offset, 20)
    let stride = vectors(max(n, h)) + 16
    // A lower triangle: row r has columns up to and with r + offset.
    let triangle = Tile(m, n, precision, spread: n % 2 == 0 ? 16 : 17, &dice)
    for r in 0..<m {
      for c in r + offset + 1..<max(n, r + offset + 1) {
        triangle.matrix.at(r, c).initializeMemory(as: UInt8.self, repeating: 0, count: precision.bytes)
      }
    }
    func inside(_ r: Int, _ c: Int) -> Double { c <= r + offset ? triangle[r, c] : 0 }
    let (x, y) = (Tile(n, h, precision, &dice), Tile(m, h, precision, &dice))
    let (right, sums) = (room(max(m, n) * stride), room(max(m, n) * stride))
    let left = room(m * triangle.matrix.stride)
    defer { for room in [right, sums, left] { room.deallocate() } }

    PackedOperands.along(rows: x.matrix, into: right.baseAddress!, stride: stride)
    TileProduct.run(
      PackedOperands.left(triangle.matrix, room: left.baseAddress!), right.baseAddress!, stride: stride,
      into: floats(sums),
      cStride: stride, m: m, n: h, k: PackedOperands.count(n, precision), part: .upTo(offset: offset),
      accumulates: false,
      precision: precision)
    check(sums, stride, rows: m, columns: { _ in h }) { r, c in
      ((0..<n).reduce(0) { $0 + inside(r, $1) * x[$1, c] }, 1e-4)
    }

    PackedOperands.along(rows: y.matrix, into: right.baseAddress!, stride: stride)
    TileProduct.run(
      PackedOperands.leftTransposed(triangle.matrix, room: left.baseAddress!), right.baseAddress!, stride: stride,
      into: floats(sums), cStride: stride, m: n, n: h, k: PackedOperands.count(m, precision),
      part: .from(offset: offset),
      accumulates: false, precision: precision)
    check(sums, stride, rows: n, columns: { _ in h }) { r, c in
      ((0..<m).reduce(0) { $0 + inside($1, r) * y[$1, c] }, 1e-4)
    }

    PackedOperands.along(columns: x.matrix, into: right.baseAddress!, stride: stride)
    TileProduct.run(
      PackedOperands.left(y.matrix, room: left.baseAddress!), right.baseAddress!, stride: stride, into: floats(sums),
      cStride: stride, m: m, n: n, k: PackedOperands.count(h, precision), part: .columns(offset: offset),
      accumulates: false,
      precision: precision)
    check(sums, stride, rows: m, columns: { r in min(n, r + offset + 1) }) { r, c in
      ((0..<h).reduce(0) { $0 + y[r, $1] * x[c, $1] }, 1e-4)
    }
  }
}
