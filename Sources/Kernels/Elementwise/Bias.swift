// The gradient of a bias: y = x·Wᵀ + b, db = Σ_t dy. (The bias itself is added by the product.)

package enum Bias {
  /// - Parameters:
  ///   - dy: [rows, n] in any precision.
  ///   - db: [n], added to.
  ///   - partial: [threads, n] fp32: a thread's own sum.
  package static func backward(
    _ dy: Matrix, db: UnsafeMutablePointer<Float>, partial: UnsafeMutablePointer<Float>, threads: Int
  ) {
    let n = dy.columns
    Team.split(dy.rows, threads: threads) { worker, rows in
      let sums = partial + worker * n
      sums.update(repeating: 0, count: n)
      for t in rows {
        switch dy.precision {
        case .fp32: add(dy.row(t, as: Float.self), sums, n)
        case .bf16: add(dy.row(t, as: BFloat16.self), sums, n)
        }
      }
    }
    for worker in 0..<threads where !Team.share(of: dy.rows, worker: worker, threads: threads).isEmpty {
      let sums = partial + worker * n
      for i in 0..<n { db[i] += sums[i] }
    }
  }

  @inline(__always)
  private static func add<E: Element>(_ x: UnsafePointer<E>, _ sums: UnsafeMutablePointer<Float>, _ n: Int) {
    eachLanes(n) { i, lanes in store(load(sums, i, lanes) + load(x, i, lanes), sums, i, lanes) }
  }
}
