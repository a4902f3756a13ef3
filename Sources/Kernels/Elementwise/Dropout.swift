// Dropout (Srivastava et al. 2014): an element becomes 0 with probability p, else x/(1 − p). Which ones is a function of a
// random stream, row and column alone, so that backward makes the same mask again and nothing of it is stored.

package struct Dropout: Sendable {
  private let random: RandomStream
  /// Elements whose 32 random bits are below this are dropped.
  private let threshold: UInt32
  private let scale: Float
  private let firstRow: Int

  /// - Parameters:
  ///   - rate: p, from 0 to below 1.
  ///   - random: of this place in the network in this pass: another place or step needs another stream.
  ///   - firstRow: the number of what its matrices call row 0, where they are a part of a larger one.
  package init(rate: Float, random: RandomStream, firstRow: Int = 0) {
    self.random = random
    self.firstRow = firstRow
    threshold = UInt32(Double(rate) * 0x1p32)
    scale = 1 / (1 - rate)
  }

  /// Drops elements of x in place.
  /// - Parameters:
  ///   - x: [rows, columns] in any precision.
  ///   - first, firstColumn: the numbers of its first row and column, for a part of a matrix.
  package func apply(_ x: Matrix, first: Int = 0, firstColumn: Int = 0, threads: Int) {
    Team.split(x.rows, threads: threads) { _, rows in
      for t in rows {
        switch x.precision {
        case .fp32: drop(x.row(t, as: Float.self), x.row(t, as: Float.self), x.columns, first + t, firstColumn)
        case .bf16: drop(x.row(t, as: BFloat16.self), x.row(t, as: BFloat16.self), x.columns, first + t, firstColumn)
        }
      }
    }
  }

  /// y = x with the same elements dropped.
  /// - Parameters:
  ///   - x: [rows, columns] fp32.
  ///   - y: [rows, columns] in any precision, written.
  package func apply(_ x: Matrix, into y: Matrix, threads: Int) {
    Team.split(x.rows, threads: threads) { _, rows in
      for t in rows {
        switch y.precision {
        case .fp32: drop(x.row(t, as: Float.self), y.row(t, as: Float.self), x.columns, t)
        case .bf16: drop(x.row(t, as: Float.self), y.row(t, as: BFloat16.self), x.columns, t)
        }
      }
    }
  }

  @inline(__always)
  private func drop<X: Element, Y: Element>(
    _ x: UnsafePointer<X>, _ y: UnsafeMutablePointer<Y>, _ n: Int, _ row: Int, _ firstColumn: Int = 0
  ) {
    let key = random.bits(UInt64(firstRow + row))
    let (a, b) = (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32))
    let limit = SIMD16<UInt32>(repeating: threshold)
    for (i, lanes) in sixteens(n) {
      let v = load(x, i, lanes) * scale
      let bits = Self.bits(UInt32(truncatingIfNeeded: firstColumn + i), a, b)
      store(v.replacing(with: 0, where: bits .< limit), y, i, lanes)
    }
  }

  /// 32 random bits for each of sixteen columns: a counter through a mixer of two multiplications (Wellons' `lowbias32`),
  /// with the row's key before and between.
  @inline(__always)
  private static func bits(_ column: UInt32, _ a: UInt32, _ b: UInt32) -> SIMD16<UInt32> {
    var x = SIMD16<UInt32>(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15) &+ column
    x = (x &* 0x9E37_79B9) ^ a
    x = (x ^ (x &>> 16)) &* 0x7FEB_352D
    x = (x ^ (x &>> 15) ^ b) &* 0x846C_A68B
    return x ^ (x &>> 16)
  }
}
