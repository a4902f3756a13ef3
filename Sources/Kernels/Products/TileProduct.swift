// Products of tiles that stay in a core's cache, by one thread: what attention is made of. A library's call would take as
// long as the arithmetic.
//   C [m, n] (+)= A [m, k] · B [k, n]
// Operands are words of 32 bits: one fp32, or two bf16 that follow each other along k, whose products are added up in
// one go (VDPBF16PS). Both are multiplied and laid out in the same way. Letters: k in words; r row, p place along k.

import CLanes

package enum TileProduct {
  /// Operand A: word (r, p) is `base[r · row + p · place]`, so that one that is stored transposed needs no copy.
  package struct Left {
    package var base: UnsafePointer<UInt32>
    package var row: Int
    package var place: Int

    package init(_ base: UnsafePointer<UInt32>, row: Int, place: Int = 1) {
      self.base = base
      self.row = row
      self.place = place
    }
  }

  /// What of a tile is computed, where row r of A meets a triangle of zeros, or nobody looks at a part of C.
  package enum Triangle {
    /// Columns of C up to and with r + offset, and some more.
    case columns(offset: Int)
    /// Of k, the elements (not words) up to and with r + offset: A has zeros in the rest.
    case upTo(offset: Int)
    /// Of k, the elements from r − offset on: A has zeros before.
    case from(offset: Int)
  }

  /// Multiplies.
  /// - Parameters:
  ///   - b: B: row p begins at `b + p · stride`; columns beyond n, up to a multiple of 16, are read too.
  ///   - c: C: row r begins at `c + r · cStride`; columns beyond n, up to a multiple of 16, are written too.
  ///   - m, n: rows and columns of C.
  ///   - k: words along which is summed up.
  ///   - accumulates: whether to C's numbers.
  package static func run(
    _ a: Left, _ b: UnsafePointer<UInt32>, stride: Int, into c: UnsafeMutablePointer<Float>, cStride: Int, m: Int,
    n: Int, k: Int, part: Triangle, accumulates: Bool, precision: Precision
  ) {
    switch precision {
    case .fp32: run(a, b, stride, c, cStride, m, n, k, part, accumulates, Float.self)
    case .bf16: run(a, b, stride, c, cStride, m, n, k, part, accumulates, BFloat16Pair.self)
    }
  }

  @inline(__always)
  private static func run<W: MachineWord>(
    _ a: Left, _ b: UnsafePointer<UInt32>, _ stride: Int, _ c: UnsafeMutablePointer<Float>, _ cStride: Int, _ m: Int,
    _ n: Int, _ k: Int, _ part: Triangle, _ accumulates: Bool, _: W.Type
  ) {
    // Wide columns first: a few columns of B stay in the first-level cache for all rows.
    var column = 0
    while column < n {
      let lanes = (n - column + 15) / 16
      let width = areWide && lanes >= 4 ? 4 : areWide && lanes >= 2 ? 2 : 1
      for r in Swift.stride(from: 0, to: m, by: 4) {
        let rows = min(4, m - r)
        var (first, end, needed) = (0, k, n)
        switch part {
        case .columns(let offset): needed = min(n, r + rows + offset)
        case .upTo(let offset): end = max(0, min(k, (r + rows + offset + W.elements - 1) / W.elements))
        case .from(let offset): first = min(k, max(0, r - offset) / W.elements)
        }
        let lanes = min(width, (needed - column + 15) / 16)
        if lanes <= 0 { continue }
        let a = Left(a.base + r * a.row + first * a.place, row: a.row, place: a.place)
        let b = b + first * stride + column
        let c = c + r * cStride + column
        switch lanes {
        case 4: strip(a, b, stride, c, cStride, rows, end - first, accumulates, W.self, Four.self)
        case 3:
          strip(a, b, stride, c, cStride, rows, end - first, accumulates, W.self, Two.self)
          strip(a, b + 32, stride, c + 32, cStride, rows, end - first, accumulates, W.self, One.self)
        case 2: strip(a, b, stride, c, cStride, rows, end - first, accumulates, W.self, Two.self)
        default: strip(a, b, stride, c, cStride, rows, end - first, accumulates, W.self, One.self)
        }
      }
      column += width * 16
    }
  }

  /// Whether there are registers for four rows of 64 columns, or of 16.
  private static var areWide: Bool { @inline(__always) get { lanes_are_one_register() != 0 } }

  /// Four rows, or fewer, of a few columns.
  @inline(__always)
  private static func strip<W: MachineWord, Columns: TileColumns>(
    _ a: Left, _ b: UnsafePointer<UInt32>, _ stride: Int, _ c: UnsafeMutablePointer<Float>, _ cStride: Int,
    _ rows: Int, _ k: Int, _ accumulates: Bool, _: W.Type, _: Columns.Type
  ) {
    if rows == 4 {
      var r0 = accumulates ? Columns(c) : Columns()
      var r1 = accumulates ? Columns(c + cStride) : Columns()
      var r2 = accumulates ? Columns(c + 2 * cStride) : Columns()
      var r3 = accumulates ? Columns(c + 3 * cStride) : Columns()
      var (x, y) = (a.base, b)
      for _ in 0..<k {
        let columns = Columns(words: y)
        r0.add(x[0], columns, W.self)
        r1.add(x[a.row], columns, W.self)
        r2.add(x[2 * a.row], columns, W.self)
        r3.add(x[3 * a.row], columns, W.self)
        x += a.place
        y += stride
      }
      r0.store(c)
      r1.store(c + cStride)
      r2.store(c + 2 * cStride)
      r3.store(c + 3 * cStride)
    } else {
      for r in 0..<rows {
        let c = c + r * cStride
        var sums = accumulates ? Columns(c) : Columns()
        var (x, y) = (a.base + r * a.row, b)
        for _ in 0..<k {
          sums.add(x[0], Columns(words: y), W.self)
          x += a.place
          y += stride
        }
        sums.store(c)
      }
    }
  }
}

