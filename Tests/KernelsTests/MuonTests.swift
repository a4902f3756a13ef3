// Muon's kernels against their slow twin, on shapes that do and do not divide by sixteen, and where gradients are degenerate.
import Kernels
import Support
import Testing

@Suite struct MuonTests {
  static let shapes = [(16, 16), (5, 7), (33, 17), (17, 64), (48, 20), (1, 9), (9, 1), (1, 1)]

  /// What Newton and Schulz make of a direction.
  private func orthogonal(_ x: [Float], _ rows: Int, _ columns: Int, _ precision: Precision, threads: Int) throws
    -> [Float]
  {
    let products = try Products(threads: threads)
    let iteration = try NewtonSchulz(rows: rows, columns: columns, precision: precision, products: products)
    let bytes = NewtonSchulzRoom(rows: rows, columns: columns, precision: precision).bytes
    let room = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
    defer { room.deallocate() }
    // What was there before is of no importance.
    room.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes)
    switch precision {
    case .fp32: x.withUnsafeBytes { room.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
    case .bf16: VectorMath.round(x, into: room, count: x.count, threads: 1)
    }
    let y = iteration(room)
    #expect(products.failure == nil)
    return (0..<x.count).map { index in
      switch precision {
      case .fp32: y.load(fromByteOffset: index * 4, as: Float.self)
      case .bf16: Float(bitPattern: UInt32(y.load(fromByteOffset: index * 2, as: UInt16.self)) << 16)
      }
    }
  }

  private func normalised(_ x: [Float]) -> [Float] {
    let norm = x.doubles.reduce(0) { $0 + $1 * $1 }.squareRoot()
    return norm > 0 ? x.map { Float(Double($0) / norm) } : x
  }

  @Test(arguments: [Precision.fp32, .bf16], shapes)
  func `the orthogonal matrix is the twin's`(precision: Precision, shape: (Int, Int)) throws {
    if precision == .bf16 && !Machine.hasBF16 { try Test.cancel("this processor has no bf16") }
    let (rows, columns) = shape
    var dice = Dice(for: "orthogonal \(shape)")
    let x = normalised(dice.floats(rows * columns))
    let expected = Reference.newtonSchulz(x.doubles, rows: rows, columns: columns)
    for threads in [1, 2] {
      let y = try orthogonal(x, rows, columns, precision, threads: threads)
      #expect(largestError(y, expected) < (precision == .fp32 ? 2e-4 : 0.1), "\(Trial.note)")
    }
    // Rows, or columns, are about orthonormal: all singular values are between 0.3 and 1.3, wherever x has full rank.
    let wide = rows <= columns ? expected : Reference.transposed(expected, rows: rows, columns: columns)
    let n = min(rows, columns)
    let gram = Reference.product(wide, wide, max(rows, columns))
    for i in 0..<n { #expect(gram[i * n + i] < 1.6, "\(Trial.note)") }
  }

  @Test(arguments: shapes)
  func `degenerate directions stay finite, and what is zero stays zero`(shape: (Int, Int)) throws {
    let (rows, columns) = shape
    var dice = Dice(for: "degenerate \(shape)")
    let (a, b) = (dice.floats(rows), dice.floats(columns))
    let rankOne = normalised((0..<rows * columns).map { a[$0 / columns] * b[$0 % columns] })
    let zero = [Float](repeating: 0, count: rows * columns)
    for precision in Machine.hasBF16 ? [Precision.fp32, .bf16] : [.fp32] {
      let y = try orthogonal(rankOne, rows, columns, precision, threads: 1)
      #expect(y.allSatisfy { $0.isFinite })
      // Its one singular value is near 1: so is its norm.
      let norm = y.doubles.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect((0.6...1.3).contains(norm), "\(norm), \(Trial.note)")
      #expect(try orthogonal(zero, rows, columns, precision, threads: 1) == zero)
    }
  }

  @Test(arguments: [1, 2, 3])
  func `momentum, direction and update are the formulas'`(threads: Int) {
    var dice = Dice(for: "muon's passes")
    let n = 33_021
    let muon = Muon(momentum: 0.95, weightDecay: 0.1, rate: 0.01, clip: 0.5)
    let (g, x) = (dice.floats(n), dice.floats(n))
    var (w, m, u) = (dice.floats(n), dice.floats(n), [Float](repeating: 0, count: n))
    let before = (w: w.doubles, m: m.doubles)
    var partial = [Double](repeating: 0, count: VectorMath.pieces(of: n))
    let norm = muon.average(g: g, into: &m, count: n, partial: &partial, threads: threads)
    muon.direct(g: g, m: m, norm: norm, into: &u, precision: .fp32, count: n, threads: threads)
    muon.update(w: &w, x: x, precision: .fp32, scale: 3, rounded: nil, count: n, threads: threads)
    let averaged = zip(before.m, g.doubles).map { 0.95 * $0 + 0.05 * 0.5 * $1 }
    let direction = zip(averaged, g.doubles).map { 0.95 * $0 + 0.05 * 0.5 * $1 }
    let length = direction.reduce(0) { $0 + $1 * $1 }.squareRoot()
    #expect(abs(norm - length) < 1e-5 * length)
    #expect(largestError(m, averaged) < 1e-6)
    #expect(largestError(u, direction.map { $0 / length }, floor: 1e-3) < 1e-5)
    #expect(largestError(w, zip(before.w, x.doubles).map { $0 - 0.01 * (3 * $1 + 0.1 * $0) }) < 1e-6)
    #expect(Muon.scale(rows: 16, columns: 64) == 1.6 && Muon.scale(rows: 64, columns: 16) == 1.6)
  }

  @Test func `a gradient of zero, and one near it, has a finite direction`() {
    let muon = Muon(momentum: 0.95, weightDecay: 0, rate: 0.01, clip: 1)
    for value: Float in [0, .leastNonzeroMagnitude, 1e-30, 1e-20] {
      let g = [Float](repeating: value, count: 100)
      var (m, u) = ([Float](repeating: 0, count: 100), [Float](repeating: 1, count: 100))
      var partial = [0.0]
      let norm = muon.average(g: g, into: &m, count: 100, partial: &partial, threads: 1)
      muon.direct(g: g, m: m, norm: norm, into: &u, precision: .fp32, count: 100, threads: 1)
      let length = u.doubles.reduce(0) { $0 + $1 * $1 }.squareRoot()
      #expect(length.isFinite && length <= 1.0001 && (value != 0 || length == 0))
    }
  }
}
