// Operands as words of TileProduct: one fp32, or two bf16 that follow each other along k. What a tile is multiplied with is
// laid out once and read by many rows. Letters: x [rows, h], row-major in either precision.

import CLanes

package enum PackedOperands {
  /// Elements of a word.
  package static func elements(_ precision: Precision) -> Int { precision == .fp32 ? 1 : 2 }

  /// Words that n elements along k need; the last one may be half empty.
  package static func count(_ n: Int, _ precision: Precision) -> Int {
    (n + elements(precision) - 1) / elements(precision)
  }

  /// x as operand A, with k along its columns.
  /// - Parameter room: [rows, words] for a copy, needed where rows of bf16 have an odd number of elements.
  package static func left(_ x: Matrix, room: UnsafeMutablePointer<UInt32>) -> TileProduct.Left {
    let elements = elements(x.precision)
    if x.columns % elements == 0, x.stride % elements == 0 {
      return TileProduct.Left(words(x), row: x.stride / elements)
    }
    let words = count(x.columns, x.precision)
    for r in 0..<x.rows {
      let out = UnsafeMutableRawPointer(room + r * words)
      out.copyMemory(from: x.at(r, 0), byteCount: x.columns * x.precision.bytes)
      if x.columns % elements > 0 { (out + x.columns * x.precision.bytes).storeBytes(of: 0, as: UInt16.self) }
    }
    return TileProduct.Left(room, row: words)
  }

  /// xᵀ as operand A, with k along the rows of x.
  /// - Parameter room: [words of the rows, x.stride], needed for bf16.
  package static func leftTransposed(_ x: Matrix, room: UnsafeMutablePointer<UInt32>) -> TileProduct.Left {
    if x.precision == .fp32 { return TileProduct.Left(words(x), row: 1, place: x.stride) }
    along(rows: x, into: room, stride: x.stride)
    return TileProduct.Left(room, row: 1, place: x.stride)
  }

  /// x as operand B, with k along its rows.
  /// - Parameters:
  ///   - out: [words of the rows, stride], written; columns beyond h, up to a multiple of 16, are zero.
  package static func along(rows x: Matrix, into out: UnsafeMutablePointer<UInt32>, stride: Int) {
    for p in 0..<count(x.rows, x.precision) {
      let out = out + p * stride
      switch x.precision {
      case .fp32:
        let row = x.row(p, as: Float.self)
        for (i, lanes) in sixteens(x.columns) { store(load(row, i, lanes), out, i) }
      case .bf16:
        let low = x.row(2 * p, as: BFloat16.self)
        let high = 2 * p + 1 < x.rows ? x.row(2 * p + 1, as: BFloat16.self) : nil
        for (i, lanes) in sixteens(x.columns) {
          store(pairs(load(low, i, lanes), high.map { load($0, i, lanes) } ?? Lanes()), out, i)
        }
      }
    }
  }

  /// xᵀ as operand B, with k along the columns of x.
  /// - Parameters:
  ///   - out: [words of the columns, stride], written; columns beyond the rows of x, up to a multiple of 16, are zero.
  package static func along(columns x: Matrix, into out: UnsafeMutablePointer<UInt32>, stride: Int) {
    let elements = elements(x.precision)
    let whole = x.columns / elements
    for first in Swift.stride(from: 0, to: x.rows, by: 16) {
      let rows = min(16, x.rows - first)
      var begin = 0
      while rows == 16, x.stride % elements == 0, begin + 16 <= whole {
        let from = UnsafeRawPointer(x.at(first, begin * elements)).assumingMemoryBound(to: UInt32.self)
        lanes_transpose(from, x.stride / elements, out + begin * stride + first, stride)
        begin += 16
      }
      for p in begin..<count(x.columns, x.precision) {
        let out = out + p * stride + first
        for r in 0..<rows {
          let word = x.at(first + r, p * elements)
          out[r] =
            p < whole ? word.loadUnaligned(as: UInt32.self) : UInt32(word.loadUnaligned(as: UInt16.self))
        }
        for r in rows..<16 { out[r] = 0 }
      }
    }
  }

  @inline(__always)
  private static func words(_ x: Matrix) -> UnsafePointer<UInt32> {
    UnsafePointer(x.base.assumingMemoryBound(to: UInt32.self))
  }

  /// bf16 pairs from lanes that hold bf16 numbers exactly.
  @_transparent
  private static func pairs(_ low: Lanes, _ high: Lanes) -> Lanes {
    let bits = unsafeBitCast(low, to: SIMD16<UInt32>.self) &>> 16 | unsafeBitCast(high, to: SIMD16<UInt32>.self)
    return unsafeBitCast(bits, to: Lanes.self)
  }

  @_transparent
  private static func store(_ x: Lanes, _ p: UnsafeMutablePointer<UInt32>, _ i: Int) {
    UnsafeMutableRawPointer(p + i).storeBytes(of: x, as: Lanes.self)
  }
}