/// What a word of an operand holds.
private protocol MachineWord {
  static var elements: Int { get }
  /// x + a·b in every lane.
  static func add(_ x: Lanes, _ a: Lanes, _ b: Lanes) -> Lanes
}

extension Float: MachineWord {
  fileprivate static var elements: Int { 1 }
  @_transparent
  fileprivate static func add(_ x: Lanes, _ a: Lanes, _ b: Lanes) -> Lanes { x.addingProduct(a, b) }
}

private enum BFloat16Pair: MachineWord {
  static var elements: Int { 2 }
  @_transparent
  static func add(_ x: Lanes, _ a: Lanes, _ b: Lanes) -> Lanes {
    var (x, a, b) = (x, a, b)
    lanes_add_products_bf16(&x, &a, &b)
    return x
  }
}

/// Columns of one row of C, in registers.
private protocol TileColumns {
  init()
  init(_ p: UnsafePointer<Float>)
  init(words p: UnsafePointer<UInt32>)
  func store(_ p: UnsafeMutablePointer<Float>)
  mutating func add<W: MachineWord>(_ a: UInt32, _ b: Self, _: W.Type)
}

@_transparent
private func lanes(_ p: UnsafePointer<UInt32>) -> Lanes { UnsafeRawPointer(p).loadUnaligned(as: Lanes.self) }

@_transparent
private func repeated(_ word: UInt32) -> Lanes { Lanes(repeating: Float(bitPattern: word)) }

private struct One: TileColumns {
  var x = Lanes()
  @_transparent init() {}
  @_transparent init(_ p: UnsafePointer<Float>) { x = load(p, 0, 16) }
  @_transparent init(words p: UnsafePointer<UInt32>) { x = lanes(p) }
  @_transparent func store(_ p: UnsafeMutablePointer<Float>) { Kernels.store(x, p, 0, 16) }
  @_transparent mutating func add<W: MachineWord>(_ a: UInt32, _ b: One, _: W.Type) { x = W.add(x, repeated(a), b.x) }
}

private struct Two: TileColumns {
  var (x, y) = (Lanes(), Lanes())
  @_transparent init() {}
  @_transparent init(_ p: UnsafePointer<Float>) { (x, y) = (load(p, 0, 16), load(p, 16, 16)) }
  @_transparent init(words p: UnsafePointer<UInt32>) { (x, y) = (lanes(p), lanes(p + 16)) }
  @_transparent func store(_ p: UnsafeMutablePointer<Float>) {
    Kernels.store(x, p, 0, 16)
    Kernels.store(y, p, 16, 16)
  }
  @_transparent mutating func add<W: MachineWord>(_ a: UInt32, _ b: Two, _: W.Type) {
    let a = repeated(a)
    x = W.add(x, a, b.x)
    y = W.add(y, a, b.y)
  }
}

private struct Four: TileColumns {
  var (low, high) = (Two(), Two())
  @_transparent init() {}
  @_transparent init(_ p: UnsafePointer<Float>) { (low, high) = (Two(p), Two(p + 32)) }
  @_transparent init(words p: UnsafePointer<UInt32>) { (low, high) = (Two(words: p), Two(words: p + 32)) }
  @_transparent func store(_ p: UnsafeMutablePointer<Float>) {
    low.store(p)
    high.store(p + 32)
  }
  @_transparent mutating func add<W: MachineWord>(_ a: UInt32, _ b: Four, _: W.Type) {
    low.add(a, b.low, W.self)
    high.add(a, b.high, W.self)
  }
}
