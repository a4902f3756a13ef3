// The peak speed of arithmetic and memory, with which kernels are compared.

package enum Peak {
  /// Floating-point operations of one round of `multiplyAdd` on one thread.
  package static let operationsPerRound = 12.0 * 16 * 2

  /// Multiply-adds on registers in twelve independent chains, enough to keep two units with a latency of 4 cycles or more busy.
  /// - Returns: a number that depends on every operation, so that the compiler removes none.
  package static func multiplyAdd(rounds: Int, threads: Int) -> Float {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: threads * 16) { sums in
      Team.run(threads) { worker in
        var (a, b, c) = (Lanes(repeating: 0.1), Lanes(repeating: 0.2), Lanes(repeating: 0.3))
        var (d, e, f) = (Lanes(repeating: 0.4), Lanes(repeating: 0.5), Lanes(repeating: 0.6))
        var (g, h, i) = (Lanes(repeating: 0.7), Lanes(repeating: 0.8), Lanes(repeating: 0.9))
        var (j, k, l) = (Lanes(repeating: 1.0), Lanes(repeating: 1.1), Lanes(repeating: 1.2))
        let x = Lanes(repeating: 0.999_999)
        let y = Lanes(repeating: Float(worker + 1) * 1e-7)
        for _ in 0..<rounds {
          a = y.addingProduct(a, x)
          b = y.addingProduct(b, x)
          c = y.addingProduct(c, x)
          d = y.addingProduct(d, x)
          e = y.addingProduct(e, x)
          f = y.addingProduct(f, x)
          g = y.addingProduct(g, x)
          h = y.addingProduct(h, x)
          i = y.addingProduct(i, x)
          j = y.addingProduct(j, x)
          k = y.addingProduct(k, x)
          l = y.addingProduct(l, x)
        }
        sums[worker * 16] = (a + b + c + d + e + f + g + h + i + j + k + l).folded
      }
      return (0..<threads).reduce(0) { $0 + sums[$1 * 16] }
    }
  }

  /// Copies `bytes` bytes with all threads; 2 · `bytes` bytes move through memory.
  package static func copy(
    _ source: UnsafeRawPointer, to destination: UnsafeMutableRawPointer, bytes: Int, threads: Int
  ) {
    Team.split(bytes, threads: threads, grain: 4096) { _, range in
      (destination + range.lowerBound).copyMemory(from: source + range.lowerBound, byteCount: range.count)
    }
  }

  /// Reads rows in the given order with all threads, and does nothing else with them: the limit of a gather.
  /// - Parameters:
  ///   - table: [N, width].
  ///   - rows: `count` places in the table.
  ///   - width: floats of a row, a multiple of 16.
  /// - Returns: the sum of all, so that the compiler removes no read.
  package static func sum(
    _ table: UnsafePointer<Float>, rows: UnsafePointer<Int32>, count: Int, width: Int, threads: Int
  ) -> Float {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: threads * 16) { sums in
      sums.initialize(repeating: 0)
      Team.split(count, threads: threads) { worker, range in
        var (a, b) = (Lanes(), Lanes())
        for place in range {
          if place + MemoryValues.ahead < range.upperBound {
            MemoryValues.prefetch(table + Int(rows[place + MemoryValues.ahead]) * width, width)
          }
          let row = table + Int(rows[place]) * width
          for i in stride(from: 0, to: width, by: 32) { a += Float.load(row, i) }
          for i in stride(from: 16, to: width, by: 32) { b += Float.load(row, i) }
        }
        sums[worker * 16] = (a + b).folded
      }
      return (0..<threads).reduce(0) { $0 + sums[$1 * 16] }
    }
  }

  /// Reads `count` floats with all threads.
  /// - Returns: their sum, so that the compiler removes no read.
  package static func sum(_ x: UnsafePointer<Float>, count: Int, threads: Int) -> Float {
    withUnsafeTemporaryAllocation(of: Float.self, capacity: threads * 16) { sums in
      sums.initialize(repeating: 0)
      Team.split(count, threads: threads, grain: 64) { worker, range in
        var (a, b, c, d) = (Lanes(), Lanes(), Lanes(), Lanes())
        var i = range.lowerBound
        while i + 64 <= range.upperBound {
          a += Float.load(x, i)
          b += Float.load(x, i + 16)
          c += Float.load(x, i + 32)
          d += Float.load(x, i + 48)
          i += 64
        }
        for (j, lanes) in sixteens(range.upperBound - i) { a += load(x, i + j, lanes) }
        sums[worker * 16] = ((a + b) + (c + d)).folded
      }
      return (0..<threads).reduce(0) { $0 + sums[$1 * 16] }
    }
  }
}
