// Sums of what several ranks computed, always in the order of their numbers: the same ranks give the same bits.
//   own ← x_0 + x_1 + … + x_{n−1},  where own holds x_rank before

package enum OrderedSum {
  /// Adds up fp32 parts.
  /// - Parameters:
  ///   - others: the part of each rank, [count] fp32; that of `rank` itself is not read.
  ///   - ranks: n, at least 2.
  ///   - own: [count], what this rank has; the sum afterwards.
  package static func add(
    _ others: UnsafePointer<UnsafeRawPointer>, ranks: Int, rank: Int, own: UnsafeMutablePointer<Float>, count: Int
  ) {
    add(others, Float.self, ranks, rank, own, count)
  }

  /// Adds up parts that came in bf16; the own part and the sum are fp32.
  package static func addRounded(
    _ others: UnsafePointer<UnsafeRawPointer>, ranks: Int, rank: Int, own: UnsafeMutablePointer<Float>, count: Int
  ) {
    add(others, BFloat16.self, ranks, rank, own, count)
  }

  @inline(__always)
  private static func add<E: Element>(
    _ others: UnsafePointer<UnsafeRawPointer>, _: E.Type, _ ranks: Int, _ rank: Int,
    _ own: UnsafeMutablePointer<Float>, _ count: Int
  ) {
    for (i, lanes) in sixteens(count) {
      var sum = rank == 0 ? load(own, i, lanes) : load(others[0].assumingMemoryBound(to: E.self), i, lanes)
      for other in 1..<ranks {
        sum += other == rank ? load(own, i, lanes) : load(others[other].assumingMemoryBound(to: E.self), i, lanes)
      }
      store(sum, own, i, lanes)
    }
  }

  /// Makes floats of `count` bf16 numbers.
  package static func widen(_ x: UnsafeRawPointer, into y: UnsafeMutablePointer<Float>, count: Int) {
    let x = x.assumingMemoryBound(to: BFloat16.self)
    for (i, lanes) in sixteens(count) { store(load(x, i, lanes), y, i, lanes) }
  }
}
